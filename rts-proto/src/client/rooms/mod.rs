//! Room handles, their memberships and their events.

mod phase;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

pub use phase::Membership;

use super::error::{BroadcastError, BusinessIdError, CreateRoomError, JoinError};
use super::event::{Event, JoinType, RoomEvent};
use super::shared::Shared;
#[cfg(test)]
use crate::kept::Kept;
use crate::limits::{ROOM_HANDLES_MAX, ROOMS_PER_USER_MAX};
use crate::planted::{Bug, planted};
use crate::{BusinessId, Instant, MessageId, RoomId, RoomKey, RoomState, UserId};
use phase::Phase;

/// Every room handle of an engine. At most one handle has a given room id.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    by_key: BTreeMap<RoomKey, Room>,
    by_id: BTreeMap<RoomId, RoomKey>,
    last_key: u64,
    /// The tag that joins carry.
    business_id: Option<BusinessId>,
}

#[derive(Debug)]
struct Room {
    id: RoomId,
    phase: Phase,
    last_message: MessageId,
}

/// The next step of a `joinRoom` that is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JoinStep {
    /// Send this join.
    Send(Join),
    /// Nothing: the join follows when the leave is answered.
    AfterLeave,
    /// Report that the join failed: the engine is in too many rooms.
    TooMany,
}

/// A join that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Join {
    pub(super) key: RoomKey,
    /// When the application asked for the join, or when the membership was lost.
    since: Instant,
    /// Whether the room was joined before the session was lost.
    again: bool,
}

impl Rooms {
    /// A new handle, which is in no room yet.
    pub(super) fn create(&mut self, id: RoomId) -> Result<RoomKey, CreateRoomError> {
        if self.by_id.contains_key(&id) {
            return Err(CreateRoomError::InUse);
        }
        if self.by_key.len() >= ROOM_HANDLES_MAX {
            return Err(CreateRoomError::TooMany);
        }
        self.last_key += 1;
        let key = RoomKey(self.last_key);
        self.by_id.insert(id.clone(), key);
        self.by_key.insert(key, Room { id, phase: Phase::Created, last_message: MessageId(0) });
        Ok(key)
    }

    pub(super) fn remove(&mut self, key: RoomKey) {
        if let Some(room) = self.by_key.remove(&key) {
            self.by_id.remove(&room.id);
        }
    }

    pub(super) fn clear(&mut self) {
        self.by_key.clear();
        self.by_id.clear();
    }

    pub(super) fn business_id(&self) -> Option<&BusinessId> {
        self.business_id.as_ref()
    }

    /// Changes the tag. Fails unless the engine is out of all rooms.
    pub(super) fn set_business_id(
        &mut self,
        id: Option<BusinessId>,
    ) -> Result<(), BusinessIdError> {
        if self.by_key.values().any(|room| room.phase != Phase::Created) {
            return Err(BusinessIdError::InRoom);
        }
        self.business_id = id;
        Ok(())
    }

    // State.

    pub(super) fn keys(&self) -> Vec<RoomKey> {
        self.by_key.keys().copied().collect()
    }

    pub(super) fn id(&self, key: RoomKey) -> Option<RoomId> {
        self.by_key.get(&key).map(|room| room.id.clone())
    }

    /// The handle with this id.
    pub(super) fn key(&self, id: &str) -> Option<RoomKey> {
        self.by_id.get(id).copied()
    }

    pub(super) fn membership(&self, key: RoomKey) -> Option<Membership> {
        self.phase(key).map(Membership::from)
    }

    /// The number of rooms that the engine is in or joins.
    fn entered(&self) -> usize {
        self.by_key.values().filter(|room| room.phase.is_entered()).count()
    }

    fn phase(&self, key: RoomKey) -> Option<Phase> {
        self.by_key.get(&key).map(|room| room.phase)
    }

    fn set_phase(&mut self, key: RoomKey, phase: Phase) {
        if let Some(room) = self.by_key.get_mut(&key) {
            room.phase = phase;
        }
    }

    // Broadcasts.

    /// The number of a handle's next broadcast; `None` when the handle does not exist.
    pub(super) fn next_message(
        &mut self,
        key: RoomKey,
    ) -> Option<Result<MessageId, BroadcastError>> {
        let room = self.by_key.get_mut(&key)?;
        let next = room.last_message.next().ok_or(BroadcastError::NoMoreIds);
        Some(next.inspect(|id| room.last_message = *id))
    }

