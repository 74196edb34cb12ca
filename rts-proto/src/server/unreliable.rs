//! The bound on unreliable messages in one input from another shard.

use alloc::collections::BTreeMap;

use super::keys::SessionNumber;
use crate::limits::UNRELIABLE_BURST_BYTES_MAX;

/// The bytes of unreliable messages to each session in one input.
#[derive(Debug, Default)]
pub(super) struct Unreliable(BTreeMap<SessionNumber, usize>);

impl Unreliable {
    /// Counts a message, if it fits.
    pub(super) fn takes(&mut self, receiver: SessionNumber, len: usize) -> bool {
        let sum = self.0.entry(receiver).or_default();
        let fits = *sum + len <= UNRELIABLE_BURST_BYTES_MAX;
        *sum += if fits { len } else { 0 };
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::number;

    #[test]
    fn each_session_has_its_own_bound() {
        let mut unreliable = Unreliable::default();
        assert!(unreliable.takes(number(1), UNRELIABLE_BURST_BYTES_MAX));
        assert!(!unreliable.takes(number(1), 1));
        assert!(unreliable.takes(number(2), UNRELIABLE_BURST_BYTES_MAX - 1));
        assert!(!unreliable.takes(number(2), 2));
        assert!(unreliable.takes(number(2), 1));
    }
}
