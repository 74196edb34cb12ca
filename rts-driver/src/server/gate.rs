//! The gate of all links: it admits them, counts them, and reports when none is left.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use event_listener::Event;

use crate::server::admission::{Admission, LinkLimits, Permit};
use crate::server::handshakes::Lane;
use crate::server::until::until;

/// Counts the links that are not closed.
#[derive(Default)]
pub(crate) struct Gate {
    admission: Mutex<Admission>,
    /// No link is left.
    emptied: Event,
}

impl Gate {
    pub(crate) fn set_limits(&self, limits: LinkLimits) {
        self.admission().set_limits(limits);
    }

    /// Admits a link from this peer. If the limits refuse it, this is logged.
    pub(crate) fn admit(
        self: &Arc<Self>,
        peer: SocketAddr,
        descriptor: Option<usize>,
    ) -> Option<LinkGuard> {
        let admitted = self.admission().admit(peer, descriptor, Instant::now());
        match admitted {
            Ok(permit) => Some(LinkGuard { gate: Arc::clone(self), permit, opening: None }),
            Err(no_place) => {
                no_place.log(peer);
                None
            }
        }
    }

    pub(crate) fn links(&self) -> usize {
        self.admission().links()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.links() == 0
    }

    /// Waits until no link is left. Cancel safe.
    pub(crate) async fn emptied(&self) {
        until(&self.emptied, || self.is_empty()).await;
    }

    /// No code that can panic runs under this lock, and no other lock is taken.
    fn admission(&self) -> MutexGuard<'_, Admission> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a link that is not closed.
pub(crate) struct LinkGuard {
    gate: Arc<Gate>,
    permit: Permit,
    /// Until a user has logged in.
    opening: Option<Opening>,
}

/// Counts the links of a shard that have not logged in.
#[derive(Debug, Default)]
pub(crate) struct Openings(Arc<AtomicUsize>);

/// One of them. Dropping this ends it.
pub(crate) struct Opening(Arc<AtomicUsize>);

impl Openings {
    pub(crate) fn begin(&self) -> Opening {
        self.0.fetch_add(1, Ordering::Relaxed);
        Opening(Arc::clone(&self.0))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl LinkGuard {
    /// The link counts here until a user has logged in, and no longer at another shard.
    pub(crate) fn set_opening(&mut self, opening: Opening) {
        self.opening = Some(opening);
    }

    /// Whether the limits of a network do not apply to this link.
    pub(crate) fn is_exempt(&self) -> bool {
        self.permit.is_exempt()
    }

    /// The lane in which the link's handshake waits before it begins.
    pub(crate) fn lane(&self) -> Lane {
        self.permit.lane()
    }

    /// A user has logged in over this link.
    pub(crate) fn logged_in(&mut self) {
        self.opening = None;
        self.gate.admission().logged_in(&mut self.permit);
    }
}

impl Drop for LinkGuard {
    fn drop(&mut self) {
        if self.gate.admission().release(self.permit, Instant::now()) {
            self.gate.emptied.notify(usize::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn gate_is_empty_when_the_last_guard_is_dropped() {
        let gate = Arc::new(Gate::default());
        gate.set_limits(LinkLimits { links_max: 2, ..LinkLimits::default() });
        let admit = || gate.admit(([192, 0, 2, 1], 1).into(), None);
        let (first, second) = (admit(), admit());
        assert!(first.is_some() && second.is_some() && admit().is_none());
        let mut emptied = pin!(gate.emptied());
        let mut context = Context::from_waker(Waker::noop());
        drop(first);
        assert_eq!(emptied.as_mut().poll(&mut context), Poll::Pending);
        drop(second);
        assert_eq!(emptied.as_mut().poll(&mut context), Poll::Ready(()));
        assert!(admit().is_some(), "the places are free");
    }
}
