//! The frames to and from one session: its window, its results, its acknowledgement.
//!
//! A session stores its flow and cannot use it. Only the [outbox](super) can, which puts broadcasts
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

/// The order of fields keeps together what every delivery and every acknowledgement reads.
#[repr(C)]
#[derive(Debug)]
pub(in crate::server) struct Flow {
    /// A frame's tag is the sender that waits for its acknowledgement.
    channel: Channel<Option<Origin>>,
    /// The rate of answered pings.
    pongs: SmallBucket,
    /// Whether a Pong goes out at the end of the burst.
    has_pong: bool,
    /// Whether the session is in the ready queue.
    is_ready: bool,
    /// Whether the session is in the list of late acknowledgements.
    has_late_ack: bool,
    /// The session missed a frame that it must get, and gets no more frames.
    has_lost: bool,
    /// Results for the next flush.
    outcomes: Vec<Outcome>,
}

impl Flow {
    pub(in crate::server) fn new(now: Instant) -> Self {
        Self {
            channel: Channel::new(),
            pongs: SmallBucket::new(now),
            has_pong: false,
            is_ready: false,
            has_late_ack: false,
            has_lost: false,
            outcomes: Vec::new(),
        }
    }

    /// The flow of a session that moved here, which goes on with these counts.
    pub(in crate::server) fn resumed(now: Instant, received: u64, acked: u64) -> Self {
        Self { channel: Channel::resumed(received, acked), ..Self::new(now) }
    }

    /// Frames that the client has acknowledged.
    pub(in crate::server) fn acked(&self) -> u64 {
        self.channel.acked()
    }

    /// Bytes that are kept until they are acknowledged, without the broadcasts that wait in the
    /// outbox. Decisions need the count of the outbox, which settles those first.
    pub(in crate::server) fn settled_bytes(&self) -> usize {
        self.channel.unacked_bytes()
    }

    /// Sequenced frames that were received.
    pub(in crate::server) fn received(&self) -> u64 {
        self.channel.received()
    }

    /// Counts bytes of the client, before the frames in them.
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

    /// Whether enough was received that the acknowledgement must not wait (§4.4).
    pub(super) fn owes_much(&self) -> bool {
        self.channel.owes_much()
    }

    pub(super) fn owes_ack(&self) -> bool {
        self.channel.owes_ack()
    }

    /// The number of frames that the client knows to have arrived.
    pub(super) fn last_ack(&self) -> u64 {
        self.channel.last_ack()
    }

    pub(super) fn take_ack(&mut self) -> Option<u64> {
        self.channel.take_ack()
    }

    pub(super) fn acknowledge(
        &mut self,
        received: u64,
        origins: &mut Vec<Origin>,
    ) -> Result<(), ProtocolError> {
        self.channel.acknowledge(received, |origin| origins.extend(origin))
    }

    /// Returns the number of frames that go out again.
    pub(super) fn resume(
        &mut self,
        received: u64,
        origins: &mut Vec<Origin>,
    ) -> Result<u32, ProtocolError> {
        self.channel.resume(received, |origin| origins.extend(origin))
    }

    /// Puts a sequenced frame into the window. False when it has no space.
    pub(super) fn push(&mut self, bytes: Bytes, origin: Option<Origin>) -> bool {
        self.push_run(bytes, 1, origin)
    }

    /// Like [`push`](Self::push), for consecutive frames as one piece.
    pub(in crate::server) fn push_run(
        &mut self,
        bytes: Bytes,
        frames: u32,
        origin: Option<Origin>,
    ) -> bool {
        let len = bytes.len();
        // After a gap, a later frame would be taken for the missing one.
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

    /// Puts the results into the window. False when it has no space for all.
    pub(super) fn push_outcomes(&mut self) -> bool {
        let outcomes = core::mem::take(&mut self.outcomes);
        results(&outcomes).all(|frame| self.push(frame, None))
    }

    /// Counts all of the window as transmitted, and returns the pieces that were not before.
    pub(super) fn transmit_all(&mut self) -> impl Iterator<Item = &Bytes> + Clone {
        self.channel.transmit_all()
    }

    /// Adds a Pong to the burst. False when it has one, or when the rate of pings is used up.
    pub(super) fn add_pong(&mut self, now: Instant) -> bool {
        let is_new = !self.has_pong && self.pongs.take(now, PONGS_PER_SECOND);
        self.has_pong |= is_new;
        is_new
    }

    /// The Pong of the burst goes out.
    pub(super) fn take_pong(&mut self) {
        self.has_pong = false;
    }

    /// Sets whether the session is in the ready queue. Returns whether it was.
    pub(super) fn set_ready(&mut self, is_ready: bool) -> bool {
        core::mem::replace(&mut self.is_ready, is_ready)
    }

    /// Sets whether the session is in the list of late acknowledgements. Returns whether it was.
    pub(super) fn set_late_ack(&mut self, has_late_ack: bool) -> bool {
        core::mem::replace(&mut self.has_late_ack, has_late_ack)
    }

    /// Whether the session missed a frame that it must get.
    pub(in crate::server) fn has_lost(&self) -> bool {
        self.has_lost
    }

    /// The session missed a frame that it must get. Returns whether that was known.
    pub(super) fn set_lost(&mut self) -> bool {
        core::mem::replace(&mut self.has_lost, true)
    }

    /// The senders of all unacknowledged messages.
    pub(in crate::server) fn origins(&self) -> impl Iterator<Item = Origin> {
        self.channel.unacked_tags().filter_map(|origin| *origin)
    }

    /// All unacknowledged frames in their order, each piece with the number of its frames, to go on
    /// elsewhere.
    pub(in crate::server) fn into_window(
        self,
    ) -> impl Iterator<Item = (Bytes, u32, Option<Origin>)> {
        self.channel.into_window()
    }

    /// The senders of all messages that were not acknowledged.
    pub(super) fn into_origins(self) -> impl Iterator<Item = Origin> {
        self.channel.into_unacked().filter_map(|(_, origin, _)| origin)
    }
}
