//! The floor of all measurements: a relay that only forwards frames. It checks nothing, guarantees
//! nothing and trusts every client, so it is only for measurements on loopback.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::client::{DESTINATION_ALL, FLOOR_HEAD_BYTES, floor_frame};

const READ_BYTES: usize = 64 * 1_024;
const EVENTS_PER_TURN: usize = 1_024;
const LISTENER: Token = Token(usize::MAX);
/// Clients with greater numbers are not found.
const NUMBER_MAX: usize = 1_000_000;

/// Why the relay cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FloorError {
    /// The relay would serve other machines.
    #[error("{0} is not a loopback address")]
    NotLoopback(SocketAddr),
    /// Listening or waiting fails.
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[derive(Default)]
struct Relay {
    links: Vec<Option<Link>>,
    /// Links, by the number in their greeting.
    numbers: Vec<usize>,
    members: Vec<usize>,
    dirty: Vec<usize>,
}

struct Link {
    stream: TcpStream,
    partial: Vec<u8>,
    out: Vec<u8>,
    is_dirty: bool,
}

/// Relays until the process ends. Calls `listening` with its address.
///
/// # Errors
///
/// Fails if the address is not on this machine, or cannot be listened on.
pub fn serve_floor(
    address: SocketAddr,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), FloorError> {
    if !address.ip().is_loopback() {
        return Err(FloorError::NotLoopback(address));
    }
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(address)?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    listening(listener.local_addr()?);
    let mut relay = Relay::default();
    let mut events = Events::with_capacity(EVENTS_PER_TURN);
    let mut scratch = vec![0; READ_BYTES];
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => relay.accept(&listener, &poll),
                Token(index) => relay.read(index, &mut scratch),
            }
        }
        relay.write();
    }
}

impl Relay {
    fn accept(&mut self, listener: &TcpListener, poll: &Poll) {
        while let Ok((mut stream, _)) = listener.accept() {
            let token = Token(self.links.len());
            let interest = Interest::READABLE | Interest::WRITABLE;
            let _ = stream.set_nodelay(true);
            if poll.registry().register(&mut stream, token, interest).is_ok() {
                let link = Link { stream, partial: Vec::new(), out: Vec::new(), is_dirty: false };
                self.links.push(Some(link));
            }
        }
    }

    fn read(&mut self, index: usize, scratch: &mut [u8]) {
        loop {
            let Some(link) = self.links.get_mut(index).and_then(Option::as_mut) else { return };
            if !link.out.is_empty() {
                mark(&mut self.dirty, index, link);
            }
            match link.stream.read(scratch) {
                Ok(0) => return drop(self.links[index].take()),
                Ok(count) => {
                    let mut partial = std::mem::take(&mut link.partial);
                    if partial.is_empty() {
                        let used = self.relay(index, &scratch[..count]);
                        partial.extend_from_slice(&scratch[used..count]);
                    } else {
                        partial.extend_from_slice(&scratch[..count]);
                        let used = self.relay(index, &partial);
                        partial.drain(..used);
                    }
                    // An idle link keeps no buffer.
                    if let Some(link) = self.links.get_mut(index).and_then(Option::as_mut)
                        && !partial.is_empty()
                    {
                        link.partial = partial;
                    }
                    if count < scratch.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return drop(self.links[index].take()),
            }
        }
    }

    fn relay(&mut self, from: usize, input: &[u8]) -> usize {
        let mut used = 0;
        while let Some((to, frame)) = floor_frame(&input[used..]) {
            used += frame.len();
            if frame.len() == FLOOR_HEAD_BYTES + 4 {
                self.greet(from, to as usize, frame);
            } else if to == DESTINATION_ALL {
                for index in 0..self.members.len() {
                    self.forward(self.members[index], frame);
                }
            } else if let Some(index) = self.numbers.get(to as usize) {
                self.forward(*index, frame);
            }
        }
        used
    }

    fn greet(&mut self, from: usize, number: usize, frame: &[u8]) {
        if number > NUMBER_MAX {
            return;
        }
        if self.numbers.len() <= number {
            self.numbers.resize(number + 1, usize::MAX);
        }
        self.numbers[number] = from;
        if frame.last_chunk() == Some(&1_u32.to_le_bytes()) {
            self.members.push(from);
        }
        self.forward(from, frame);
    }

    fn forward(&mut self, to: usize, frame: &[u8]) {
        if let Some(link) = self.links.get_mut(to).and_then(Option::as_mut) {
            link.out.extend_from_slice(frame);
            mark(&mut self.dirty, to, link);
        }
    }

    fn write(&mut self) {
        for index in std::mem::take(&mut self.dirty) {
            let Some(link) = self.links.get_mut(index).and_then(Option::as_mut) else { continue };
            link.is_dirty = false;
            let mut written = 0;
            while written < link.out.len() {
                match link.stream.write(&link.out[written..]) {
                    Ok(count) => written += count,
                    Err(_) => break,
                }
            }
            link.out.drain(..written);
        }
    }
}

fn mark(dirty: &mut Vec<usize>, index: usize, link: &mut Link) {
    if !std::mem::replace(&mut link.is_dirty, true) {
        dirty.push(index);
    }
}
