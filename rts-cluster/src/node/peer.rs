//! Another member, and the trunk to it.

use std::collections::VecDeque;

use bytes::Bytes;
use rts_proto::Instant;

use crate::limits::{ENTRY_OVERHEAD_BYTES, SUSPECT, TRUNK_ENTRIES_MAX};
use crate::trunk::{GivenBack, Packet, Trunk, TrunkError};

/// Another member, and the trunk to it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) shards: u8,
    trunk: Trunk,
    bytes_max: usize,
    /// Entries for which the trunk has no space. They must not be lost. Their bound is a time:
    /// shards that know of the congestion add few, and of two nodes of which one acknowledges
    /// nothing, one ends within [`STALLED_MAX`](crate::limits::STALLED_MAX).
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
    is_congested: bool,
    /// The last acknowledgement, or the moment from which on one could come.
    progress_at: Instant,
    /// When the node was last reported as stalled, if it is.
    reported_at: Option<Instant>,
}

impl Peer {
    /// The other node may have sent entries before this one had the view: it sends them again.
    pub(super) fn new(shards: u8, bytes_max: usize) -> Self {
        let mut trunk = Trunk::new(bytes_max);
        trunk.ask_again();
        Self {
            shards,
            trunk,
            bytes_max,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            is_congested: false,
            progress_at: Instant::ORIGIN,
            reported_at: None,
        }
    }

    pub(super) fn set_bytes_max(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
        self.trunk.set_bytes_max(bytes_max);
    }

    pub(super) fn push(&mut self, now: Instant, piece: Bytes) {
        if self.is_acknowledged() {
            self.progress_at = now;
        }
        if !self.waiting.is_empty() || self.trunk.push(now, piece.clone()).is_err() {
            self.waiting_bytes += piece.len() + ENTRY_OVERHEAD_BYTES;
            self.waiting.push_back(piece);
        }
    }

