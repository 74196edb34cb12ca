//! The part of a session that both sides share: counts, acknowledgements, and the window of frames
//! that may have to be sent again. `docs/protocol.md` section 4.
//!
//! A [`Channel`] belongs to a session, not to a link. It outlives links. A resume contains the
//! number of frames that the other side has.

use alloc::collections::VecDeque;

use bytes::{Buf as _, Bytes};

use crate::limits::{ACK_BYTES_MAX, ACK_FRAMES_MAX, SERVER_WINDOW_FRAMES_MAX};
use crate::planted::{Bug, planted};
use crate::{ProtocolError, wire};

/// The largest number of acknowledged frames. Above it, a whole window of frames still has numbers.
const NUMBERS_MAX: u64 = u64::MAX - 2 * SERVER_WINDOW_FRAMES_MAX as u64;

/// One side of a session. `T` is the tag that is returned when a frame is acknowledged.
#[derive(Debug)]
pub(crate) struct Channel<T> {
    window: VecDeque<Piece<T>>,
    /// Pieces at the front of the window that were transmitted on the session's newest link.
    transmitted: u32,
    /// Frames in the transmitted pieces.
    transmitted_frames: u32,
    /// Frames in the window.
    frames: u32,
    /// Bytes of all kinds that were received since the last acknowledgement.
    unacked_received_bytes: u32,
    /// Bytes in the window.
    bytes: u32,
    /// Sequenced frames that were received since the last `Ack` or resume.
    unacked_received_frames: u32,
    /// Acknowledged frames: the number of the window's first frame.
    acked: u64,
    /// Sequenced frames that were received.
    received: u64,
}

/// A frame, or several consecutive frames.
#[derive(Debug)]
struct Piece<T> {
    bytes: Bytes,
    frames: u32,
    tag: T,
}

impl<T> Channel<T> {
    pub(crate) fn new() -> Self {
        Self {
            window: VecDeque::new(),
            transmitted: 0,
            transmitted_frames: 0,
            frames: 0,
            unacked_received_bytes: 0,
            bytes: 0,
            unacked_received_frames: 0,
            acked: 0,
            received: 0,
        }
    }

    /// A channel that goes on with these counts, and with a window that the caller fills.
    pub(crate) fn resumed(received: u64, acked: u64) -> Self {
        Self { received, acked, ..Self::new() }
    }

    /// Acknowledged frames.
    pub(crate) fn acked(&self) -> u64 {
        self.acked
    }

    /// Adds a frame to the end of the window. The caller has checked [`has_room`](Self::has_room).
    pub(crate) fn push(&mut self, bytes: Bytes, tag: T) {
        self.push_run(bytes, 1, tag);
    }

    /// Adds consecutive frames as one piece with one tag. The tag is returned when all of them are
    /// acknowledged.
    pub(crate) fn push_run(&mut self, bytes: Bytes, frames: u32, tag: T) {
        self.bytes += small(bytes.len());
        self.frames += frames;
        self.window.push_back(Piece { bytes, frames, tag });
    }

    pub(crate) fn has_room(
        &self,
        frames: u32,
        bytes: usize,
        frames_max: usize,
        bytes_max: usize,
    ) -> bool {
        let fits = (self.frames + frames) as usize <= frames_max
            && self.unacked_bytes() + bytes <= bytes_max;
        fits && self.acked < NUMBERS_MAX || planted(Bug::WindowUnbounded)
    }

    /// The tag of the first piece that was not transmitted.
    pub(crate) fn peek(&self) -> Option<&T> {
        self.window.get(self.transmitted as usize).map(|piece| &piece.tag)
    }

    /// Counts the first untransmitted piece as transmitted and returns its bytes.
    pub(crate) fn transmit(&mut self) -> Option<Bytes> {
        let piece = self.window.get(self.transmitted as usize)?;
        self.transmitted += 1;
        self.transmitted_frames += piece.frames;
        Some(piece.bytes.clone())
    }

    /// Counts all pieces as transmitted and returns those that were not before.
    pub(crate) fn transmit_all(&mut self) -> impl Iterator<Item = &Bytes> + Clone {
        let pieces =
            u32::try_from(self.window.len()).expect("each has a frame, and those are counted");
        let first = core::mem::replace(&mut self.transmitted, pieces);
        self.transmitted_frames = self.frames;
        self.window.range(first as usize..).map(|piece| &piece.bytes)
    }

