//! The counts of all clients, which the measuring thread reads while the clients run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::LOOK;

/// What all clients share.
#[derive(Debug)]
pub(super) struct Tallies {
    clients: Vec<Arc<Tally>>,
    common: Arc<Common>,
}

#[derive(Debug, Default)]
struct Common {
    is_sending: AtomicBool,
    ready: AtomicU64,
    /// The wakers of the clients that wait for the start.
    waiting: Mutex<Vec<Waker>>,
    fault: Mutex<Option<String>>,
}

/// The counts of one client. Only the client changes them. They fill a cache line, so that clients
/// of different threads do not disturb each other.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Tally {
    sent: AtomicU64,
    /// Results, and the sum of their ids.
    results: AtomicU64,
    delivered: AtomicU64,
    common: Arc<Common>,
}

impl Tallies {
    pub(super) fn new(clients: usize) -> Self {
        let common = Arc::new(Common::default());
        let tally = || Arc::new(Tally { common: Arc::clone(&common), ..Tally::default() });
        Self { clients: (0..clients).map(|_| tally()).collect(), common }
    }

    pub(super) fn of_client(&self, number: usize) -> Arc<Tally> {
        Arc::clone(&self.clients[number])
    }

    /// Whether all clients are logged in, and members of their rooms.
    pub(super) fn all_ready(&self) -> bool {
        self.common.ready.load(Ordering::Acquire) == self.clients.len() as u64
    }

    /// Lets the clients send.
    pub(super) fn start(&self) {
        self.common.is_sending.store(true, Ordering::SeqCst);
        for waker in lock(&self.common.waiting).drain(..) {
            waker.wake();
        }
    }

    /// From now on the clients only receive.
    pub(super) fn stop(&self) {
        self.common.is_sending.store(false, Ordering::SeqCst);
    }

    pub(super) fn results(&self) -> u64 {
        self.sum(|tally| &tally.results)
    }

    pub(super) fn deliveries(&self) -> u64 {
        self.sum(|tally| &tally.delivered)
    }

    /// Whether each message has its result, and has reached this number of users.
    pub(super) fn is_over(&self, receivers: u64) -> bool {
        let sent = self.sum(|tally| &tally.sent);
        self.results() == sent && self.deliveries() == sent * receivers
    }

    /// The first fault that a client found.
    pub(super) fn fault(&self) -> Option<String> {
        lock(&self.common.fault).clone()
    }

    /// Waits for this condition, and ends with an error at a fault, or when it takes too long.
    pub(super) async fn wait(
        &self,
        patience: Duration,
        what: &str,
        mut is_so: impl FnMut(&Self) -> bool,
    ) -> Result<(), String> {
        for _ in 0..patience.as_millis() / LOOK.as_millis() {
            if let Some(fault) = self.fault() {
                return Err(fault);
            }
            if is_so(self) {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        let sent = self.sum(|tally| &tally.sent);
        let (results, deliveries) = (self.results(), self.deliveries());
        Err(format!("not so: {what}; {sent} sent, {results} results, {deliveries} deliveries"))
    }

    fn sum(&self, count: impl Fn(&Tally) -> &AtomicU64) -> u64 {
        self.clients.iter().map(|tally| count(tally).load(Ordering::Acquire)).sum()
    }
}

impl Tally {
    pub(super) fn is_ready(&self) {
        self.common.ready.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether clients may send. Until then, `waker` waits for the start.
    pub(super) fn may_send(&self, waker: &Waker) -> bool {
        let is_sending = || self.common.is_sending.load(Ordering::SeqCst);
        // The second look comes after the waker is there for a start that comes now.
        is_sending() || {
            lock(&self.common.waiting).push(waker.clone());
            is_sending()
        }
    }

    pub(super) fn sent(&self, count: u64) {
        add(&self.sent, count);
    }

    pub(super) fn results(&self, count: u64) {
        add(&self.results, count);
    }

    pub(super) fn delivered(&self) {
        add(&self.delivered, 1);
    }

    /// Something is wrong. The first fault of all clients is reported.
    pub(super) fn found(&self, fault: String) {
        lock(&self.common.fault).get_or_insert(fault);
    }
}

/// Only one thread adds, so this takes no locked operation.
fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Ordering::Relaxed) + more, Ordering::Release);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