    /// Takes a packet of the trunk. Returns the new entries in their order.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        packet: Packet,
    ) -> Result<Vec<Bytes>, TrunkError> {
        let acknowledged = self.trunk.acknowledged_entries();
        let new = self.trunk.receive(now, packet)?;
        if self.trunk.acknowledged_entries() > acknowledged {
            self.progress_at = now;
        }
        while let Some(piece) = self.waiting.front()
            && self.trunk.push(now, piece.clone()).is_ok()
        {
            self.waiting_bytes -= piece.len() + ENTRY_OVERHEAD_BYTES;
            self.waiting.pop_front();
        }
        Ok(new)
    }

    pub(super) fn bus_is_up(&mut self, now: Instant) {
        self.progress_at = now;
        self.trunk.bus_is_up(now);
    }

    /// This node has a lease again.
    pub(super) fn thawed(&mut self, now: Instant) {
        self.progress_at = now;
        self.trunk.ask_again();
    }

    /// The moment at which the node counts as stalled, if it acknowledges nothing before.
    pub(super) fn stalls_at(&self) -> Option<Instant> {
        (!self.is_acknowledged()).then(|| self.reported_at.unwrap_or(self.progress_at) + SUSPECT)
    }

    /// Whether the node was reported as stalled, and is so no longer. True once.
    pub(super) fn has_moved(&mut self) -> bool {
        let has_moved = self.reported_at.is_some_and(|at| at <= self.progress_at);
        if has_moved {
            self.reported_at = None;
        }
        has_moved
    }

    /// Since when the node has acknowledged nothing, if that is to be reported now.
    pub(super) fn take_stall(&mut self, now: Instant) -> Option<Instant> {
        self.stalls_at().filter(|at| *at <= now)?;
        self.reported_at = Some(now);
        Some(self.progress_at)
    }

    pub(super) fn poll(&mut self, now: Instant) -> Option<Packet> {
        self.trunk.poll(now)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.trunk.deadline()
    }

    pub(super) fn is_acknowledged(&self) -> bool {
        self.trunk.is_acknowledged() && self.waiting.is_empty()
    }

    /// The entries that are not acknowledged, and their bytes.
    pub(super) fn unacknowledged(&self) -> (usize, usize) {
        let entries = self.trunk.unacknowledged() + self.waiting.len();
        (entries, self.trunk.bytes() + self.waiting_bytes)
    }

    pub(super) fn is_congested(&self) -> bool {
        self.is_congested
    }

    /// Whether it is congested, if that has changed: from half of a full trunk on, until a quarter
    /// is left.
    pub(super) fn congestion_change(&mut self) -> Option<bool> {
        let (entries, bytes) = self.unacknowledged();
        let share = if self.is_congested { 4 } else { 2 };
        let is_congested = bytes > self.bytes_max / share || entries > TRUNK_ENTRIES_MAX / share;
        let was_congested = std::mem::replace(&mut self.is_congested, is_congested);
        (is_congested != was_congested).then_some(is_congested)
    }

    /// The other node is gone.
    pub(super) fn close(self) -> GivenBack {
        let mut given_back = self.trunk.close();
        given_back.not_sent.extend(self.waiting);
        given_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_millis(1);

    /// A piece that counts as this number of bytes, filled with a letter.
    fn piece(letter: u8, bytes: usize) -> Bytes {
        vec![letter; bytes - ENTRY_OVERHEAD_BYTES].into()
    }

    /// A peer that takes 1,000 bytes, with these pieces.
    fn with_pieces(pieces: &[Bytes]) -> Peer {
        let mut peer = Peer::new(1, 1_000);
        pieces.iter().for_each(|piece| peer.push(NOW, piece.clone()));
        peer
    }

    /// The entries that are sent now.
    fn sent(peer: &mut Peer) -> Vec<Bytes> {
        let packets = std::iter::from_fn(|| peer.poll(NOW));
        let entries = packets.filter_map(|packet| match packet {
            Packet::Batch { entries, .. } => Some(entries),
            Packet::Ack { .. } | Packet::Nack { .. } => None,
        });
        entries.flatten().collect()
    }

    fn acknowledged(peer: &mut Peer, ack: u64) {
        peer.receive(NOW, Packet::Ack { ack }).expect("they were sent");
    }

    #[test]
    fn entries_beyond_a_full_trunk_wait_in_their_order() {
        let [a, b, c] = [piece(b'a', 600), piece(b'b', 600), piece(b'c', 100)];
        let mut peer = with_pieces(&[a.clone(), b.clone(), c.clone()]);
        assert_eq!(sent(&mut peer), [a]);
        acknowledged(&mut peer, 1);
        assert_eq!(sent(&mut peer), [b, c]);
        assert!(!peer.is_acknowledged());
        acknowledged(&mut peer, 3);
        assert!(peer.is_acknowledged());
    }

    #[test]
    fn entries_that_wait_are_given_back_as_not_sent() {
        let [a, b] = [piece(b'a', 600), piece(b'b', 600)];
        let mut peer = with_pieces(&[a.clone(), b.clone()]);
        assert!(!peer.is_acknowledged());
        sent(&mut peer);
        let given_back = peer.close();
        assert_eq!((given_back.unknown, given_back.not_sent), (vec![a], vec![b]));
    }

    #[test]
    fn node_that_acknowledges_nothing_is_reported_every_5500_ms() {
        let at = |millis| Instant::from_millis(millis);
        let mut peer = with_pieces(&[]);
        assert_eq!(peer.stalls_at(), None);
        peer.push(at(1_000), piece(b'a', 600));
        peer.push(at(2_000), piece(b'b', 600));
        assert_eq!(peer.stalls_at(), Some(at(6_500)));
        assert_eq!(peer.take_stall(at(6_499)), None);
        assert_eq!(peer.take_stall(at(6_500)), Some(at(1_000)));
        assert_eq!(peer.take_stall(at(11_999)), None);
        assert_eq!(peer.take_stall(at(12_000)), Some(at(1_000)));
        sent(&mut peer);
        assert!(!peer.has_moved());
        peer.receive(at(13_000), Packet::Ack { ack: 1 }).expect("it was sent");
        assert!(peer.has_moved() && !peer.has_moved());
        peer.receive(at(14_000), Packet::Ack { ack: 1 }).expect("it is no progress");
        assert_eq!(peer.stalls_at(), Some(at(18_500)), "the second one waits");
        peer.bus_is_up(at(15_000));
        assert_eq!(peer.stalls_at(), Some(at(20_500)));
        peer.thawed(at(16_000));
        assert_eq!(peer.stalls_at(), Some(at(21_500)));
        sent(&mut peer);
        peer.receive(at(17_000), Packet::Ack { ack: 2 }).expect("it was sent");
        assert_eq!(peer.stalls_at(), None);
    }

    #[test]
    fn congestion_begins_above_a_half_and_ends_at_a_quarter() {
        let mut peer = with_pieces(&[piece(b'a', 250), piece(b'b', 250)]);
        assert_eq!(peer.congestion_change(), None);
        peer.push(NOW, piece(b'c', 217));
        peer.push(NOW, piece(b'd', 33));
        assert_eq!((peer.congestion_change(), peer.congestion_change()), (Some(true), None));
        sent(&mut peer);
        acknowledged(&mut peer, 1);
        assert_eq!(peer.congestion_change(), None);
        acknowledged(&mut peer, 2);
        assert_eq!((peer.congestion_change(), peer.congestion_change()), (Some(false), None));
    }

    #[test]
    fn entries_that_wait_count_as_congestion() {
        let mut peer = with_pieces(&[piece(b'a', 400), piece(b'b', 700)]);
        assert_eq!(peer.congestion_change(), Some(true));
    }

    #[test]
    fn smaller_share_of_the_bus_is_full_earlier() {
        let mut peer = with_pieces(&[]);
        peer.set_bytes_max(100);
        let [a, b] = [piece(b'a', 60), piece(b'b', 60)];
        peer.push(NOW, a.clone());
        assert_eq!(peer.congestion_change(), Some(true));
        peer.push(NOW, b);
        assert_eq!(sent(&mut peer), [a]);
    }
}
