//! The thread pool for handshakes, beside the reactor. A signature for TLS takes as long as a
//! thousand messages, and unknown peers choose how many there are.

mod queue;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rts_proto::LinkId;

use crate::link::{Link, Step};
use crate::panics::catch_panic;
use crate::runtime::Runtime;
use crate::server::log::LogThrottle;
use crate::server::ready_queue::ReadyQueue;
use queue::{FairQueue, Next};
pub(crate) use queue::{Lane, QueueKey};

/// Threads for the handshakes of one reactor, if there are as many processors.
const THREADS_MAX: usize = 4;
/// The nice value of these threads. Where the reactor needs a whole processor, they get a fifth of
/// it, and the reactor does not wait for them when it wakes up.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 6;
/// Idle time after which a thread ends.
const IDLE: Duration = Duration::from_secs(10);

/// Links whose TLS or WebSocket is not open, on threads of their own. Networks take turns, however
/// many links each of them has. Handshakes begin at a bounded rate, however many networks there
/// are.
///
/// The bytes of a waiting link stay in the system's buffers, so a waiting entry is small. A link
/// waits at most until its login deadline. The reactor then [takes it back](Self::cancel).
pub(crate) struct HandshakePool<R: Runtime> {
    state: Mutex<State<R>>,
    has_work: Condvar,
    /// Notified when a link returns from its handshake.
    ready: Arc<ReadyQueue>,
    threads_max: usize,
    /// Handshakes that may begin a second; 0 means no limit.
    per_second: Arc<AtomicU32>,
}

struct State<R: Runtime> {
    queue: FairQueue<Job<R>>,
    finished: VecDeque<Finished<R>>,
    threads: usize,
    /// Threads of the pool that wait for a job.
    idle: usize,
    is_over: bool,
    wait_throttle: LogThrottle,
}

/// A link whose handshake can make progress.
pub(crate) struct Job<R: Runtime> {
    pub(crate) link: Link<R::Stream>,
    pub(crate) waker: Waker,
}

/// A link whose handshake made progress, and the result; `None` after a panic.
pub(crate) struct Finished<R: Runtime> {
    pub(crate) id: LinkId,
    pub(crate) link: Link<R::Stream>,
    pub(crate) step: Option<Poll<Step>>,
}

impl<R: Runtime> HandshakePool<R> {
    /// `per_second` handshakes may begin a second, of all networks together, with bursts of up to
    /// five times this number. 0 means no limit.
    pub(crate) fn new(ready: &Arc<ReadyQueue>, per_second: &Arc<AtomicU32>, shards: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            state: Mutex::new(State {
                queue: FairQueue::default(),
                finished: VecDeque::new(),
                threads: 0,
                idle: 0,
                is_over: false,
                wait_throttle: LogThrottle::default(),
            }),
            has_work: Condvar::new(),
            ready: Arc::clone(ready),
            threads_max: (processors / shards).clamp(1, THREADS_MAX),
            per_second: Arc::clone(per_second),
        }
    }

    /// Lets the handshake of a link make progress with the bytes that have arrived. The link comes
    /// back through [`take_finished`](Self::take_finished).
    pub(crate) fn submit(self: &Arc<Self>, id: LinkId, key: QueueKey, job: Job<R>) {
        let mut state = self.lock();
        state.queue.push(id, key, job);
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
        let Err(error) = R::start_thread("rts-handshakes", move || this.run_thread()) else {
            return;
        };
        let mut state = self.lock();
        state.threads -= 1;
        let is_last = state.threads == 0;
        drop(state);
        tracing::error!(%error, "cannot start a thread for handshakes");
        if is_last {
            // Messages wait for this handshake, but users can log in. The rate does not hold here,
            // because no thread would return to a job that had to wait.
            let next = self.lock().queue.next(0, Instant::now());
            self.run(next);
        }
    }

    /// The loop of each thread of the pool.
    fn run_thread(&self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::nice(NICENESS) {
            tracing::debug!(%error, "handshakes have the same priority as messages");
        }
        while let Some(next) = self.next_job() {
            self.run(next);
        }
    }

    /// `None` when the thread is no longer needed.
    fn next_job(&self) -> Option<Next<Job<R>>> {
        let mut state = self.lock();
        let idle_until = Instant::now() + IDLE;
        while !state.is_over {
            let now = Instant::now();
            let wait = match self.next(&mut state, now) {
                next @ Next::Job(..) => return Some(next),
                Next::Wait(wait) => {
                    if state.wait_throttle.allow(now).is_some() {
                        state = self.log_waiting(state);
                        continue;
                    }
                    wait
                }
                Next::Empty if now < idle_until => idle_until - now,
                Next::Empty => break,
            };
            state.idle += 1;
            let waited = self.has_work.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.idle -= 1;
        }
        state.threads -= 1;
        None
    }

    /// Releases the lock while it logs.
    fn log_waiting<'a>(&'a self, state: MutexGuard<'a, State<R>>) -> MutexGuard<'a, State<R>> {
        let waiting = state.queue.len();
        drop(state);
        let per_second = self.per_second.load(Ordering::Relaxed);
        tracing::warn!(per_second, waiting, "handshakes wait for their turn: more come than begin");
        self.lock()
    }

    fn next(&self, state: &mut State<R>, now: Instant) -> Next<Job<R>> {
        state.queue.next(self.per_second.load(Ordering::Relaxed), now)
    }

    fn run(&self, next: Next<Job<R>>) {
        let Next::Job(id, lane, Job { mut link, waker }) = next else { return };
        let step = catch_panic(|| link.poll_step(&mut Context::from_waker(&waker), true));
        let mut state = self.lock();
        if lane != Lane::Free && !link.has_begun() {
            state.queue.did_not_begin();
        }
        if !state.is_over {
            state.finished.push_back(Finished { id, link, step });
            drop(state);
            self.ready.notify();
        }
    }

    /// Takes up to `links_max` links that made progress. Returns whether there are more.
    pub(crate) fn take_finished(&self, links_max: usize, into: &mut Vec<Finished<R>>) -> bool {
        let mut state = self.lock();
        let links = links_max.min(state.finished.len());
        into.extend(state.finished.drain(..links));
        !state.finished.is_empty()
    }

    /// Takes a link that still waits out of the queue.
    pub(crate) fn cancel(&self, id: LinkId) -> Option<Link<R::Stream>> {
        self.lock().queue.remove(id).map(|job| job.link)
    }

    /// Drops all waiting links, and ends the threads.
    pub(crate) fn shut_down(&self) {
        let mut state = self.lock();
        state.is_over = true;
        let dropped = (std::mem::take(&mut state.queue), std::mem::take(&mut state.finished));
        drop(state);
        self.has_work.notify_all();
        drop(dropped);
    }

    /// Works on the next link, if there is one and the rate allows it.
    #[cfg(test)]
    pub(crate) fn run_once(&self) {
        let next = self.next(&mut self.lock(), Instant::now());
        self.run(next);
    }

    /// No code that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
