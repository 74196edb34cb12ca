//! How long to wait before the next attempt to connect.

use core::time::Duration;

use crate::random::Random;

/// Capped steps with full jitter: each wait is uniform between zero and its step, so that clients
/// which lost their links together do not return together.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    attempt: usize,
}

impl Backoff {
    /// In milliseconds; the first attempt is immediate, the last step repeats.
    const STEPS_MS: [u64; 6] = [0, 500, 1_000, 2_000, 4_000, 5_000];

    pub(crate) fn new() -> Self {
        Self { attempt: 0 }
    }

    /// The wait before the next attempt. `max` caps the steps.
    pub(crate) fn next(&mut self, max: Duration, random: &mut Random) -> Duration {
        let step = Self::STEPS_MS[self.attempt.min(Self::STEPS_MS.len() - 1)];
        self.attempt = self.attempt.saturating_add(1);
        random.up_to(Duration::from_millis(step).min(max))
    }

    pub(crate) fn reset(&mut self) {
        self.attempt = 0;
    }
}
