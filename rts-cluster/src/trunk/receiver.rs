//! The receiving half of a trunk.

use bytes::Bytes;
use rts_proto::Instant;

use crate::limits::{ACK_DELAY, ACK_ENTRIES_MAX, NACK_EVERY};
use crate::planted::planted;

#[derive(Debug, Default)]
pub(super) struct Receiver {
    /// The number of the next entry, which is the number of received ones.
    expected: u64,
    /// The last number that was acknowledged.
    acked: u64,
    /// The moment at which an acknowledgement no longer waits for a batch.
    ack_at: Option<Instant>,
    /// A later entry came than the expected one, or may have come.
    has_gap: bool,
    /// Before this moment, no other request to send again is made.
    no_nack_before: Instant,
}

impl Receiver {
    /// Takes the new ones of these entries.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        first: u64,
        mut entries: Vec<Bytes>,
    ) -> Vec<Bytes> {
        if planted!(TrunkTakesGap) && first > self.expected {
            self.expected = first;
        }
        let Some(known) = self.expected.checked_sub(first) else {
            self.has_gap = true;
            return Vec::new();
        };
        let known = usize::try_from(known).unwrap_or(usize::MAX).min(entries.len());
        let known = if planted!(TrunkTakesTwice) { 0 } else { known };
        entries.drain(..known);
        self.expected += entries.len() as u64;
        // A repeated entry shows that the acknowledgement may be lost.
        if known > 0 {
            self.ack_at = Some(now);
        }
        if !entries.is_empty() {
            self.has_gap = false;
            self.owe_ack(now);
        }
        entries
    }

    fn owe_ack(&mut self, now: Instant) {
        let at = match self.expected - self.acked < ACK_ENTRIES_MAX {
            true => now + ACK_DELAY,
            false => now,
        };
        self.ack_at = Some(self.ack_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Entries may have come and were not taken.
    pub(super) fn may_have_gap(&mut self) {
        self.has_gap = true;
    }

    /// The acknowledgement for a batch.
    pub(super) fn ack_goes_along(&mut self) -> u64 {
        self.ack_at = None;
        self.acked = self.expected;
        self.expected
    }

    /// The acknowledgement that is due alone.
    pub(super) fn take_ack(&mut self, now: Instant) -> Option<u64> {
        self.ack_at.filter(|at| *at <= now)?;
        Some(self.ack_goes_along())
    }

    /// The number of the entry from which on to send again, if that is to be requested now.
    pub(super) fn take_nack(&mut self, now: Instant) -> Option<u64> {
        if !self.has_gap || now < self.no_nack_before {
            return None;
        }
        self.has_gap = false;
        self.no_nack_before = now + NACK_EVERY;
        Some(self.ack_goes_along())
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let nack_at = self.has_gap.then_some(self.no_nack_before);
        [self.ack_at, nack_at].into_iter().flatten().min()
    }
}
