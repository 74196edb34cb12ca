//! The sockets: one epoll, one thread. All bytes of a turn for a link are one write.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use crate::client::{Client, Heard};

const READ_BYTES: usize = 256 * 1_024;
const EVENTS_PER_TURN: usize = 1_024;

/// The time for which the load polls without sleeping. A sender has to wake a peer that sleeps, so
/// the server would pay for it, more often the longer the pauses are between sends. Clients on
/// other machines cost no server that.
const AWAKE: Duration = Duration::from_micros(500);

/// A link, by its index.
pub(crate) type LinkIndex = usize;

/// An event of a link.
#[derive(Debug)]
pub(crate) enum Happened {
    /// The client is ready for its role: logged in, subscribed, or a member.
    Ready,
    /// A message arrived that was due at this moment of [`Net::nanos`].
    Delivered { due_ns: u64 },
    /// A message of this link has its result.
    Result { id: u64, code: u32 },
    /// The link is lost, with the reason.
    Lost(String),
}

pub(crate) struct Net<C> {
    poll: Poll,
    events: Events,
    /// One at least. The links take them in turn.
    addresses: Vec<SocketAddr>,
    links: Vec<Link<C>>,
    /// Links with bytes to write.
    dirty: Vec<LinkIndex>,
    happened: Vec<(LinkIndex, Happened)>,
    scratch: Box<[u8]>,
    started: Instant,
}

struct Link<C> {
    stream: Option<TcpStream>,
    client: C,
    /// Incomplete input.
    partial: Vec<u8>,
    out: Vec<u8>,
    written: usize,
    is_open: bool,
    is_dirty: bool,
}

impl<C: Client> Net<C> {
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS_PER_TURN),
            addresses,
            links: Vec::new(),
            dirty: Vec::new(),
            happened: Vec::new(),
            scratch: vec![0; READ_BYTES].into(),
            started: Instant::now(),
        })
    }

    /// Nanoseconds since this net was made.
    pub(crate) fn nanos(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Begins to connect one more client.
    pub(crate) fn connect(&mut self, client: C) -> io::Result<LinkIndex> {
        let index = self.links.len();
        self.links.push(Link {
            stream: None,
            client,
            partial: Vec::new(),
            out: Vec::new(),
            written: 0,
            is_open: false,
            is_dirty: false,
        });
        self.reconnect(index)?;
        Ok(index)
    }

    /// Begins to connect a client whose link is gone.
    pub(crate) fn reconnect(&mut self, index: LinkIndex) -> io::Result<()> {
        let Some(link) = self.links.get_mut(index) else { return Ok(()) };
        let mut stream = TcpStream::connect(self.addresses[index % self.addresses.len()])?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(index), interest)?;
        link.stream = Some(stream);
        link.is_open = false;
        link.partial.clear();
        link.out.clear();
        link.written = 0;
        link.client.open(&mut link.out);
        Ok(())
    }

    /// Breaks the link like a failed network, with a reset.
    pub(crate) fn cut(&mut self, index: LinkIndex) {
        if let Some(stream) = self.links.get_mut(index).and_then(|link| link.stream.take()) {
            // Without this option the link ends in order, which is only a weaker test.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        }
    }

    /// Lets a client send. The bytes are written at the end of the turn.
    pub(crate) fn say<T>(
        &mut self,
        index: LinkIndex,
        say: impl FnOnce(&mut C, &mut Vec<u8>) -> T,
    ) -> T {
        let link = &mut self.links[index];
        let said = say(&mut link.client, &mut link.out);
        if !std::mem::replace(&mut link.is_dirty, true) {
            self.dirty.push(index);
        }
        said
    }

    /// Lets each client send what its protocol needs, such as a heartbeat.
    pub(crate) fn sweep(&mut self, mut say: impl FnMut(&mut C, &mut Vec<u8>)) {
        for (index, link) in self.links.iter_mut().enumerate() {
            if link.is_open {
                say(&mut link.client, &mut link.out);
                let has_more = !link.out.is_empty() || link.client.owes();
                if has_more && !std::mem::replace(&mut link.is_dirty, true) {
                    self.dirty.push(index);
                }
            }
        }
    }

    /// Writes all pending bytes, then waits for events, for `patience` at most.
    pub(crate) fn turn(&mut self, patience: Option<Duration>) -> io::Result<()> {
        self.write_dirty();
        // A link that was lost during a write is an event already.
        let patience = if self.happened.is_empty() { patience } else { Some(Duration::ZERO) };
        match self.wait(patience) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            waited => waited?,
        }
        for event in &self.events {
            let index = event.token().0;
            let Some(link) = self.links.get_mut(index) else { continue };
            if event.is_writable()
                && !link.is_open
                && let Some(stream) = &link.stream
                && stream.peer_addr().is_ok()
            {
                // Small messages must not wait for others.
                let _ = stream.set_nodelay(true);
                link.is_open = true;
            }
            let read = link.read(index, &mut self.scratch, &mut self.happened);
            if let Err(why) = read {
                link.stream = None;
                self.happened.push((index, Happened::Lost(why)));
                continue;
            }
            // Received bytes may have made the client send.
            let has_more = !link.out.is_empty() || link.client.owes();
            if has_more && !std::mem::replace(&mut link.is_dirty, true) {
                self.dirty.push(index);
            }
        }
        Ok(())
    }

    fn wait(&mut self, patience: Option<Duration>) -> io::Result<()> {
        let since = Instant::now();
        while patience.is_none_or(|patience| !patience.is_zero()) && since.elapsed() < AWAKE {
            self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
            if !self.events.is_empty() {
                return Ok(());
            }
        }
        self.poll.poll(&mut self.events, patience)
    }

    /// Takes the events since the last call, in order. Return the list for reuse.
    pub(crate) fn take_happened(
        &mut self,
        mut spent: Vec<(LinkIndex, Happened)>,
    ) -> Vec<(LinkIndex, Happened)> {
        spent.clear();
        std::mem::replace(&mut self.happened, spent)
    }

    fn write_dirty(&mut self) {
        for index in std::mem::take(&mut self.dirty) {
            let link = &mut self.links[index];
            link.is_dirty = false;
            if let Err(error) = link.write() {
                link.stream = None;
                self.happened.push((index, Happened::Lost(format!("cannot write: {error}"))));
            }
        }
    }
}