    /// Takes a frame back that was not transmitted. Transmitted frames keep their numbers.
    pub(crate) fn take_back(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Option<T> {
        let first = if planted(Bug::TakesBackWhatLeft) { 0 } else { self.transmitted as usize };
        let index = (first..self.window.len())
            .find(|index| self.window.get(*index).is_some_and(|piece| wanted(&piece.tag)))?;
        let piece = self.window.remove(index)?;
        self.bytes -= small(piece.bytes.len());
        self.frames -= piece.frames;
        Some(piece.tag)
    }

    /// §4.5: the other side has the first `received` frames. Passes on the tags of the newly
    /// acknowledged pieces, in order.
    pub(crate) fn acknowledge(
        &mut self,
        received: u64,
        acknowledged: impl FnMut(T),
    ) -> Result<(), ProtocolError> {
        self.check_ack(received)?;
        self.settle(received, acknowledged);
        Ok(())
    }

    /// §4.9: the session is resumed on a new link, and the other side has `received` frames. Later
    /// frames certainly did not arrive, and count as untransmitted again. Returns their number.
    pub(crate) fn resume(
        &mut self,
        received: u64,
        acknowledged: impl FnMut(T),
    ) -> Result<u32, ProtocolError> {
        self.check_ack(received)?;
        let one_more = planted(Bug::ResumeDropsOneMore) && received < self.sent();
        self.settle(received + u64::from(one_more), acknowledged);
        let untransmitted = self.transmitted_frames;
        if !planted(Bug::NoReplayAfterResume) {
            (self.transmitted, self.transmitted_frames) = (0, 0);
        }
        if planted(Bug::NoFifoAfterResume) && self.window.len() > 1 {
            self.window.swap(0, 1);
        }
        // The frames that opened the link contained the count.
        self.take_ack();
        Ok(untransmitted)
    }

    /// Transmitted frames: the number of the first untransmitted one.
    fn sent(&self) -> u64 {
        self.acked + u64::from(self.transmitted_frames)
    }

    /// Whether a frame was transmitted on the newest link and is not acknowledged.
    pub(crate) fn awaits_ack(&self) -> bool {
        self.transmitted > 0
    }

    fn check_ack(&self, received: u64) -> Result<(), ProtocolError> {
        let (acked, sent) = (self.acked, self.sent());
        match (acked..=sent).contains(&received) {
            true => Ok(()),
            false => Err(ProtocolError::BadAck { received, acked, sent }),
        }
    }

    /// Removes the transmitted frames up to this number.
    fn settle(&mut self, acked: u64, mut acknowledged: impl FnMut(T)) {
        let count = acked - core::mem::replace(&mut self.acked, acked);
        let mut count = u32::try_from(count).expect("not more than were transmitted");
        self.frames -= count;
        self.transmitted_frames -= count;
        while count > 0
            && let Some(first) = self.window.front_mut()
        {
            if first.frames > count {
                let bytes_len = wire::frames_len(&first.bytes, count);
                // The memory stays until the whole piece is acknowledged. A channel has at most one
                // such piece.
                first.bytes.advance(bytes_len);
                first.frames -= count;
                self.bytes -= small(bytes_len);
                return;
            }
            count -= first.frames;
            self.bytes -= small(first.bytes.len());
            self.transmitted -= 1;
            if let Some(piece) = self.window.pop_front() {
                acknowledged(piece.tag);
            }
        }
    }

    /// Counts bytes of the other side, before the frames in them.
    pub(crate) fn count_bytes(&mut self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.unacked_received_bytes = self.unacked_received_bytes.saturating_add(bytes);
    }

    /// Counts a sequenced frame of the other side.
    pub(crate) fn count_received(&mut self) {
        self.received += 1;
        self.unacked_received_frames = self.unacked_received_frames.saturating_add(1);
    }

    /// Sequenced frames that were received.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Sequenced frames that were received and not acknowledged.
    pub(crate) fn unacknowledged(&self) -> u64 {
        self.unacked_received_frames.into()
    }

    /// Whether received frames are not acknowledged.
    pub(crate) fn owes_ack(&self) -> bool {
        self.unacked_received_frames > 0
    }

    /// Whether enough was received that the acknowledgement must not wait (§4.4).
    pub(crate) fn owes_much(&self) -> bool {
        self.owes_ack()
            && (self.unacknowledged() >= ACK_FRAMES_MAX
                || self.unacked_received_bytes as usize >= ACK_BYTES_MAX)
    }

    /// The count of the last `Ack` or resume.
    pub(crate) fn last_ack(&self) -> u64 {
        self.received - u64::from(self.unacked_received_frames)
    }

    /// The count for an `Ack`, if one is owed. Then it is no longer owed.
    pub(crate) fn take_ack(&mut self) -> Option<u64> {
        if !self.owes_ack() {
            return None;
        }
        (self.unacked_received_frames, self.unacked_received_bytes) = (0, 0);
        Some(self.received)
    }

    /// Bytes of frames that are not acknowledged.
    pub(crate) fn unacked_bytes(&self) -> usize {
        self.bytes as usize
    }

    /// The tags of all unacknowledged pieces, in order.
    pub(crate) fn unacked_tags(&self) -> impl Iterator<Item = &T> {
        self.window.iter().map(|piece| &piece.tag)
    }

    /// Ends the channel, to go on elsewhere. Returns every unacknowledged piece with its number of
    /// frames, in order.
    pub(crate) fn into_window(self) -> impl Iterator<Item = (Bytes, u32, T)> {
        self.window.into_iter().map(|piece| (piece.bytes, piece.frames, piece.tag))
    }

    /// Ends the channel. Returns every unacknowledged piece, in order, and whether it may have
    /// left.
    pub(crate) fn into_unacked(self) -> impl Iterator<Item = (Bytes, T, bool)> {
        let transmitted = if planted(Bug::ForgetsWhatLeft) { 0 } else { self.transmitted as usize };
        self.window
            .into_iter()
            .enumerate()
            .map(move |(index, piece)| (piece.bytes, piece.tag, index < transmitted))
    }
}

/// A length in a window, which has a much lower bound.
fn small(bytes_len: usize) -> u32 {
    u32::try_from(bytes_len).expect("a window is not that long")
}

#[cfg(test)]
mod tests;
