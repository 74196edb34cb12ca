//! The rooms of a session, as its own shard knows them. The shard of a room decides. Its answers
//! come in the order of the questions, and may be under way.

use alloc::collections::BTreeMap;

use crate::RoomId;
use crate::limits::REPEATED_LEAVES_MAX;
use crate::planted::{Bug, planted};

#[derive(Debug, Default)]
pub(super) struct SessionRooms {
    by_id: BTreeMap<RoomId, Known>,
}

/// What the shard of a session knows of it and a room. Forgotten when it is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    is_member: bool,
    /// Joins asked after the latest leave, without an answer.
    joins: u32,
    /// Joins asked before the latest leave, without an answer. Their answers do not matter.
    former_joins: u32,
    /// Leaves without an answer.
    leaves: u32,
    /// Broadcasts without a result.
    broadcasts: u32,
}

impl Known {
    /// The session is a member, unless an answer that is under way says otherwise.
    fn is_in(self) -> bool {
        self.is_member || self.joins > 0
    }

    /// §6.4: the answer to one more leave waits for the results of broadcasts. Joins have a rate.
    /// Without a bound of their own, leaves of no effect could fill the memory of a slow shard.
    fn leave_waits(self) -> bool {
        self.broadcasts > 0 && self.leaves < REPEATED_LEAVES_MAX
    }

    /// An answer to a join or a leave is under way.
    fn is_asked(self) -> bool {
        self.joins > 0 || self.former_joins > 0 || self.leaves > 0
    }

    /// The answer to the oldest join has come. Returns whether it still matters.
    fn join_answered(&mut self) -> bool {
        if self.former_joins > 0 {
            self.former_joins -= 1;
            return false;
        }
        self.joins = self.joins.saturating_sub(1);
        true
    }
}

impl SessionRooms {
    /// Whether the session is in the room, or will be if its join succeeds.
    pub(super) fn is_in(&self, room: &RoomId) -> bool {
        self.by_id.get(room).is_some_and(|known| known.is_in())
    }

    /// Whether the session is a member, and no answer to a join or a leave is under way.
    pub(super) fn is_settled_in(&self, room: &RoomId) -> bool {
        self.by_id.get(room).is_some_and(|known| known.is_member && !known.is_asked())
    }

    /// Whether the session is a member of the room, or an answer to a join or a leave is under way.
    pub(super) fn contains(&self, room: &RoomId) -> bool {
        self.by_id.get(room).is_some_and(|known| known.is_member || known.is_asked())
    }

    /// At least the number of rooms that it is in, or that have yet to answer a join or a leave.
    /// Quick to count.
    pub(super) fn known(&self) -> usize {
        self.by_id.len()
    }

    /// The number of rooms that the session is in, or will be if its joins succeed.
    pub(super) fn len(&self) -> usize {
        self.by_id.values().filter(|known| known.is_in()).count()
    }

    /// The number of rooms that the session has asked to leave, and whose shards have not answered.
    pub(super) fn leaving(&self) -> usize {
        self.by_id.values().filter(|known| !known.is_in() && known.is_asked()).count()
    }

    /// The session is a member of a room of its own shard.
    pub(super) fn enter(&mut self, room: RoomId) {
        self.by_id.entry(room).or_default().is_member = true;
    }

    /// The session asked another shard to join.
    pub(super) fn join_asked(&mut self, room: RoomId) {
        self.by_id.entry(room).or_default().joins += 1;
    }

    /// The other shard made the session a member.
    pub(super) fn joined(&mut self, room: &RoomId) {
        self.change(room, |known| {
            if known.join_answered() {
                known.is_member = true;
            }
        });
    }

    /// A shard refused a join. It would not refuse a member. Only another shard's room is known
    /// here, because only its answer takes time.
    pub(super) fn join_refused(&mut self, room: &RoomId) {
        self.change(room, |known| {
            if known.join_answered() {
                known.is_member = false;
            }
        });
    }

    /// The session has left a room of its own shard. Whether the answer waits for results of its
    /// broadcasts.
    pub(super) fn leave_waits(&mut self, room: &RoomId) -> bool {
        let mut waits = false;
        self.change(room, |known| {
            waits = known.leave_waits();
            known.leaves += u32::from(waits);
        });
        waits
    }

