//! Rooms: handles and membership.

use alloc::collections::BTreeMap;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use super::connection::Link;
use super::login::Login;
use super::session::Tag;
use super::{BroadcastError, Client, CreateRoomError, Event, JoinError, JoinType, RoomEvent};
use crate::limits::{CLIENT_WINDOW_JOINS_MAX, ROOMS_PER_USER_MAX, WINDOW_BYTES_MAX};
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{Instant, LeaveReason, MessageId, Payload, RoomId, RoomKey, RoomState, UserId};

/// Every room handle of an engine. At most one has a given room id.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    by_key: BTreeMap<RoomKey, Room>,
    by_id: BTreeMap<RoomId, RoomKey>,
    last_key: u64,
}

#[derive(Debug)]
struct Room {
    id: RoomId,
    phase: Phase,
    last_message: MessageId,
}

/// ```text
///          join            answer 0            leave
/// Created ------> Joining ----------> Joined --------> Leaving
///    ^               |                  |                 |
///    +---------------+------------------+-----------------+  refused, forced out, left
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Created,
    /// `ticket` is of the newest Join frame. `again` when the room was joined before the session
    /// was lost.
    Joining {
        ticket: u64,
        since: Instant,
        again: bool,
    },
    Joined,
    /// `was_joined` is false when the join was not answered yet. `then_join` is set when `join` was
    /// called meanwhile.
    Leaving {
        ticket: u64,
        was_joined: bool,
        then_join: Option<Instant>,
    },
}

impl Rooms {
    pub(super) fn any_entered(&self) -> bool {
        self.by_key.values().any(|room| room.phase != Phase::Created)
    }

    /// Back to created, without a word.
    pub(super) fn forget_memberships(&mut self) {
        for room in self.by_key.values_mut() {
            room.phase = Phase::Created;
        }
    }

    pub(super) fn clear(&mut self) {
        self.by_key.clear();
        self.by_id.clear();
    }

    pub(super) fn count_on_after(&mut self, last: MessageId) {
        for room in self.by_key.values_mut() {
            room.last_message = last;
        }
    }

    /// The number of a handle's next broadcast; nothing when there is no such handle.
    pub(super) fn next_message(
        &mut self,
        key: RoomKey,
    ) -> Option<Result<MessageId, BroadcastError>> {
        let room = self.by_key.get_mut(&key)?;
        let next = room.last_message.next().ok_or(BroadcastError::NoMoreIds);
        Some(next.inspect(|id| room.last_message = *id))
    }

    /// The room's id, if its handle may speak in it: also while it is joined again.
    pub(super) fn spoken_in(&self, key: RoomKey) -> Option<RoomId> {
        let room = self.by_key.get(&key)?;
        let is_in = matches!(room.phase, Phase::Joined | Phase::Joining { again: true, .. });
        is_in.then(|| room.id.clone())
    }

    fn keys(&self) -> Vec<RoomKey> {
        self.by_key.keys().copied().collect()
    }

    fn find(&mut self, id: &RoomId) -> Option<(RoomKey, &mut Room)> {
        let key = *self.by_id.get(id)?;
        self.by_key.get_mut(&key).map(|room| (key, room))
    }

    fn set_phase(&mut self, key: RoomKey, phase: Phase) {
        if let Some(room) = self.by_key.get_mut(&key) {
            room.phase = phase;
        }
    }

    fn phase(&self, key: RoomKey) -> Option<Phase> {
        self.by_key.get(&key).map(|room| room.phase)
    }

    fn remove(&mut self, key: RoomKey) {
        if let Some(room) = self.by_key.remove(&key) {
            self.by_id.remove(&room.id);
        }
    }
}

