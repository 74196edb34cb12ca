//! Fences: all that this shard has sent before has arrived in the other shards of a cluster.
//!
//! What a user says next, over a session of another shard, must not overtake what it has said
//! here. A session that moves waits for a fence, and so does the release of a user. What the home
//! of a room has sent must not be lost with its node once it is called done. So the results of
//! broadcasts wait for a fence too. One fence is under way at a time, and all that come meanwhile
//! wait for the next one, in their order.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::io::{Entry, RequestOnWay, Response};
use super::keys::SessionNumber;
use super::placement::ShardId;
use super::shared::Shared;
#[cfg(test)]
use crate::kept::Kept;
use crate::{AppId, MessageId, RoomId, UserId};

/// What waits for a fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BehindFence {
    /// A session that leaves this shard.
    Session(SessionNumber),
    /// A user that this shard releases.
    Release(AppId, UserId),
    /// The result of a broadcast, which went to other nodes.
    Broadcast(SessionNumber, RoomId, MessageId),
    /// An answer to a session, which follows such results.
    Answer(SessionNumber, Entry),
    /// The response to a back end, of what concerns other nodes.
    Response(Box<(RequestOnWay, Response)>),
}

impl BehindFence {
    /// Whether this shard owes it as the home of a room.
    fn is_of_home(&self) -> bool {
        match self {
            Self::Session(_) | Self::Release(..) => false,
            Self::Broadcast(..) | Self::Answer(..) | Self::Response(_) => true,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Fences {
    /// The number of the latest fence.
    latest: u64,
    /// The shards that have not answered it.
    awaited: BTreeSet<ShardId>,
    /// What waits for it.
    waiting: Vec<BehindFence>,
    /// What waits for the next one.
    next: Vec<BehindFence>,
    /// What waits for one that begins after this burst.
    burst: Vec<BehindFence>,
}

impl Fences {
    /// This has to wait for a fence that begins later than now.
    pub(super) fn add(&mut self, waiting: BehindFence) {
        self.end_burst();
        self.next.push(waiting);
    }

    /// This has to wait for a fence that begins after this burst, whose broadcasts share it.
    pub(super) fn add_to_burst(&mut self, waiting: BehindFence) {
        self.burst.push(waiting);
    }

    /// Answers a session as the home of a room, behind results of broadcasts that wait.
    pub(super) fn answer(&mut self, shared: &mut Shared, session: SessionNumber, entry: Entry) {
        match self.hold_for_home() {
            true => self.add(BehindFence::Answer(session, entry)),
            false => shared.answer_session(session, entry),
        }
    }

    /// The burst is over. Whether something has waited for that.
    #[inline]
    pub(super) fn end_burst(&mut self) -> bool {
        let was_empty = self.burst.is_empty();
        self.next.append(&mut self.burst);
        !was_empty
    }

    /// Whether this shard owes something as the home of a room.
    pub(super) fn hold_for_home(&self) -> bool {
        let Self { latest: _, awaited: _, waiting, next, burst } = self;
        [waiting, next, burst].into_iter().flatten().any(BehindFence::is_of_home)
    }

    /// Begins the next fence, if one is needed and none is under way. Returns its number.
    pub(super) fn begin(&mut self, shards: impl Iterator<Item = ShardId>) -> Option<u64> {
        if !self.awaited.is_empty() || self.next.is_empty() {
            return None;
        }
        self.latest += 1;
        self.awaited = shards.collect();
        self.waiting.append(&mut self.next);
        Some(self.latest)
    }

    /// A shard has answered a fence.
    pub(super) fn answered(&mut self, shard: ShardId, fence: u64) {
        if fence == self.latest {
            self.awaited.remove(&shard);
        }
    }

    /// The node of this shard was removed. What was sent there does not matter any more.
    pub(super) fn removed(&mut self, shard: ShardId) {
        self.awaited.remove(&shard);
    }

    /// Whether a fence is over, or the next one has to begin.
    #[inline]
    pub(super) fn are_due(&self) -> bool {
        !(self.waiting.is_empty() && self.next.is_empty()) && self.awaited.is_empty()
    }

    /// All whose fence is over.
    pub(super) fn take_over(&mut self) -> Vec<BehindFence> {
        match self.awaited.is_empty() {
            true => core::mem::take(&mut self.waiting),
            false => Vec::new(),
        }
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { latest: _, awaited, waiting, next, burst } = self;
        alloc::vec![
            ("shards that a fence awaits", awaited.len()),
            ("behind fences", waiting.len() + next.len() + burst.len()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::{number, room_id};

    fn shards(numbers: &[usize]) -> Vec<ShardId> {
        numbers.iter().map(|number| ShardId::new(*number).expect("valid")).collect()
    }

    fn session(of: u64) -> BehindFence {
        BehindFence::Session(number(of))
    }

    fn begin(fences: &mut Fences, of: &[usize]) -> Option<u64> {
        fences.begin(shards(of).into_iter())
    }

    #[test]
    fn fence_is_over_when_all_shards_have_answered() {
        let (mut fences, all) = (Fences::default(), shards(&[1, 2]));
        fences.add(session(7));
        assert_eq!(begin(&mut fences, &[1, 2]), Some(1));
        fences.answered(all[0], 1);
        assert!(fences.take_over().is_empty());
        fences.answered(all[1], 1);
        assert_eq!(fences.take_over(), [session(7)]);
        assert!(fences.take_over().is_empty());
    }

    #[test]
    fn what_comes_later_waits_for_the_next_fence() {
        let (mut fences, all) = (Fences::default(), shards(&[1]));
        fences.add(session(7));
        assert_eq!(begin(&mut fences, &[1]), Some(1));
        fences.add(session(8));
        assert_eq!(begin(&mut fences, &[1]), None, "one is under way");
        fences.answered(all[0], 1);
        assert_eq!(fences.take_over(), [session(7)]);
        assert_eq!(begin(&mut fences, &[1]), Some(2));
        fences.answered(all[0], 1);
        assert!(fences.take_over().is_empty(), "it answers the former fence");
        fences.answered(all[0], 2);
        assert_eq!(fences.take_over(), [session(8)]);
    }

    #[test]
    fn broadcasts_of_a_burst_share_a_fence_that_begins_after_it() {
        let broadcast = |id| BehindFence::Broadcast(number(7), room_id("lobby"), MessageId(id));
        let (mut fences, all) = (Fences::default(), shards(&[1]));
        fences.add_to_burst(broadcast(1));
        fences.add_to_burst(broadcast(2));
        assert!(!fences.are_due() && fences.hold_for_home());
        assert!(fences.end_burst() && !fences.end_burst());
        assert!(fences.are_due());
        assert_eq!(begin(&mut fences, &[1]), Some(1));
        fences.answered(all[0], 1);
        assert_eq!(fences.take_over(), [broadcast(1), broadcast(2)]);
        assert!(!fences.hold_for_home());
    }

    #[test]
    fn nothing_overtakes_the_broadcasts_of_its_burst() {
        let broadcast = BehindFence::Broadcast(number(7), room_id("lobby"), MessageId(1));
        let mut fences = Fences::default();
        fences.add_to_burst(broadcast.clone());
        fences.add(session(7));
        assert_eq!(begin(&mut fences, &[]), Some(1));
        assert_eq!(fences.take_over(), [broadcast, session(7)]);
    }

    #[test]
    fn removed_node_is_not_awaited() {
        let (mut fences, all) = (Fences::default(), shards(&[1, 2]));
        fences.add(session(7));
        assert_eq!(begin(&mut fences, &[1, 2]), Some(1));
        fences.answered(all[0], 1);
        fences.removed(all[1]);
        assert_eq!(fences.take_over(), [session(7)]);
    }

    #[test]
    fn fence_of_a_shard_alone_is_over_at_once() {
        let mut fences = Fences::default();
        assert_eq!(begin(&mut fences, &[]), None, "nothing waits");
        fences.add(session(7));
        assert_eq!(begin(&mut fences, &[]), Some(1));
        assert_eq!(fences.take_over(), [session(7)]);
    }
}
