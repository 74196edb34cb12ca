//! The wait before the next attempt to connect.

use core::time::Duration;

use crate::Instant;
use crate::planted::{Bug, planted};
use crate::random::Random;

/// Capped steps with full jitter. Each wait is uniform between zero and its step, so that clients
/// that lost their links together do not reconnect together.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    attempt: usize,
    /// When the last successful attempt began to last.
    up_since: Option<Instant>,
}

impl Backoff {
    /// In milliseconds. The first attempt is immediate, the last step repeats.
    const STEPS_MS: [u64; 6] = [0, 500, 1_000, 2_000, 4_000, 5_000];

    pub(crate) fn new() -> Self {
        Self { attempt: 0, up_since: None }
    }

    /// An attempt was successful. The steps restart only after the link has lasted. A server that
    /// accepts clients and loses them at once is not flooded with attempts.
    pub(crate) fn succeeded(&mut self, now: Instant) {
        self.up_since = Some(now);
    }

    /// The wait before the next attempt. `max` caps the steps. The steps restart if the last
    /// success lasted at least `max`.
    pub(crate) fn next(&mut self, now: Instant, max: Duration, random: &mut Random) -> Duration {
        if self.up_since.take().is_some_and(|since| now.since(since) >= max) {
            self.attempt = 0;
        }
        let step = Self::STEPS_MS[self.attempt.min(Self::STEPS_MS.len() - 1)];
        self.attempt = self.attempt.saturating_add(1);
        let step = Duration::from_millis(step).min(max);
        if planted(Bug::NoJitter) { step } else { random.up_to(step) }
    }

    /// The number of waits since the back-off was reset.
    pub(crate) fn attempts(&self) -> usize {
        self.attempt
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }
}