    /// The room's id, if the handle may broadcast in it.
    pub(super) fn broadcast_room(&self, key: RoomKey) -> Option<RoomId> {
        let room = self.by_key.get(&key)?;
        room.phase.may_broadcast().then(|| room.id.clone())
    }

    pub(super) fn count_on_after(&mut self, last: MessageId) {
        for room in self.by_key.values_mut() {
            room.last_message = last;
        }
    }

    // Events.

    pub(super) fn emit(&self, key: RoomKey, event: RoomEvent, shared: &mut Shared) {
        if let Some(room) = self.by_key.get(&key) {
            shared.emit(Event::Room { key, room: room.id.clone(), event });
        }
    }

    /// Emits an event to the handle that is in the room. Earlier handles of the room, and one that
    /// is still joining, get nothing.
    pub(super) fn emit_to_member(&self, id: &RoomId, event: RoomEvent, shared: &mut Shared) {
        let Some(key) = self.by_id.get(id) else { return };
        if let Some(room) = self.by_key.get(key)
            && room.phase.is_receiving()
        {
            shared.emit(Event::Room { key: *key, room: room.id.clone(), event });
        }
    }

    /// §6.10: a notice that ends the membership, or only informs. `user` is the engine's user.
    pub(super) fn noticed(
        &mut self,
        id: &RoomId,
        state: RoomState,
        user: Option<UserId>,
        shared: &mut Shared,
    ) {
        let event = RoomEvent::StateChanged { uid: user, state };
        if state == RoomState::NoticesStop {
            // A handle that is leaving hears of joins and leaves until the answer.
            return self.emit_to_member(id, event, shared);
        }
        let Some(key) = self.by_id.get(id).copied() else { return };
        if self.phase(key) == Some(Phase::Joined) {
            self.set_phase(key, Phase::Created);
            self.emit(key, event, shared);
        }
    }

    // Joining.

    /// The application asks to join the room.
    pub(super) fn ask_join(&mut self, key: RoomKey, now: Instant) -> Result<JoinStep, JoinError> {
        let is_full = self.entered() >= ROOMS_PER_USER_MAX;
        let room = self.by_key.get_mut(&key).ok_or(JoinError::NoRoom)?;
        match &mut room.phase {
            Phase::Created | Phase::Leaving { then_join: None, .. } if is_full => {
                Ok(JoinStep::TooMany)
            }
            Phase::Created => Ok(JoinStep::Send(Join { key, since: now, again: false })),
            Phase::Leaving { then_join: then_join @ None, .. } => {
                *then_join = Some(now);
                Ok(JoinStep::AfterLeave)
            }
            Phase::Joining { .. } | Phase::Joined | Phase::Leaving { then_join: Some(_), .. } => {
                Err(JoinError::AlreadyJoined)
            }
        }
    }

    /// The Join was queued with this ticket, and only its answer counts from now on.
    pub(super) fn join_queued(&mut self, join: Join, ticket: u64) {
        let Join { key, since, again } = join;
        self.set_phase(key, Phase::Joining { ticket, since, again });
    }

    /// The Join could not be queued: the engine is not in the room.
    pub(super) fn join_not_queued(&mut self, join: Join) {
        self.set_phase(join.key, Phase::Created);
    }

    /// The ticket of the Join that waits for its answer.
    pub(super) fn join_ticket(&self, key: RoomKey) -> Option<u64> {
        match self.phase(key)? {
            Phase::Joining { ticket, .. } => Some(ticket),
            Phase::Created | Phase::Joined | Phase::Leaving { .. } => None,
        }
    }

    /// The joins that a new session has to send.
    pub(super) fn joins(&self) -> Vec<Join> {
        let joins = self.by_key.iter().filter_map(|(key, room)| match room.phase {
            Phase::Joining { since, again, .. } => Some(Join { key: *key, since, again }),
            Phase::Created | Phase::Joined | Phase::Leaving { .. } => None,
        });
        joins.collect()
    }

    /// Handles the answer to a join that is still wanted.
    pub(super) fn join_answered(
        &mut self,
        wanted: u64,
        state: RoomState,
        members: Vec<UserId>,
        user: &UserId,
        shared: &mut Shared,
    ) {
        let asked = self.by_key.iter_mut().find_map(|(key, room)| match room.phase {
            Phase::Joining { ticket, since, again } if ticket == wanted => {
                Some((*key, room, since, again))
            }
            _ => None,
        });
        let Some((key, room, since, again)) = asked else { return };
        let uid = user.clone();
        if state != RoomState::Joined {
            room.phase = Phase::Created;
            return self.emit(key, RoomEvent::StateChanged { uid: Some(uid), state }, shared);
        }
        room.phase = Phase::Joined;
        let elapsed = shared.now().since(since);
        let how = match again {
            true if planted(Bug::GapNotReported) => JoinType::Resumed,
            true => JoinType::Anew,
            false => JoinType::First,
        };
        self.emit(key, RoomEvent::Joined { uid, how, elapsed }, shared);
        for member in members {
            self.emit(key, RoomEvent::UserJoined(member), shared);
        }
    }