impl Client {
    /// `createRoom`: a handle, known to this engine only. A refusal is also called back as
    /// [`Event::CreateRoomFailed`].
    pub fn create_room(&mut self, now: Instant, room_id: &str) -> Result<RoomKey, CreateRoomError> {
        self.advance(now);
        if self.destroyed {
            return Err(CreateRoomError::NoEngine);
        }
        let refused = match RoomId::new(room_id) {
            Err(_) => CreateRoomError::BadRoom,
            Ok(id) if self.rooms.by_id.contains_key(&id) => CreateRoomError::InUse,
            Ok(_) if self.rooms.by_key.len() >= ROOMS_PER_USER_MAX => CreateRoomError::BadRoom,
            Ok(id) => {
                self.rooms.last_key += 1;
                let key = RoomKey(self.rooms.last_key);
                let room =
                    Room { id: id.clone(), phase: Phase::Created, last_message: MessageId(0) };
                self.rooms.by_key.insert(key, room);
                self.rooms.by_id.insert(id, key);
                return Ok(key);
            }
        };
        self.emit(Event::CreateRoomFailed { room: room_id.to_string(), error: refused });
        Err(refused)
    }

    /// `joinRoom`: [`RoomEvent::Joined`] follows, or [`RoomEvent::StateChanged`] with the reason.
    pub fn join_room(&mut self, now: Instant, key: RoomKey) -> Result<(), JoinError> {
        let now = self.advance(now);
        match self.rooms.phase(key).ok_or(JoinError::NoRoom)? {
            Phase::Created => {}
            Phase::Joining { .. } | Phase::Joined | Phase::Leaving { then_join: Some(_), .. } => {
                return Err(JoinError::AlreadyJoined);
            }
            Phase::Leaving { ticket, was_joined, then_join: None } => {
                let phase = Phase::Leaving { ticket, was_joined, then_join: Some(now) };
                self.rooms.set_phase(key, phase);
                return Ok(());
            }
        }
        self.start_join(now, key, now, false);
        Ok(())
    }

    /// `leaveRoom`: [`RoomEvent::Left`] follows when really out. Does nothing when not joined.
    pub fn leave_room(&mut self, now: Instant, key: RoomKey) {
        let now = self.advance(now);
        let was_joined = match self.rooms.phase(key) {
            None | Some(Phase::Created) => return,
            Some(Phase::Leaving { ticket, was_joined, .. }) => {
                let phase = Phase::Leaving { ticket, was_joined, then_join: None };
                return self.rooms.set_phase(key, phase);
            }
            Some(Phase::Joining { .. }) => false,
            Some(Phase::Joined) => true,
        };
        self.settle_unsent_broadcasts(key);
        match self.depart(now, key) {
            Some(ticket) if self.is_online() => {
                let phase = Phase::Leaving { ticket, was_joined, then_join: None };
                self.rooms.set_phase(key, phase);
            }
            // With no link the server learns later, and the application need not wait.
            Some(_) | None => self.finish_leave(now, key, None),
        }
    }

    /// `destroy` of a room: leaves it and forgets the handle. Open broadcasts get their results before
    /// this returns; nothing is called back afterwards.
    pub fn destroy_room(&mut self, now: Instant, key: RoomKey) {
        let now = self.advance(now);
        let Some(phase) = self.rooms.phase(key) else { return };
        self.settle_unsent_broadcasts(key);
        for question in self.pending.of_room(key) {
            self.answer_unknown(question);
        }
        match phase {
            Phase::Joining { .. } | Phase::Joined => drop(self.depart(now, key)),
            Phase::Created | Phase::Leaving { .. } => {}
        }
        self.rooms.remove(key);
    }

    fn start_join(&mut self, now: Instant, key: RoomKey, since: Instant, again: bool) {
        let ticket = self.next_wire_number();
        let Some(room) = self.rooms.by_key.get(&key) else { return };
        let frame =
            Frame::Join { room: room.id.clone(), ticket, business_id: self.business_id.clone() };
        let queued = match &mut self.login {
            Login::LoggedIn { session, .. } => {
                let bytes = frame.encode();
                let room_left = session.channel.has_room(
                    bytes.len(),
                    CLIENT_WINDOW_JOINS_MAX,
                    WINDOW_BYTES_MAX,
                );
                if room_left {
                    session.channel.push(bytes, Tag::Join(ticket));
                }
                room_left
            }
            Login::Idle | Login::LoggingIn(_) | Login::TokenRejected { .. } => false,
        };
        if !queued {
            self.rooms.set_phase(key, Phase::Created);
            return self.room_state_changed(key, RoomState::JoinFailed);
        }
        self.rooms.set_phase(key, Phase::Joining { ticket, since, again });
        self.release(now);
    }

