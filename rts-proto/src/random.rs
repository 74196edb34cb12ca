//! Jitter from a seed. It is not for secrets.

use core::time::Duration;

/// SplitMix64: one word of state. The same seed gives the same sequence on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A duration between zero and `max`, both included.
    pub(crate) fn up_to(&mut self, max: Duration) -> Duration {
        let max_micros = u64::try_from(max.as_micros()).unwrap_or(u64::MAX);
        // The modulo's bias is below 2^-40 for every back-off, which is enough for jitter.
        Duration::from_micros(self.next_u64() % max_micros.saturating_add(1))
    }
}
