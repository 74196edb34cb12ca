//! What one session has to send and has received: its window, its results, its acknowledgement.
//!
//! A session keeps its flow and cannot touch it. Only the [outbox](super) can, which puts broadcasts
//! into a window before anything else.

use alloc::vec::Vec;

use bytes::Bytes;

use super::results::results;
use crate::limits::{
    CLIENT_WINDOW_FRAMES_MAX, PONGS_PER_SECOND, SERVER_WINDOW_FRAMES_MAX, WINDOW_BYTES_MAX,
};
use crate::link::Channel;
use crate::rate::SmallBucket;
use crate::server::keys::{Origin, Outcome};
use crate::{Instant, ProtocolError};

/// In this order, so that what every delivery and every acknowledgement needs lies together.
#[repr(C)]
#[derive(Debug)]
pub(in crate::server) struct Flow {
    /// A frame's tag is who waits for its acknowledgement.
    channel: Channel<Option<Origin>>,
    /// Pings that may be answered.
    pongs: SmallBucket,
    /// Whether it is in the ready queue.
    is_ready: bool,
    /// Whether it is among those that are looked at for a late acknowledgement.
    has_late_ack: bool,
    /// It did not get something that it must, and gets nothing more.
    has_lost: bool,
    /// Results that go out with the next flush.
    outcomes: Vec<Outcome>,
}

impl Flow {
    pub(in crate::server) fn new(now: Instant) -> Self {
        Self {
            channel: Channel::new(),
            pongs: SmallBucket::new(now),
            is_ready: false,
            has_late_ack: false,
            has_lost: false,
            outcomes: Vec::new(),
        }
    }

    /// Bytes that are kept until they are acknowledged, without those of broadcasts that are not
    /// in the window yet: for figures, not for decisions.
    pub(in crate::server) fn unacked_bytes(&self) -> usize {
        self.channel.unacked_bytes()
    }

    /// Sequenced frames received.
    pub(in crate::server) fn received(&self) -> u64 {
        self.channel.received()
    }

    /// Counts bytes of the client, before the frames that are in them.
    pub(in crate::server) fn count_bytes(&mut self, bytes_len: usize) {
        self.channel.count_bytes(bytes_len);
    }

    /// Counts a sequenced frame of the client.
    pub(super) fn count_frame(&mut self) -> Result<(), ProtocolError> {
        self.channel.count_received();
        if self.channel.unacknowledged() > CLIENT_WINDOW_FRAMES_MAX as u64 {
            return Err(ProtocolError::WindowExceeded);
        }
        Ok(())
    }

    /// Whether so much has come that its acknowledgement must not wait (§4.4).
    pub(super) fn owes_much(&self) -> bool {
        self.channel.owes_much()
    }

    pub(super) fn owes_ack(&self) -> bool {
        self.channel.owes_ack()
    }

    /// How many frames the client knows to have arrived.
    pub(super) fn told(&self) -> u64 {
        self.channel.told()
    }

    pub(super) fn take_ack(&mut self) -> Option<u64> {
        self.channel.take_ack()
    }

    pub(super) fn acknowledge(
        &mut self,
        received: u64,
        told: &mut Vec<Origin>,
    ) -> Result<(), ProtocolError> {
        self.channel.acknowledge(received, |origin| told.extend(origin))
    }

    /// How many frames go out again.
    pub(super) fn resume(
        &mut self,
        received: u64,
        told: &mut Vec<Origin>,
    ) -> Result<u32, ProtocolError> {
        self.channel.resume(received, |origin| told.extend(origin))
    }

    /// Puts a sequenced frame into the window; false when it has no room.
    pub(super) fn push(&mut self, bytes: Bytes, origin: Option<Origin>) -> bool {
        self.push_run(bytes, 1, origin)
    }

    /// The same for some frames that lie one behind the other.
    pub(super) fn push_run(&mut self, bytes: Bytes, frames: u32, origin: Option<Origin>) -> bool {
        let len = bytes.len();
        // What comes after a gap would be taken for what comes next.
        let has_room = !self.has_lost
            && self.channel.has_room(frames, len, SERVER_WINDOW_FRAMES_MAX, WINDOW_BYTES_MAX);
        if has_room {
            self.channel.push_run(bytes, frames, origin);
        }
        has_room
    }

    pub(super) fn add_outcome(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
    }

    /// Puts the results into the window; false when there is no room for all.
    pub(super) fn push_outcomes(&mut self) -> bool {
        let outcomes = core::mem::take(&mut self.outcomes);
        results(&outcomes).all(|frame| self.push(frame, None))
    }

    /// Counts all of the window as transmitted and gives what was not before.
    pub(super) fn transmit_all(&mut self) -> impl Iterator<Item = &Bytes> + Clone {
        self.channel.transmit_all()
    }

    /// Whether one more ping may be answered.
    pub(super) fn take_pong(&mut self, now: Instant) -> bool {
        self.pongs.take(now, PONGS_PER_SECOND)
    }

    /// Marks it as in the ready queue, or not; whether it was.
    pub(super) fn set_ready(&mut self, is_ready: bool) -> bool {
        core::mem::replace(&mut self.is_ready, is_ready)
    }

    /// Marks it as looked at for a late acknowledgement, or not; whether it was.
    pub(super) fn set_late_ack(&mut self, has_late_ack: bool) -> bool {
        core::mem::replace(&mut self.has_late_ack, has_late_ack)
    }

    /// It did not get something that it must; whether that is known already.
    pub(super) fn set_lost(&mut self) -> bool {
        core::mem::replace(&mut self.has_lost, true)
    }

    /// The senders of all that is not acknowledged.
    pub(in crate::server) fn origins(&self) -> impl Iterator<Item = Origin> {
        self.channel.unacked_tags().filter_map(|origin| *origin)
    }

    /// The senders of all that was not acknowledged.
    pub(super) fn into_origins(self) -> impl Iterator<Item = Origin> {
        self.channel.into_unacked().filter_map(|(_, origin, _)| origin)
    }
}
