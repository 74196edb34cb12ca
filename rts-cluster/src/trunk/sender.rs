//! The sending half of a trunk.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use rts_proto::Instant;

use crate::limits::{
    BATCH_BYTES_MAX, ENTRY_OVERHEAD_BYTES, RESEND_AFTER, RESEND_AFTER_MAX, TRUNK_BYTES_MAX,
    TRUNK_ENTRIES_MAX,
};
use crate::planted::planted;

/// A trunk takes no more entries until the other end acknowledges some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many entries are not acknowledged")]
pub struct Full;

/// A packet that a correct node does not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrunkError {
    /// An acknowledgement of entries that were never sent.
    #[error("{ack} entries are acknowledged, and {sent} were sent")]
    NeverSent {
        /// The acknowledged entries.
        ack: u64,
        /// The sent ones.
        sent: u64,
    },
}

/// The entries of a closed trunk that the other end has not acknowledged, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenBack {
    /// Sent at least once: the other end may have handled them or not.
    pub unknown: Vec<Bytes>,
    /// Never sent: the other end has not handled them.
    pub not_sent: Vec<Bytes>,
}

#[derive(Debug)]
pub(super) struct Sender {
    /// Entries that are not acknowledged. The first one has the number `acked`.
    window: VecDeque<Bytes>,
    acked: u64,
    /// How many entries of the window were sent at least once.
    sent: usize,
    /// The entry of the window that is sent next.
    next: usize,
    bytes: usize,
    bytes_max: usize,
    /// The moment to send again.
    resend_at: Option<Instant>,
    /// The present time without progress after which it sends again.
    resend_after: Duration,
}

impl Sender {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            window: VecDeque::new(),
            acked: 0,
            sent: 0,
            next: 0,
            bytes: 0,
            bytes_max: bytes_max.min(TRUNK_BYTES_MAX),
            resend_at: None,
            resend_after: RESEND_AFTER,
        }
    }

    pub(super) fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max.min(TRUNK_BYTES_MAX);
    }

    pub(super) fn push(&mut self, now: Instant, entry: Bytes) -> Result<(), Full> {
        let bytes = self.bytes + cost(&entry);
        if self.window.len() == TRUNK_ENTRIES_MAX || bytes > self.bytes_max {
            return Err(Full);
        }
        self.bytes = bytes;
        self.window.push_back(entry);
        self.resend_at = self.resend_at.or(Some(now + self.resend_after));
        Ok(())
    }

    /// The other end has this number of entries.
    pub(super) fn acknowledged(&mut self, now: Instant, ack: u64) -> Result<(), TrunkError> {
        let sent = self.acked + self.sent as u64;
        if ack > sent {
            return Err(TrunkError::NeverSent { ack, sent });
        }
        // Packets overtake each other, so an acknowledgement may be old.
        let Some(newly) = ack.checked_sub(self.acked).filter(|newly| *newly > 0) else {
            return Ok(());
        };
        for entry in self.window.drain(..newly as usize) {
            self.bytes -= cost(&entry);
        }
        self.acked = ack;
        self.sent -= newly as usize;
        self.next = self.next.saturating_sub(newly as usize);
        self.resend_after = RESEND_AFTER;
        self.resend_at = (!self.window.is_empty()).then(|| now + RESEND_AFTER);
        Ok(())
    }

    /// Sends all that is not acknowledged again, from the first one on.
    pub(super) fn send_again(&mut self, now: Instant) {
        self.next = if planted!(TrunkSendsOnce) { self.next } else { 0 };
        self.resend_at = (!self.window.is_empty()).then(|| now + self.resend_after);
    }

    /// The next entries to send, and the number of the first one.
    pub(super) fn next_batch(&mut self, now: Instant) -> Option<(u64, Vec<Bytes>)> {
        if self.resend_at.is_some_and(|at| at <= now) {
            self.resend_after = (self.resend_after * 2).min(RESEND_AFTER_MAX);
            self.send_again(now);
        }
        let mut rest = self.window.iter().skip(self.next);
        let mut entries = vec![rest.next()?.clone()];
        let mut bytes = entries[0].len();
        for entry in rest {
            bytes += entry.len();
            if bytes > BATCH_BYTES_MAX {
                break;
            }
            entries.push(entry.clone());
        }
        let first = self.acked + self.next as u64;
        self.next += entries.len();
        self.sent = self.sent.max(self.next);
        Some((first, entries))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.resend_at
    }

    pub(super) fn is_empty(&self) -> bool {
        self.window.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.window.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn entries(&self) -> u64 {
        self.acked + self.window.len() as u64
    }

    pub(super) fn acknowledged_entries(&self) -> u64 {
        self.acked
    }

    pub(super) fn give_back(self) -> GivenBack {
        let mut unknown = Vec::from(self.window);
        let not_sent = unknown.split_off(self.sent);
        GivenBack { unknown, not_sent }
    }
}

fn cost(entry: &Bytes) -> usize {
    entry.len() + ENTRY_OVERHEAD_BYTES
}