impl<C: Client> Link<C> {
    fn read(
        &mut self,
        index: LinkIndex,
        scratch: &mut [u8],
        happened: &mut Vec<(LinkIndex, Happened)>,
    ) -> Result<(), String> {
        let mut hear = |heard: Heard| {
            happened.push((
                index,
                match heard {
                    Heard::Ready => Happened::Ready,
                    Heard::Delivered { due_ns } => Happened::Delivered { due_ns },
                    Heard::Result { id, code } => Happened::Result { id, code },
                },
            ));
        };
        loop {
            let Some(stream) = &mut self.stream else { return Ok(()) };
            let count = match stream.read(scratch) {
                Ok(0) => return Err("the server closed the link".to_owned()),
                Ok(count) => count,
                Err(error) if is_for_later(&error) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    return Err("the connection was refused: nothing listens there".to_owned());
                }
                Err(error) => return Err(format!("cannot read: {error}")),
            };
            let input = &scratch[..count];
            if self.partial.is_empty() {
                let used = self.client.hear(input, &mut self.out, &mut hear)?;
                self.partial.extend_from_slice(&input[used..]);
            } else {
                self.partial.extend_from_slice(input);
                let used = self.client.hear(&self.partial, &mut self.out, &mut hear)?;
                self.partial.drain(..used);
            }
            if self.partial.is_empty() {
                // An idle link keeps no buffer.
                self.partial = Vec::new();
            }
            if count < scratch.len() {
                return Ok(());
            }
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        if !self.is_open {
            return Ok(());
        }
        if self.written == 0 {
            self.client.end_burst(&mut self.out);
        }
        while self.written < self.out.len() {
            match stream.write(&self.out[self.written..]) {
                Ok(count) => self.written += count,
                // A later turn continues when the socket is writable.
                Err(error) if is_for_later(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        self.written = 0;
        if self.out.capacity() > READ_BYTES {
            self.out = Vec::new();
        }
        Ok(())
    }
}

fn is_for_later(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, NotConnected, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | NotConnected)
}