    /// The session asks another shard to leave. False when nothing needs to be asked: it is in the
    /// room no more, and all its broadcasts have results.
    pub(super) fn leave_asked(&mut self, room: &RoomId) -> bool {
        let mut asks = false;
        self.change(room, |known| {
            asks = known.is_in() || known.leave_waits();
            known.is_member = false;
            known.former_joins += core::mem::take(&mut known.joins);
            known.leaves += u32::from(asks);
        });
        asks
    }

    /// The session sent a broadcast to another shard, or one that goes to other nodes.
    pub(super) fn broadcast_asked(&mut self, room: &RoomId) {
        self.change(room, |known| known.broadcasts = known.broadcasts.saturating_add(1));
    }

    /// A broadcast has its result.
    pub(super) fn broadcast_answered(&mut self, room: &RoomId) {
        self.change(room, |known| known.broadcasts = known.broadcasts.saturating_sub(1));
    }

    /// The other shard has done what the oldest leave asked.
    pub(super) fn left(&mut self, room: &RoomId) {
        self.change(room, |known| known.leaves = known.leaves.saturating_sub(1));
    }

    /// The session is not a member any more. Returns whether it was one.
    pub(super) fn remove(&mut self, room: &RoomId) -> bool {
        let mut was_member = false;
        self.change(room, |known| was_member = core::mem::take(&mut known.is_member));
        was_member
    }

    /// The rooms that do not know yet that the session ends.
    pub(super) fn into_rooms(self) -> impl Iterator<Item = RoomId> {
        let is_to_know = |known: &Known| match planted(Bug::JoiningForgotten) {
            true => known.is_member,
            false => known.is_in(),
        };
        self.by_id.into_iter().filter(move |(_, known)| is_to_know(known)).map(|(room, _)| room)
    }

    /// All rooms of which the session is a member, or that have yet to answer.
    pub(super) fn all(&self) -> impl Iterator<Item = &RoomId> {
        self.by_id.keys()
    }

    /// The rooms of which the session is a member.
    pub(super) fn joined_rooms(&self) -> impl Iterator<Item = &RoomId> {
        self.by_id.iter().filter(|(_, known)| known.is_member).map(|(room, _)| room)
    }

    /// The answers of the homes of some rooms are lost. Returns whether the session waits for the
    /// answer to a join or a leave.
    pub(super) fn forget_lost_answers(&mut self, is_lost: impl Fn(&RoomId) -> bool) -> bool {
        let mut waits = false;
        self.by_id.retain(|room, known| {
            if is_lost(room) {
                waits |= known.is_asked();
                known.broadcasts = 0;
            }
            *known != Known::default()
        });
        waits
    }

