//! Opens links, and knows the wait before the next attempt.

use core::time::Duration;

use super::link::Link;
use crate::backoff::Backoff;
use crate::client::parameters::Timing;
use crate::client::shared::Shared;
use crate::planted::{Bug, planted};
use crate::random::Random;
use crate::{Instant, LinkId};

pub(super) struct Dialer {
    last: u64,
    backoff: Backoff,
    random: Random,
}

impl Dialer {
    pub(super) fn new(random: Random) -> Self {
        Self { last: 0, backoff: Backoff::new(), random }
    }

    /// A new link, without a wait.
    pub(super) fn connect(&mut self, shared: &mut Shared) -> Link {
        self.last += 1;
        let id = LinkId(self.last);
        shared.connect(id);
        Link::Connecting { id, since: shared.now() }
    }

    /// A new link after the back-off, but not before `at_least` has passed.
    pub(super) fn connect_later(&mut self, at_least: Duration, shared: &mut Shared) -> Link {
        let (now, max) = (shared.now(), shared.parameters().get(Timing::BackoffMax));
        let wait = at_least + self.backoff.next(now, max, &mut self.random);
        if wait.is_zero() || planted(Bug::NoBackoff) {
            self.connect(shared)
        } else {
            Link::Waiting { until: now + wait, asked_for: at_least }
        }
    }

    /// A login succeeded over the newest link.
    pub(super) fn succeeded(&mut self, now: Instant) {
        self.backoff.succeeded(now);
    }

    /// The newest link, open or not.
    pub(super) fn newest(&self) -> LinkId {
        LinkId(self.last)
    }

    /// Attempts since the back-off was restarted.
    pub(super) fn attempts(&self) -> usize {
        self.backoff.attempts()
    }

    /// Restarts the back-off.
    pub(super) fn reset(&mut self) {
        self.backoff.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::connection::testing::shared_at;
    use crate::client::io::Output;

    fn parts() -> (Dialer, Shared) {
        (Dialer::new(Random::new(1)), shared_at(Instant::from_millis(1_000)))
    }

    #[test]
    fn link_numbers_are_never_reused() {
        let (mut dialer, mut shared) = parts();
        dialer.connect(&mut shared);
        dialer.reset();
        dialer.connect(&mut shared);
        assert_eq!(shared.take_output(), Some(Output::Connect(LinkId(1))));
        assert_eq!(shared.take_output(), Some(Output::Connect(LinkId(2))));
    }

    #[test]
    fn first_attempt_is_immediate_and_later_ones_wait() {
        let (mut dialer, mut shared) = parts();
        let first = dialer.connect_later(Duration::ZERO, &mut shared);
        assert!(matches!(first, Link::Connecting { id: LinkId(1), .. }));
        let second = dialer.connect_later(Duration::ZERO, &mut shared);
        let latest = Instant::from_millis(1_500);
        assert!(matches!(second, Link::Waiting { until, .. } if until <= latest));
    }

    #[test]
    fn retry_after_of_server_is_respected() {
        let (mut dialer, mut shared) = parts();
        let link = dialer.connect_later(Duration::from_secs(7), &mut shared);
        let earliest = Instant::from_millis(8_000);
        assert!(matches!(link, Link::Waiting { until, .. } if until == earliest));
        assert_eq!(shared.take_output(), None);
    }
}