    /// Makes the server know that we leave: the ticket of the Leave, or nothing when the server need
    /// not know, since the Join has not left or there is no session.
    fn depart(&mut self, now: Instant, key: RoomKey) -> Option<u64> {
        let Room { id, phase, .. } = self.rooms.by_key.get(&key)?;
        let (room, phase) = (id.clone(), *phase);
        let ticket = self.next_wire_number();
        let Login::LoggedIn { session, .. } = &mut self.login else { return None };
        if let Phase::Joining { ticket: join, .. } = phase
            && session.channel.take_back(|tag| *tag == Tag::Join(join)).is_some()
        {
            return None;
        }
        if !planted(Bug::LeaveForgotten) || matches!(self.link, Link::Online(_)) {
            session.channel.push(Frame::Leave { room, ticket }.encode(), Tag::Leave);
        }
        self.release(now);
        Some(ticket)
    }

    fn finish_leave(&mut self, now: Instant, key: RoomKey, then_join: Option<Instant>) {
        for question in self.pending.of_room(key) {
            self.answer_unknown(question);
        }
        self.rooms.set_phase(key, Phase::Created);
        self.emit_room(key, RoomEvent::Left);
        if let Some(since) = then_join {
            self.start_join(now, key, since, false);
        }
    }

    /// The link is lost: rooms that were being left are left.
    pub(super) fn finish_leaving(&mut self, now: Instant) {
        for key in self.rooms.keys() {
            if let Some(Phase::Leaving { then_join, .. }) = self.rooms.phase(key) {
                self.finish_leave(now, key, then_join);
            }
        }
    }

    /// The session is lost, the login is not: every room wants to be joined again.
    /// None is being left: that ended with the link.
    pub(super) fn rooms_lost_session(&mut self, lost_at: Instant) {
        for room in self.rooms.by_key.values_mut() {
            room.phase = match room.phase {
                Phase::Joined => Phase::Joining { ticket: 0, since: lost_at, again: true },
                Phase::Joining { since, again, .. } => Phase::Joining { ticket: 0, since, again },
                other => other,
            };
        }
    }

    pub(super) fn rejoin_rooms(&mut self, now: Instant) {
        if planted(Bug::RoomsNotRejoined) {
            return;
        }
        for key in self.rooms.keys() {
            if let Some(Phase::Joining { since, again, .. }) = self.rooms.phase(key) {
                self.start_join(now, key, since, again);
            }
        }
    }

    /// The session went on after a break that the application knows of: so do its rooms.
    pub(super) fn confirm_rooms(&mut self, now: Instant, lost_at: Instant) {
        let Login::LoggedIn { uid, .. } = &self.login else { return };
        let uid = uid.clone();
        for key in self.rooms.keys() {
            if self.rooms.phase(key) == Some(Phase::Joined) {
                let elapsed = now.since(lost_at);
                let uid = uid.clone();
                self.emit_room(key, RoomEvent::Joined { uid, how: JoinType::Resumed, elapsed });
            }
        }
    }

    pub(super) fn rooms_abnormal(&mut self, uid: &UserId) {
        self.end_memberships(uid, RoomState::ServerAbnormal);
    }

    pub(super) fn rooms_not_rejoined(&mut self, uid: &UserId) {
        self.end_memberships(uid, RoomState::JoinFailed);
    }