    fn change(&mut self, room: &RoomId, change: impl FnOnce(&mut Known)) {
        if let Some(known) = self.by_id.get_mut(room) {
            change(known);
            if *known == Known::default() {
                self.by_id.remove(room);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::server::testing::room_id;

    fn lobby() -> RoomId {
        room_id("lobby")
    }

    fn notified_of_the_end(rooms: SessionRooms) -> Vec<RoomId> {
        rooms.into_rooms().collect()
    }

    #[test]
    fn member_of_an_own_room_is_in_until_it_leaves() {
        let mut rooms = SessionRooms::default();
        assert!(!rooms.remove(&lobby()));
        rooms.enter(lobby());
        assert!(rooms.is_in(&lobby()) && rooms.is_settled_in(&lobby()));
        assert!(rooms.remove(&lobby()));
        assert!(!rooms.is_in(&lobby()) && !rooms.contains(&lobby()));
    }

    #[test]
    fn join_counts_from_the_question_on() {
        let mut rooms = SessionRooms::default();
        rooms.join_asked(lobby());
        assert!(rooms.is_in(&lobby()) && !rooms.is_settled_in(&lobby()) && rooms.len() == 1);
        rooms.joined(&lobby());
        assert!(rooms.is_settled_in(&lobby()));
        assert_eq!(notified_of_the_end(rooms), [lobby()]);
    }

    #[test]
    fn refused_join_leaves_nothing() {
        let mut rooms = SessionRooms::default();
        rooms.join_asked(lobby());
        rooms.join_refused(&lobby());
        assert!(!rooms.contains(&lobby()));
    }

    #[test]
    fn second_join_outlasts_the_refusal_of_the_first() {
        let mut rooms = SessionRooms::default();
        rooms.join_asked(lobby());
        rooms.join_asked(lobby());
        rooms.join_refused(&lobby());
        assert!(rooms.is_in(&lobby()) && !rooms.is_settled_in(&lobby()));
        rooms.joined(&lobby());
        assert!(rooms.is_settled_in(&lobby()));
    }

    #[test]
    fn answer_to_a_join_before_a_leave_does_not_matter() {
        let mut rooms = SessionRooms::default();
        rooms.join_asked(lobby());
        assert!(rooms.leave_asked(&lobby()));
        rooms.joined(&lobby());
        assert!(!rooms.is_in(&lobby()) && rooms.contains(&lobby()));
        rooms.left(&lobby());
        assert!(!rooms.contains(&lobby()));
    }

    #[test]
    fn join_behind_a_leave_is_answered_after_it() {
        let mut rooms = SessionRooms::default();
        rooms.join_asked(lobby());
        assert!(rooms.leave_asked(&lobby()));
        rooms.join_asked(lobby());
        rooms.joined(&lobby());
        rooms.left(&lobby());
        assert!(rooms.is_in(&lobby()) && !rooms.is_settled_in(&lobby()));
        rooms.join_refused(&lobby());
        assert!(!rooms.contains(&lobby()));
    }

    #[test]
    fn room_that_is_being_left_is_not_notified_of_the_end() {
        let mut rooms = SessionRooms::default();
        rooms.join_asked(lobby());
        rooms.joined(&lobby());
        assert!(rooms.leave_asked(&lobby()));
        assert_eq!((rooms.len(), rooms.leaving()), (0, 1));
        assert!(!rooms.leave_asked(&lobby()), "it asked before");
        assert!(notified_of_the_end(rooms).is_empty());
    }

    #[test]
    fn room_that_was_never_joined_is_not_asked() {
        let mut rooms = SessionRooms::default();
        assert!(!rooms.leave_asked(&lobby()));
        assert!(!rooms.contains(&lobby()));
    }

    #[test]
    fn leave_asks_while_a_broadcast_has_no_result() {
        let mut rooms = SessionRooms::default();
        rooms.join_asked(lobby());
        rooms.joined(&lobby());
        rooms.broadcast_asked(&lobby());
        assert!(rooms.is_settled_in(&lobby()), "a broadcast changes no membership");
        assert!(rooms.remove(&lobby()));
        assert!(!rooms.contains(&lobby()) && (rooms.len(), rooms.leaving()) == (0, 0));
        assert!(rooms.leave_asked(&lobby()));
        assert_eq!((rooms.contains(&lobby()), rooms.leaving()), (true, 1));
        rooms.broadcast_answered(&lobby());
        assert!(!rooms.leave_asked(&lobby()));
        rooms.left(&lobby());
        assert_eq!((rooms.known(), rooms.leaving()), (0, 0));
    }

    #[test]
    fn repeated_leaves_that_ask_have_a_bound() {
        let mut rooms = SessionRooms::default();
        rooms.join_asked(lobby());
        rooms.broadcast_asked(&lobby());
        for _ in 0..REPEATED_LEAVES_MAX {
            assert!(rooms.leave_asked(&lobby()));
        }
        assert!(!rooms.leave_asked(&lobby()));
        rooms.join_asked(lobby());
        assert!(rooms.leave_asked(&lobby()), "the rate of joins bounds it");
    }

    #[test]
    fn removal_by_force_may_cross_a_join() {
        let mut rooms = SessionRooms::default();
        rooms.join_asked(lobby());
        rooms.joined(&lobby());
        rooms.join_asked(lobby());
        assert!(rooms.remove(&lobby()));
        assert!(rooms.is_in(&lobby()), "the second join is under way");
        rooms.join_refused(&lobby());
        assert!(!rooms.contains(&lobby()));
    }
}