    // Leaving.

    /// The application asks to leave the room. True when a Leave is needed. A room that is being
    /// left is then not joined again.
    pub(super) fn ask_leave(&mut self, key: RoomKey) -> bool {
        let Some(room) = self.by_key.get_mut(&key) else { return false };
        match &mut room.phase {
            Phase::Created => false,
            Phase::Leaving { then_join, .. } => {
                *then_join = None;
                false
            }
            Phase::Joining { .. } | Phase::Joined => true,
        }
    }

    /// The Leave was queued with this ticket, and the application waits for its answer.
    pub(super) fn leave_queued(&mut self, key: RoomKey, ticket: u64) {
        let was_joined = self.phase(key) == Some(Phase::Joined);
        self.set_phase(key, Phase::Leaving { ticket, was_joined, then_join: None });
    }

    /// The handle that is being left with this ticket.
    pub(super) fn left_with(&self, wanted: u64) -> Option<RoomKey> {
        self.by_key.iter().find_map(|(key, room)| match room.phase {
            Phase::Leaving { ticket, .. } if ticket == wanted => Some(*key),
            _ => None,
        })
    }

    /// The handles that are being left.
    pub(super) fn leaving(&self) -> Vec<RoomKey> {
        let is_leaving = |room: &Room| matches!(room.phase, Phase::Leaving { .. });
        self.by_key.iter().filter(|(_, room)| is_leaving(room)).map(|(key, _)| *key).collect()
    }

    /// The room is left. Returns the join that the application asked for meanwhile.
    pub(super) fn finish_leave(&mut self, key: RoomKey, shared: &mut Shared) -> Option<Join> {
        let phase = self.phase(key)?;
        self.set_phase(key, Phase::Created);
        self.emit(key, RoomEvent::Left, shared);
        let Phase::Leaving { then_join, .. } = phase else { return None };
        then_join.map(|since| Join { key, since, again: false })
    }

    // The end of sessions and logins.

    /// The session is lost and the login continues: every entered room is to be joined again. No
    /// room is being left, because leaving ended with the link.
    pub(super) fn session_lost(&mut self, lost_at: Instant) {
        for room in self.by_key.values_mut() {
            let (since, again) = match room.phase {
                Phase::Joined => (lost_at, true),
                Phase::Joining { since, again, .. } => (since, again),
                Phase::Created | Phase::Leaving { .. } => continue,
            };
            room.phase = Phase::Joining { ticket: 0, since, again };
        }
    }

    /// The session was resumed after a reported break: each joined room reports this too.
    pub(super) fn confirm(&self, user: &UserId, lost_at: Instant, shared: &mut Shared) {
        let elapsed = shared.now().since(lost_at);
        for (key, room) in &self.by_key {
            if room.phase == Phase::Joined {
                let uid = user.clone();
                let event = RoomEvent::Joined { uid, how: JoinType::Resumed, elapsed };
                self.emit(*key, event, shared);
            }
        }
    }

    /// Ends all memberships, and reports the reason to rooms that were entered or were to be.
    pub(super) fn end_memberships(&mut self, user: &UserId, state: RoomState, shared: &mut Shared) {
        for (key, room) in &mut self.by_key {
            if matches!(room.phase, Phase::Joining { .. } | Phase::Joined) {
                let event = RoomEvent::StateChanged { uid: Some(user.clone()), state };
                shared.emit(Event::Room { key: *key, room: room.id.clone(), event });
            }
            room.phase = Phase::Created;
        }
    }

    /// Ends all memberships without an event.
    pub(super) fn forget_memberships(&mut self) {
        for room in self.by_key.values_mut() {
            room.phase = Phase::Created;
        }
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { by_key, by_id, last_key: _, business_id: _ } = self;
        let busy = by_key.values().filter(|room| room.phase != Phase::Created).count();
        alloc::vec![("handles", by_key.len()), ("rooms", by_id.len()), ("memberships", busy)]
    }
}
