//! The threads of shards. They end with the runtime that started them.

use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use event_listener::{Event, Listener as _};

use crate::runtime::Runtime;
use crate::server::arrivals::ReactorNumber;
use crate::server::shared::Shared;
use crate::server::until::until;

/// The time for a thread to end its turn. One that takes longer hangs, and is left behind.
const PATIENCE: Duration = Duration::from_secs(5);

/// Threads of shards. Dropping this stops and joins them.
pub(crate) struct ShardThreads<R: Runtime> {
    threads: Vec<ShardThread<R>>,
    /// A reactor has ended, or a shard is gone.
    ended: Arc<Event>,
}

struct ShardThread<R: Runtime> {
    shared: Weak<Shared<R>>,
    /// Another runtime may start the next reactor of the shard while this ends.
    reactor: ReactorNumber,
    thread: JoinHandle<()>,
}

impl<R: Runtime> ShardThread<R> {
    fn stop_reactor(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.stop_reactor(self.reactor);
        }
    }

    fn has_ended(&self) -> bool {
        self.shared.upgrade().is_none_or(|shared| shared.arrivals.has_ended(self.reactor))
    }
}

impl<R: Runtime> ShardThreads<R> {
    pub(crate) fn new(ended: &Arc<Event>) -> Self {
        Self { threads: Vec::new(), ended: Arc::clone(ended) }
    }

    pub(crate) fn add(
        &mut self,
        shard: &Arc<Shared<R>>,
        reactor: ReactorNumber,
        thread: JoinHandle<()>,
    ) {
        self.threads.push(ShardThread { shared: Arc::downgrade(shard), reactor, thread });
    }

    /// Leaves the threads to a task of this runtime, until all have ended or the runtime ends.
    pub(crate) fn end_with_runtime(self) {
        if !self.threads.is_empty() {
            R::spawn(async move { until(&self.ended, || self.have_ended()).await });
        }
    }

    /// Whether no thread has a reactor.
    fn have_ended(&self) -> bool {
        self.threads.iter().all(ShardThread::has_ended)
    }
}

impl<R: Runtime> Drop for ShardThreads<R> {
    fn drop(&mut self) {
        self.threads.iter().for_each(ShardThread::stop_reactor);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.ended.listen();
            if self.have_ended() {
                break;
            }
            if ended.wait_deadline(deadline).is_none() {
                tracing::error!("a thread of a shard hangs, and is left behind");
                return;
            }
        }
        for ended in self.threads.drain(..) {
            // A panic was reported by its hook, and by `Node::failed`.
            let _ = ended.thread.join();
        }
    }
}
