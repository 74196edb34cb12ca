//! The trunk between two nodes: it delivers the entries of each to the other exactly once and in
//! order, over a bus that loses, doubles and reorders packets.
//!
//! Both ends number their entries from 0. The sender keeps an entry until the receiver has
//! acknowledged it, and sends again from there when nothing moves. The receiver takes the entry
//! that it expects and no other one.

mod receiver;
mod sender;

use bytes::Bytes;
use rts_proto::Instant;

use receiver::Receiver;
use sender::Sender;
pub use sender::{Full, GivenBack, TrunkError};

/// What goes over the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// Entries, and an acknowledgement.
    Batch {
        /// The number of the first entry.
        first: u64,
        /// The number of entries that the sender of the batch has received.
        ack: u64,
        /// At least one, with at most [`BATCH_BYTES_MAX`](crate::limits::BATCH_BYTES_MAX) together
        /// unless it is a single one.
        entries: Vec<Bytes>,
    },
    /// An acknowledgement alone.
    Ack {
        /// The number of entries that its sender has received.
        ack: u64,
    },
    /// A request to send again: its sender saw a later entry.
    Nack {
        /// The number of entries that its sender has received.
        expected: u64,
    },
}

/// One end of a trunk.
///
/// A driver passes packets to [`receive`](Self::receive), and takes packets from
/// [`poll`](Self::poll) until there are none: after each call, and at [`deadline`](Self::deadline).
#[derive(Debug)]
pub struct Trunk {
    sender: Sender,
    receiver: Receiver,
}

impl Trunk {
    /// A trunk over which nothing was sent. It takes at most `bytes_max` bytes of entries at a
    /// time, and never more than [`TRUNK_BYTES_MAX`](crate::limits::TRUNK_BYTES_MAX).
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { sender: Sender::new(bytes_max), receiver: Receiver::default() }
    }

    /// Adds an entry for the other end.
    ///
    /// # Errors
    ///
    /// Too many entries are not acknowledged. Nothing has changed.
    pub fn push(&mut self, now: Instant, entry: Bytes) -> Result<(), Full> {
        self.sender.push(now, entry)
    }

    /// Takes a packet. Returns the new entries in their order.
    ///
    /// # Errors
    ///
    /// The packet is not one of a correct node. Nothing has changed.
    pub fn receive(&mut self, now: Instant, packet: Packet) -> Result<Vec<Bytes>, TrunkError> {
        match packet {
            Packet::Batch { first, ack, entries } => {
                self.sender.acknowledged(now, ack)?;
                Ok(self.receiver.receive(now, first, entries))
            }
            Packet::Ack { ack } => self.sender.acknowledged(now, ack).map(|()| Vec::new()),
            Packet::Nack { expected } => {
                self.sender.acknowledged(now, expected)?;
                self.sender.send_again(now);
                Ok(Vec::new())
            }
        }
    }

    /// The next packet to send.
    pub fn poll(&mut self, now: Instant) -> Option<Packet> {
        if let Some(expected) = self.receiver.take_nack(now) {
            return Some(Packet::Nack { expected });
        }
        if let Some((first, entries)) = self.sender.next_batch(now) {
            return Some(Packet::Batch { first, ack: self.receiver.ack_goes_along(), entries });
        }
        self.receiver.take_ack(now).map(|ack| Packet::Ack { ack })
    }

    /// The moment of the next [`poll`](Self::poll), unless something happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        [self.sender.deadline(), self.receiver.deadline()].into_iter().flatten().min()
    }

    /// The bus works again after it did not. What was sent meanwhile may be lost.
    pub fn bus_is_up(&mut self, now: Instant) {
        self.sender.send_again(now);
    }

    /// Asks the other end to send again: packets of it may have been dropped.
    pub fn ask_again(&mut self) {
        self.receiver.may_have_gap();
    }

    /// Whether the other end has acknowledged all entries.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.sender.is_empty()
    }

    /// The number of entries that were added so far. When
    /// [`acknowledged_entries`](Self::acknowledged_entries) has reached it, the other end has all.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.sender.entries()
    }

    /// The number of entries that the other end has acknowledged.
    #[must_use]
    pub fn acknowledged_entries(&self) -> u64 {
        self.sender.acknowledged_entries()
    }

    /// The number of entries that the other end has not acknowledged.
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.sender.len()
    }

    /// The bytes of these entries, with
    /// [`ENTRY_OVERHEAD_BYTES`](crate::limits::ENTRY_OVERHEAD_BYTES) for each.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.sender.bytes()
    }

    /// Changes the bytes of entries that it takes at a time. Entries that it has stay.
    pub fn set_bytes_max(&mut self, bytes_max: usize) {
        self.sender.set_bytes_max(bytes_max);
    }

    /// Ends the trunk: the other node is gone. Returns the entries that it has not acknowledged.
    #[must_use]
    pub fn close(self) -> GivenBack {
        self.sender.give_back()
    }
}

#[cfg(test)]
mod tests;