    fn end_memberships(&mut self, uid: &UserId, state: RoomState) {
        for key in self.rooms.keys() {
            if matches!(self.rooms.phase(key), Some(Phase::Joining { .. } | Phase::Joined)) {
                let uid = uid.clone();
                self.emit_room(key, RoomEvent::StateChanged { uid: Some(uid), state });
            }
            self.rooms.set_phase(key, Phase::Created);
        }
    }

    pub(super) fn join_answered(
        &mut self,
        now: Instant,
        wanted: u64,
        state: RoomState,
        members: Vec<UserId>,
    ) {
        let asked = self.rooms.by_key.iter().find_map(|(key, room)| match room.phase {
            Phase::Joining { ticket, since, again } if ticket == wanted => {
                Some((*key, since, again))
            }
            _ => None,
        });
        let (Some((key, since, again)), Login::LoggedIn { uid, .. }) = (asked, &self.login) else {
            return;
        };
        let uid = uid.clone();
        if state != RoomState::Joined {
            self.rooms.set_phase(key, Phase::Created);
            return self.emit_room(key, RoomEvent::StateChanged { uid: Some(uid), state });
        }
        self.rooms.set_phase(key, Phase::Joined);
        let elapsed = now.since(since);
        let how = if again { JoinType::Anew } else { JoinType::First };
        self.emit_room(key, RoomEvent::Joined { uid, how, elapsed });
        for member in members {
            self.emit_room(key, RoomEvent::UserJoined(member));
        }
    }

    pub(super) fn leave_answered(&mut self, now: Instant, wanted: u64) {
        let leaving = self.rooms.by_key.iter().find_map(|(key, room)| match room.phase {
            Phase::Leaving { ticket, then_join, .. } if ticket == wanted => Some((*key, then_join)),
            _ => None,
        });
        if let Some((key, then_join)) = leaving {
            self.finish_leave(now, key, then_join);
        }
    }

    pub(super) fn room_message_received(&mut self, id: &RoomId, from: UserId, payload: Payload) {
        self.emit_to_member(id, RoomEvent::MessageReceived { from, payload });
    }

    pub(super) fn user_message_received(&mut self, id: &RoomId, from: UserId, payload: Payload) {
        self.emit_to_member(id, RoomEvent::UserMessageReceived { from, payload });
    }

    pub(super) fn member_joined(&mut self, id: &RoomId, uid: UserId) {
        self.emit_to_member(id, RoomEvent::UserJoined(uid));
    }

    pub(super) fn member_left(&mut self, id: &RoomId, uid: UserId, reason: LeaveReason) {
        self.emit_to_member(id, RoomEvent::UserLeft { uid, reason });
    }

    /// §6.10: out, or only told something.
    pub(super) fn room_noticed(&mut self, id: &RoomId, state: RoomState) {
        let Some((key, room)) = self.rooms.find(id) else { return };
        if room.phase != Phase::Joined {
            return;
        }
        if state != RoomState::NoticesStop {
            room.phase = Phase::Created;
        }
        self.room_state_changed(key, state);
    }

    fn room_state_changed(&mut self, key: RoomKey, state: RoomState) {
        let uid = match &self.login {
            Login::LoggedIn { uid, .. } | Login::TokenRejected { uid, .. } => Some(uid.clone()),
            Login::LoggingIn(attempt) => Some(attempt.uid.clone()),
            Login::Idle => None,
        };
        self.emit_room(key, RoomEvent::StateChanged { uid, state });
    }

    /// What the server sends to a room is for the handle that is in it: an earlier handle of the
    /// same room, or one that is not in yet, hears nothing.
    fn emit_to_member(&mut self, id: &RoomId, event: RoomEvent) {
        let Some((key, room)) = self.rooms.find(id) else { return };
        if matches!(room.phase, Phase::Joined | Phase::Leaving { was_joined: true, .. }) {
            self.emit_room(key, event);
        }
    }

    pub(super) fn emit_room(&mut self, key: RoomKey, event: RoomEvent) {
        if let Some(room) = self.rooms.by_key.get(&key) {
            let room = room.id.clone();
            self.emit(Event::Room { key, room, event });
        }
    }
}
