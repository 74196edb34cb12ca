//! Handshakes beside the reactor: a signature for TLS takes as long as a thousand messages, and
//! strangers choose how many there are.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use foldhash::fast::FixedState;
use rts_proto::LinkId;

use crate::bell::Bell;
use crate::guarded;
use crate::link::{Link, Step};
use crate::places::Network;
use crate::runtime::Runtime;

/// Threads for the handshakes of one reactor, if there are as many processors.
const THREADS_MAX: usize = 4;
/// How much the system prefers other threads to these: where the reactor wants a whole processor,
/// they get a fifth of it, and it is not kept waiting when it wakes up.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 6;
/// A thread that had nothing to do for so long ends.
const IDLE: Duration = Duration::from_secs(10);

/// Links whose TLS or WebSocket is not open, on their way through threads of their own. Each
/// network has its turn, however much others want. A link's bytes stay in the system's buffers
/// until then, so what waits here is small; and it waits until the link's login deadline at the
/// longest, when the reactor [takes it back](Self::take_back).
pub(crate) struct Handshakes<R: Runtime> {
    state: Mutex<State<R>>,
    has_work: Condvar,
    /// Rung for what is done.
    bell: Arc<Bell>,
    threads_max: usize,
}

struct State<R: Runtime> {
    queue: Queue<Asked<R>>,
    returned: VecDeque<Returned<R>>,
    threads: usize,
    /// Those of them that wait.
    idle: usize,
    is_over: bool,
}

/// A link that has something to do for its handshake.
pub(crate) struct Asked<R: Runtime> {
    pub(crate) link: Link<R::Stream>,
    pub(crate) waker: Waker,
}

/// A link that got on, and what it has to say. `None` after a panic.
pub(crate) struct Returned<R: Runtime> {
    pub(crate) id: LinkId,
    pub(crate) link: Link<R::Stream>,
    pub(crate) step: Option<Poll<Step>>,
}

impl<R: Runtime> Handshakes<R> {
    pub(crate) fn new(bell: &Arc<Bell>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            state: Mutex::new(State {
                queue: Queue::default(),
                returned: VecDeque::new(),
                threads: 0,
                idle: 0,
                is_over: false,
            }),
            has_work: Condvar::new(),
            bell: Arc::clone(bell),
            threads_max: processors.min(THREADS_MAX),
        }
    }

    /// Lets the link get on, as far as the bytes go that have arrived. It comes back [with what it
    /// has to say](Self::returned).
    pub(crate) fn hand_over(self: &Arc<Self>, id: LinkId, network: Network, asked: Asked<R>) {
        let mut state = self.lock();
        state.queue.push(id, network, asked);
        if state.idle > 0 {
            drop(state);
            self.has_work.notify_one();
        } else if state.threads < self.threads_max {
            state.threads += 1;
            drop(state);
            self.start_thread();
        }
    }

    fn start_thread(self: &Arc<Self>) {
        let this = Arc::clone(self);
        let Err(error) = R::start_thread("rts-handshakes", move || this.work()) else { return };
        let mut state = self.lock();
        state.threads -= 1;
        let is_last = state.threads == 0;
        drop(state);
        tracing::error!(%error, "no thread for handshakes");
        if is_last {
            // Messages wait for it, but people get in.
            self.work_once();
        }
    }

    /// The life of a thread.
    fn work(&self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::nice(NICENESS) {
            tracing::debug!(%error, "handshakes are as urgent as messages");
        }
        while self.wait_for_work() {
            self.work_once();
        }
    }

    /// Returns whether the thread is needed.
    fn wait_for_work(&self) -> bool {
        let mut state = self.lock();
        if state.queue.is_empty() && !state.is_over {
            state.idle += 1;
            let waited = self.has_work.wait_timeout(state, IDLE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.idle -= 1;
        }
        let is_needed = !state.queue.is_empty() && !state.is_over;
        if !is_needed {
            state.threads -= 1;
        }
        is_needed
    }

    /// Lets the next link get on, if one waits.
    pub(crate) fn work_once(&self) {
        let next = self.lock().queue.pop();
        let Some((id, Asked { mut link, waker })) = next else { return };
        let step = guarded(|| link.poll_step(&mut Context::from_waker(&waker), true));
        let mut state = self.lock();
        if !state.is_over {
            state.returned.push_back(Returned { id, link, step });
            drop(state);
            self.bell.ring();
        }
    }

    /// Links that are back, up to so many. Returns whether there are more.
    pub(crate) fn returned(&self, links_max: usize, into: &mut Vec<Returned<R>>) -> bool {
        let mut state = self.lock();
        let links = links_max.min(state.returned.len());
        into.extend(state.returned.drain(..links));
        !state.returned.is_empty()
    }

    /// The link, if its turn has not come.
    pub(crate) fn take_back(&self, id: LinkId) -> Option<Link<R::Stream>> {
        self.lock().queue.remove(id).map(|asked| asked.link)
    }

    /// Nobody asks for them any more: what waits is dropped, and the threads end.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.is_over = true;
        let dropped = (std::mem::take(&mut state.queue), std::mem::take(&mut state.returned));
        drop(state);
        self.has_work.notify_all();
        drop(dropped);
    }

    /// Nothing that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits, in the order in which it came for each network, and one network after the other.
