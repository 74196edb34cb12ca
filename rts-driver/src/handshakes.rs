//! Handshakes beside the reactor: a signature for TLS takes as long as a thousand messages, and
//! strangers choose how many there are.

mod queue;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rts_proto::LinkId;

use crate::bell::Bell;
use crate::guarded;
use crate::link::{Link, Step};
use crate::runtime::Runtime;
use crate::seldom::Seldom;
pub(crate) use queue::{Lane, Turn};
use queue::{Next, Queue};

/// Threads for the handshakes of one reactor, if there are as many processors.
const THREADS_MAX: usize = 4;
/// How much the system prefers other threads to these: where the reactor wants a whole processor,
/// they get a fifth of it, and it is not kept waiting when it wakes up.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 6;
/// A thread that had nothing to do for so long ends.
const IDLE: Duration = Duration::from_secs(10);

/// Links whose TLS or WebSocket is not open, on their way through threads of their own. Each
/// network has its turn, however much others want, and handshakes begin at a rate, however many
/// networks there are. A link's bytes stay in the system's buffers until then, so what waits here
/// is small; and it waits until the link's login deadline at the longest, when the reactor
/// [takes it back](Self::take_back).
pub(crate) struct Handshakes<R: Runtime> {
    state: Mutex<State<R>>,
    has_work: Condvar,
    /// Rung for what is done.
    bell: Arc<Bell>,
    threads_max: usize,
    /// Handshakes that begin; 0 is no limit.
    per_second: Arc<AtomicU32>,
}

struct State<R: Runtime> {
    queue: Queue<Asked<R>>,
    returned: VecDeque<Returned<R>>,
    threads: usize,
    /// Those of them that wait.
    idle: usize,
    is_over: bool,
    told_of_waiting: Seldom,
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
    /// Of all networks together, so many handshakes begin a second, five times as many at once
    /// after quiet; 0 is no limit.
    pub(crate) fn new(bell: &Arc<Bell>, per_second: &Arc<AtomicU32>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            state: Mutex::new(State {
                queue: Queue::default(),
                returned: VecDeque::new(),
                threads: 0,
                idle: 0,
                is_over: false,
                told_of_waiting: Seldom::default(),
            }),
            has_work: Condvar::new(),
            bell: Arc::clone(bell),
            threads_max: processors.min(THREADS_MAX),
            per_second: Arc::clone(per_second),
        }
    }

    /// Lets the link get on, as far as the bytes go that have arrived. It comes back [with what it
    /// has to say](Self::returned).
    pub(crate) fn hand_over(self: &Arc<Self>, id: LinkId, turn: Turn, asked: Asked<R>) {
        let mut state = self.lock();
        state.queue.push(id, turn, asked);
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
            // Messages wait for it, but people get in: nobody would come back for what must wait.
            let next = self.lock().queue.next(0, Instant::now());
            self.work_on(next);
        }
    }

    /// The life of a thread.
    fn work(&self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::nice(NICENESS) {
            tracing::debug!(%error, "handshakes are as urgent as messages");
        }
        while let Some(next) = self.wait_for_work() {
            self.work_on(next);
        }
    }

    /// `None` when the thread is not needed any more.
    fn wait_for_work(&self) -> Option<Next<Asked<R>>> {
        let mut state = self.lock();
        let needless_at = Instant::now() + IDLE;
        while !state.is_over {
            let now = Instant::now();
            let wait = match self.next(&mut state, now) {
                next @ Next::Is(..) => return Some(next),
                Next::In(wait) => {
                    if state.told_of_waiting.happened(now).is_some() {
                        state = self.tell_of_waiting(state);
                        continue;
                    }
                    wait
                }
                Next::Nobody if now < needless_at => needless_at - now,
                Next::Nobody => break,
            };
            state.idle += 1;
            let waited = self.has_work.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.idle -= 1;
        }
        state.threads -= 1;
        None
    }

    /// Lets go of the lock meanwhile.
    fn tell_of_waiting<'a>(&'a self, state: MutexGuard<'a, State<R>>) -> MutexGuard<'a, State<R>> {
        let waiting = state.queue.len();
        drop(state);
        let per_second = self.per_second.load(Ordering::Relaxed);
        tracing::warn!(per_second, waiting, "handshakes wait for their turn: more come than begin");
        self.lock()
    }

    fn next(&self, state: &mut State<R>, now: Instant) -> Next<Asked<R>> {
        state.queue.next(self.per_second.load(Ordering::Relaxed), now)
    }

    fn work_on(&self, next: Next<Asked<R>>) {
        let Next::Is(id, lane, Asked { mut link, waker }) = next else { return };
        let step = guarded(|| link.poll_step(&mut Context::from_waker(&waker), true));
        let mut state = self.lock();
        if lane != Lane::Free && !link.has_begun() {
            state.queue.did_not_begin();
        }
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

    /// Lets the next link get on, if one may.
    #[cfg(test)]
    pub(crate) fn work_once(&self) {
        let next = self.next(&mut self.lock(), Instant::now());
        self.work_on(next);
    }

    /// Nothing that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
