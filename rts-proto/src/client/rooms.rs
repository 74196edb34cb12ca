//! Membership: joining and leaving, over and over if need be, and what the server says of it.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use super::connection::Link;
use super::handles::Phase;
use super::login::Login;
use super::session::Tag;
use super::{Client, CreateRoomError, Event, JoinError, JoinType, Output, RoomEvent};
use crate::limits::{CLIENT_WINDOW_JOINS_MAX, ROOMS_PER_USER_MAX, WINDOW_BYTES_MAX};
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{
    BroadcastCode, Instant, LeaveReason, MessageId, Payload, RoomId, RoomKey, RoomState, UserId,
};

impl Client {
    /// `createRoom`: a handle, known to this engine only. A refusal is also called back as
    /// [`Event::CreateRoomFailed`].
    pub fn create_room(&mut self, now: Instant, room_id: &str) -> Result<RoomKey, CreateRoomError> {
        self.advance(now);
        if self.destroyed {
            return Err(CreateRoomError::NoEngine);
        }
        let created = RoomId::new(room_id)
            .map_err(|_| CreateRoomError::BadRoom)
            .and_then(|id| self.rooms.create(id));
        if let Err(error) = created {
            self.emit(Event::CreateRoomFailed { room: room_id.to_string(), error });
        }
        created
    }

    /// `joinRoom`: [`RoomEvent::Joined`] follows, or [`RoomEvent::StateChanged`] with the reason:
    /// -1001 at once for one who is in 128 rooms, or without a login.
    pub fn join_room(&mut self, now: Instant, key: RoomKey) -> Result<(), JoinError> {
        let now = self.advance(now);
        match self.rooms.phase(key).ok_or(JoinError::NoRoom)? {
            Phase::Created | Phase::Leaving { then_join: None, .. }
                if self.rooms.entered() >= ROOMS_PER_USER_MAX =>
            {
                self.room_state_changed(key, RoomState::JoinFailed);
                return Ok(());
            }
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

    /// `destroy` of a room: leaves it and forgets the handle. Nothing of it is called back any
    /// more, not even what happened before and was not polled; so this returns what became of its
    /// open broadcasts.
    pub fn destroy_room(&mut self, now: Instant, key: RoomKey) -> Vec<(MessageId, BroadcastCode)> {
        let now = self.advance(now);
        let Some(phase) = self.rooms.phase(key) else { return Vec::new() };
        let results = self.close_broadcasts(key);
        match phase {
            Phase::Joining { .. } | Phase::Joined => drop(self.depart(now, key)),
            Phase::Created | Phase::Leaving { .. } => {}
        }
        self.rooms.remove(key);
        self.outputs.retain(|output| match output {
            Output::Event(Event::Room { key: of, .. }) => {
                *of != key || planted(Bug::DestroyedRoomHeard)
            }
            _ => true,
        });
        results
    }

    fn start_join(&mut self, now: Instant, key: RoomKey, since: Instant, again: bool) {
        let ticket = self.next_wire_number();
        let Some(room) = self.rooms.id(key) else { return };
        let frame = Frame::Join { room, ticket, business_id: self.business_id.clone() };
        let queued = match &mut self.login {
            Login::LoggedIn { session, .. } => {
                let bytes = frame.encode();
                let room_left = session.channel.has_room(
                    1,
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

    /// Makes the server know that we leave: the ticket of the Leave, or nothing when the server
    /// need not know, since the Join has not left or there is no session.
    fn depart(&mut self, now: Instant, key: RoomKey) -> Option<u64> {
        let (room, phase) = (self.rooms.id(key)?, self.rooms.phase(key)?);
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
        for key in self.rooms.keys() {
            let (since, again) = match self.rooms.phase(key) {
                Some(Phase::Joined) => (lost_at, true),
                Some(Phase::Joining { since, again, .. }) => (since, again),
                Some(Phase::Created | Phase::Leaving { .. }) | None => continue,
            };
            self.rooms.set_phase(key, Phase::Joining { ticket: 0, since, again });
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
        let asked = self.rooms.find_phase(|phase| match phase {
            Phase::Joining { ticket, since, again } if ticket == wanted => Some((since, again)),
            _ => None,
        });
        let (Some((key, (since, again))), Login::LoggedIn { uid, .. }) = (asked, &self.login)
        else {
            return;
        };
        let uid = uid.clone();
        if state != RoomState::Joined {
            self.rooms.set_phase(key, Phase::Created);
            return self.emit_room(key, RoomEvent::StateChanged { uid: Some(uid), state });
        }
        self.rooms.set_phase(key, Phase::Joined);
        let elapsed = now.since(since);
        let how = match again {
            true if planted(Bug::GapNotTold) => JoinType::Resumed,
            true => JoinType::Anew,
            false => JoinType::First,
        };
        self.emit_room(key, RoomEvent::Joined { uid, how, elapsed });
        for member in members {
            self.emit_room(key, RoomEvent::UserJoined(member));
        }
    }

    pub(super) fn leave_answered(&mut self, now: Instant, wanted: u64) {
        let leaving = self.rooms.find_phase(|phase| match phase {
            Phase::Leaving { ticket, then_join, .. } if ticket == wanted => Some(then_join),
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
        let Some((key, Phase::Joined)) = self.rooms.find(id) else { return };
        if state != RoomState::NoticesStop {
            self.rooms.set_phase(key, Phase::Created);
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
        if let Some((key, Phase::Joined | Phase::Leaving { was_joined: true, .. })) =
            self.rooms.find(id)
        {
            self.emit_room(key, event);
        }
    }

    pub(super) fn emit_room(&mut self, key: RoomKey, event: RoomEvent) {
        if let Some(room) = self.rooms.id(key) {
            self.emit(Event::Room { key, room, event });
        }
    }
}