struct Queue<T> {
    /// The numbers are ours: nobody can choose them to collide.
    waiting: HashMap<LinkId, T, FixedState>,
    /// Those that were removed are still in it, until their turn.
    networks: HashMap<Network, VecDeque<LinkId>>,
    /// Each network that has links once.
    circle: VecDeque<Network>,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let (networks, circle) = (HashMap::new(), VecDeque::new());
        Self { waiting: HashMap::default(), networks, circle }
    }
}

impl<T> Queue<T> {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn push(&mut self, id: LinkId, network: Network, asked: T) {
        self.waiting.insert(id, asked);
        let links = self.networks.entry(network).or_default();
        if links.is_empty() {
            self.circle.push_back(network);
        }
        links.push_back(id);
    }

    fn pop(&mut self) -> Option<(LinkId, T)> {
        while let Some(network) = self.circle.pop_front() {
            let Some(links) = self.networks.get_mut(&network) else { continue };
            let ids = std::iter::from_fn(|| links.pop_front());
            let next = ids.filter_map(|id| Some((id, self.waiting.remove(&id)?))).next();
            if links.is_empty() {
                self.networks.remove(&network);
            } else {
                self.circle.push_back(network);
            }
            if next.is_some() {
                return next;
            }
        }
        None
    }

    fn remove(&mut self, id: LinkId) -> Option<T> {
        let removed = self.waiting.remove(&id);
        if self.waiting.is_empty() {
            // What is left are the places of those that were removed.
            *self = Self::default();
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn network(number: u8) -> Network {
        Network::of(Ipv4Addr::new(192, 0, 2, number).into())
    }

    fn queue(links: &[(u64, u8)]) -> Queue<u64> {
        let mut queue = Queue::default();
        for (id, from) in links {
            queue.push(LinkId(*id), network(*from), *id);
        }
        queue
    }

    fn pop_all(queue: &mut Queue<u64>) -> Vec<u64> {
        std::iter::from_fn(|| queue.pop().map(|(_, asked)| asked)).collect()
    }

    #[test]
    fn each_network_has_its_turn_and_its_own_links_keep_their_order() {
        let mut queue = queue(&[(1, 1), (2, 1), (3, 1), (4, 2), (5, 1), (6, 3), (7, 2)]);
        assert_eq!(pop_all(&mut queue), [1, 4, 6, 2, 7, 3, 5]);
        assert!(queue.networks.is_empty() && queue.circle.is_empty());
    }

    #[test]
    fn what_is_removed_is_passed_over_and_leaves_nothing_behind() {
        let mut queue = queue(&[(1, 1), (2, 1), (3, 2), (4, 2)]);
        assert_eq!(queue.remove(LinkId(1)), Some(1));
        assert_eq!(queue.remove(LinkId(1)), None);
        assert_eq!(queue.remove(LinkId(4)), Some(4));
        assert_eq!(pop_all(&mut queue), [2, 3]);
        queue.push(LinkId(5), network(1), 5);
        assert_eq!(queue.remove(LinkId(5)), Some(5));
        assert!(queue.networks.is_empty() && queue.circle.is_empty());
    }

    #[test]
    fn a_network_whose_links_were_all_removed_takes_no_turn() {
        let mut queue = queue(&[(1, 1), (2, 2)]);
        assert_eq!(queue.remove(LinkId(1)), Some(1));
        assert_eq!(pop_all(&mut queue), [2]);
        assert!(queue.networks.is_empty() && queue.circle.is_empty());
    }
}
