//! Probes of a shard by its own process: whether connections are accepted, and whether turns are
//! made.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event_listener::{Event, EventListener};

/// The expected connections of this process, and the tasks that wait for a turn.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    expected: Mutex<HashSet<SocketAddr>>,
    turns: Event,
}

/// An expected connection. Dropping this ends the expectation.
#[derive(Debug)]
#[must_use = "the connection is expected until this is dropped"]
pub struct ExpectedConnection {
    probes: Arc<Probes>,
    from: SocketAddr,
}

impl Probes {
    pub(crate) fn expect(self: &Arc<Self>, from: SocketAddr) -> ExpectedConnection {
        self.expected().insert(from);
        ExpectedConnection { probes: Arc::clone(self), from }
    }

    /// Whether a connection from this address is the expected one. Each comes once.
    pub(crate) fn take_expected(&self, from: SocketAddr) -> bool {
        self.expected().remove(&from)
    }

    pub(crate) fn next_turn(&self) -> EventListener {
        self.turns.listen()
    }

    pub(crate) fn turn_is_made(&self) {
        self.turns.notify(usize::MAX);
    }

    /// No code that can panic runs under this lock.
    fn expected(&self) -> MutexGuard<'_, HashSet<SocketAddr>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ExpectedConnection {
    fn drop(&mut self) {
        self.probes.expected().remove(&self.from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Waker};

    fn at(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn each_expected_connection_comes_once() {
        let probes = Arc::new(Probes::default());
        let _expected = [probes.expect(at(1)), probes.expect(at(2))];
        assert!(!probes.take_expected(at(3)));
        assert!(probes.take_expected(at(2)) && probes.take_expected(at(1)));
        assert!(!probes.take_expected(at(1)));
    }

    #[test]
    fn dropped_expectation_is_over_and_others_stay() {
        let probes = Arc::new(Probes::default());
        let (first, _second) = (probes.expect(at(1)), probes.expect(at(2)));
        drop(first);
        assert!(!probes.take_expected(at(1)));
        assert!(probes.take_expected(at(2)));
    }

    #[test]
    fn every_waiting_task_learns_of_the_next_turn_only() {
        let probes = Probes::default();
        let mut context = Context::from_waker(Waker::noop());
        probes.turn_is_made();
        let (mut first, mut second) = (pin!(probes.next_turn()), pin!(probes.next_turn()));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        probes.turn_is_made();
        assert!(first.as_mut().poll(&mut context).is_ready());
        assert!(second.as_mut().poll(&mut context).is_ready());
    }
}
