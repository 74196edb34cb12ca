//! A shard behind a listener: one task for each link, one for time.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as StdInstant};

use bytes::{Bytes, BytesMut};
use rts_proto::server::{Credentials, Input, Output, Server, Stats, Verdict};
use rts_proto::wire::ResumeKey;
use rts_proto::{Instant, LinkId};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::client::sleep_until;
use crate::queue::{LINGER, Queue};

/// Bytes taken from a link in one go.
const READ_BYTES: usize = 16 * 1_024;
/// After the system had no room for a link: how long until the next one is accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who decides on logins. Called under the shard's lock: it must be quick, and must not wait.
pub trait Authenticate: Send + Sync {
    /// Whether these credentials are good.
    fn authenticate(&self, credentials: &Credentials) -> Verdict;
}

/// A server core with its links. Cheap to clone.
#[derive(Clone)]
pub struct Shard {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    authenticator: Arc<dyn Authenticate>,
    origin: StdInstant,
    /// The deadline moved, or the shard was shut down.
    changed: Notify,
}

struct State {
    server: Server,
    links: HashMap<LinkId, Link>,
    last_link: u64,
    deadline: Option<Instant>,
    shut_down: bool,
}

struct Link {
    queue: Arc<Queue>,
    task: Option<AbortHandle>,
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").finish_non_exhaustive()
    }
}

impl Shard {
    /// A shard without links.
    #[must_use]
    pub fn new(server: Server, authenticator: Arc<dyn Authenticate>) -> Self {
        let state =
            State { server, links: HashMap::new(), last_link: 0, deadline: None, shut_down: false };
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                authenticator,
                origin: StdInstant::now(),
                changed: Notify::new(),
            }),
        }
    }

    /// Accepts links and serves them until [`shutdown`](Self::shutdown). Dropping the future stops
    /// accepting; links that are open stay.
    pub async fn serve(&self, listener: TcpListener) {
        loop {
            if self.lock().shut_down {
                return;
            }
            let deadline = self.lock().deadline;
            let deadline = deadline.map(|at| self.inner.origin + at.since(Instant::ORIGIN));
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => self.accept(stream, peer),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a link; pausing");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = sleep_until(deadline) => self.handle(Input::Tick),
                () = self.inner.changed.notified() => {}
            }
        }
    }

    /// Closes all links, each with its own wish of when to come back, and ends [`serve`](Self::serve).
    pub fn shutdown(&self, retry_after_max: Duration) {
        let mut state = self.lock();
        state.shut_down = true;
        let now = self.now();
        state.server.shutdown(now, retry_after_max);
        self.drain(&mut state);
        drop(state);
        self.inner.changed.notify_one();
    }

    /// What the shard holds now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.lock().server.stats()
    }

    fn accept(&self, stream: TcpStream, peer: SocketAddr) {
        // Small messages must not wait for others; a link without this works all the same.
        let _ = stream.set_nodelay(true);
        let mut key = [0; 16];
        if let Err(error) = getrandom::fill(&mut key) {
            tracing::error!(%error, "no random numbers for a link: it is dropped");
            return;
        }
        let queue = Arc::new(Queue::default());
        let id = {
            let mut state = self.lock();
            state.last_link += 1;
            let id = LinkId(state.last_link);
            state.links.insert(id, Link { queue: Arc::clone(&queue), task: None });
            id
        };
        tracing::debug!(link = %id, %peer, "accepted");
        self.handle(Input::Accepted(id, ResumeKey(key)));
        let task = tokio::spawn(self.clone().link(id, stream, queue)).abort_handle();
        if let Some(link) = self.lock().links.get_mut(&id) {
            link.task = Some(task);
        }
    }

    async fn link(self, id: LinkId, stream: TcpStream, queue: Arc<Queue>) {
        let (mut reader, writer) = stream.into_split();
        let reading = async {
            // An idle link holds no buffer: room is made when there is something to read.
            let mut buffer = BytesMut::new();
            while reader.readable().await.is_ok() {
                buffer.reserve(READ_BYTES);
                match reader.read_buf(&mut buffer).await {
                    Ok(1..) => {
                        let bytes: Bytes = std::mem::take(&mut buffer).freeze();
                        self.handle(Input::Received(id, bytes));
                    }
                    Ok(0) | Err(_) => return,
                }
            }
        };
        tokio::select! {
            _ = queue.write_to(writer) => {}
            () = reading => {}
        }
        self.lock().links.remove(&id);
        self.handle(Input::Disconnected(id));
    }

    fn handle(&self, input: Input) {
        let mut state = self.lock();
        let before = state.deadline;
        state.server.handle_input(self.now(), input);
        self.drain(&mut state);
        let now = self.now();
        // The end of a burst: what is due at once is done at once.
        if state.deadline.is_some_and(|deadline| deadline <= now) {
            state.server.handle_input(now, Input::Tick);
            self.drain(&mut state);
        }
        let moved = state.deadline != before;
        drop(state);
        if moved {
            self.inner.changed.notify_one();
        }
    }

    fn drain(&self, state: &mut State) {
        loop {
            match state.server.poll_output() {
                Output::Transmit(id, bytes) => {
                    if let Some(link) = state.links.get(&id)
                        && !link.queue.push(bytes)
                    {
                        tracing::debug!(link = %id, "does not keep up: dropped");
                        if let Some(task) = state.links.remove(&id).and_then(|link| link.task) {
                            task.abort();
                        }
                        state.server.handle_input(self.now(), Input::Disconnected(id));
                    }
                }
                Output::Disconnect(id, code) => {
                    tracing::debug!(link = %id, ?code, "closed");
                    if let Some(link) = state.links.remove(&id) {
                        tokio::spawn(linger(link));
                    }
                }
                Output::Authenticate(login, credentials) => {
                    let verdict = self.inner.authenticator.authenticate(&credentials);
                    state.server.handle_input(self.now(), Input::Verdict(login, verdict));
                }
                Output::Wait(deadline) => {
                    state.deadline = deadline;
                    return;
                }
            }
        }
    }

    fn now(&self) -> Instant {
        let micros = self.inner.origin.elapsed().as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was transmitted before is written out, if that does not take too long.
async fn linger(link: Link) {
    link.queue.close();
    tokio::time::sleep(LINGER).await;
    if let Some(task) = link.task {
        task.abort();
    }
}
