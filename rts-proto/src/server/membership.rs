//! A session of this shard joins and leaves rooms. Section 6 of the protocol.

use alloc::vec::Vec;

use bytes::Bytes;

use super::allowance::Paced;
use super::io::{Detail, Entered, Entry, Forbidden, JoinPermit, JoinRefusal, Rate};
use super::keys::SessionNumber;
use super::members::JoinAsked;
use super::placement::ShardId;
use super::session::Session;
use super::session_rooms::SessionRooms;
use super::shard::Server;
use super::welcomes::{self, List};
use crate::limits::ROOMS_PER_USER_MAX;
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{AppId, BusinessId, LeaveReason, RoomId, RoomState, UserId};

impl Server {
    pub(super) fn join(
        &mut self,
        number: SessionNumber,
        room: RoomId,
        ticket: u64,
        business_id: Option<BusinessId>,
    ) {
        let Some(session) = self.shared.session(number) else { return };
        if session.rooms.is_settled_in(&room) {
            return self.answer_member(number, ticket);
        }
        let (app_id, uid) = session.user();
        let shard = self.shared.homes.other_of_room(&app_id, &room);
        // A first join is bounded by its rate, and a lost membership would not come back. So only
        // a repeated one is refused.
        let is_repeated = session.rooms.contains(&room);
        if is_repeated && shard.is_some_and(|shard| self.shared.outbox.is_congested(shard)) {
            let refusal = JoinRefusal::ShardBusy;
            return self.answer_refusal(number, &room, ticket, RoomState::JoinFailed, refusal);
        }
        let permit = self.permit(number, &app_id, &uid, &room);
        let asked = JoinAsked { room, session: number, uid, ticket, business_id, permit };
        match shard {
            None => self.join_here(&app_id, asked),
            Some(shard) => self.join_elsewhere(shard, &app_id, asked),
        }
    }

    /// §6.13: enters and leaves are announced to others. The rate of joins pays for both.
    fn permit(
        &mut self,
        number: SessionNumber,
        app_id: &AppId,
        uid: &UserId,
        room: &RoomId,
    ) -> JoinPermit {
        let now = self.shared.now();
        let Some(session) = self.shared.session(number) else {
            return JoinPermit::Refused(JoinRefusal::TooManyRooms);
        };
        if self.has_too_many_rooms(session, app_id, uid, room) {
            return JoinPermit::Refused(JoinRefusal::TooManyRooms);
        }
        let allowance = self.shared.allowance(number);
        let is_within_rate = allowance.is_some_and(|allowance| allowance.take(Paced::Join, now));
        match is_within_rate || planted(Bug::JoinRateIgnored) {
            true => JoinPermit::Charged,
            false => JoinPermit::Refused(JoinRefusal::OverRate),
        }
    }

    /// Whether the user is in too many rooms to enter this one. Rooms that wait for it count.
    fn has_too_many_rooms(
        &self,
        session: &Session,
        app_id: &AppId,
        uid: &UserId,
        room: &RoomId,
    ) -> bool {
        let orphans = || self.tallies.orphans(app_id, uid);
        // Quick, and enough for most users.
        if session.rooms.known() + orphans().count() < ROOMS_PER_USER_MAX {
            return false;
        }
        let is_other = |waits: &&RoomId| *waits != room && !session.rooms.is_in(waits);
        let orphans = orphans().filter(is_other).count();
        let other_rooms = session.rooms.len() - usize::from(session.rooms.is_in(room)) + orphans;
        // A room may be left and another one joined without a pause. A slow shard does not let
        // the rooms that are being left grow without a bound.
        other_rooms >= ROOMS_PER_USER_MAX || session.rooms.leaving() > ROOMS_PER_USER_MAX
    }

    fn join_here(&mut self, app_id: &AppId, asked: JoinAsked) {
        let JoinAsked { session, ticket, .. } = asked;
        let is_charged = asked.is_charged();
        match self.enter(app_id, &asked) {
            Ok(entered) => {
                self.joined(session, asked.room.clone(), ticket, entered, List::Here, is_charged);
                self.announce_entered(app_id, asked, entered);
            }
            Err((state, refusal)) => {
                self.join_refused(session, &asked.room, ticket, state, refusal, is_charged);
            }
        }
    }

    /// Asks the shard of the room, unless its answer is certain.
    fn join_elsewhere(&mut self, shard: ShardId, app_id: &AppId, asked: JoinAsked) {
        let JoinAsked { room, session: number, uid, ticket, business_id, permit } = asked;
        let Some(session) = self.shared.session_mut(number) else { return };
        if let JoinPermit::Refused(refusal) = permit
            && !session.rooms.contains(&room)
            && !self.tallies.has_orphan(app_id, &uid, &room)
        {
            let now = self.shared.now();
            let (state, refusal) = match self.bans.forbid_join(now, app_id, &room, &uid) {
                Some(state) => (state, JoinRefusal::Banned),
                None => (RoomState::JoinFailed, refusal),
            };
            return self.answer_refusal(number, &room, ticket, state, refusal);
        }
        session.rooms.join_asked(room.clone());
        let entry = Entry::Join { room, session: number, uid, ticket, business_id, permit };
        self.shared.send_in_app(shard, app_id, entry);
    }

    /// The shard of the room has made the session a member, which may have asked to leave since.
    pub(super) fn joined(
        &mut self,
        number: SessionNumber,
        room: RoomId,
        ticket: u64,
        entered: Entered,
        list: List,
        is_charged: bool,
    ) {
        let Some(session) = self.shared.session_mut(number) else { return };
        match list {
            List::Here => session.rooms.enter(room.clone()),
            List::Elsewhere { .. } => session.rooms.joined(&room),
        }
        if is_charged && entered != Entered::New {
            self.give_back_join(number);
        }
        match entered {
            Entered::Already => self.answer_member(number, ticket),
            Entered::New | Entered::Back => {
                self.welcomes.add(&mut self.shared, &self.rooms, number, room, ticket, list);
            }
        }
    }

    /// Answers the join of a member. Its client knows the others, so a long answer would be wasted.
    fn answer_member(&mut self, number: SessionNumber, ticket: u64) {
        welcomes::answer(&mut self.shared, number, ticket, RoomState::Joined, Vec::new());
    }

    /// The shard of the room has refused the session's join.
    pub(super) fn join_refused(
        &mut self,
        number: SessionNumber,
        room: &RoomId,
        ticket: u64,
        state: RoomState,
        refusal: JoinRefusal,
        is_charged: bool,
    ) {
        let Some(session) = self.shared.session_mut(number) else { return };
        session.rooms.join_refused(room);
        if is_charged {
            self.give_back_join(number);
        }
        self.answer_refusal(number, room, ticket, state, refusal);
    }

    fn answer_refusal(
        &mut self,
        number: SessionNumber,
        room: &RoomId,
        ticket: u64,
        state: RoomState,
        refusal: JoinRefusal,
    ) {
        let detail = || Detail::JoinRefused { room: room.clone(), state, refusal };
        self.shared.detail_of(number, detail);
        match refusal {
            JoinRefusal::Banned => {
                let room = room.clone();
                self.shared.notice_banned(number, Forbidden::Join { room, state });
            }
            JoinRefusal::OverRate => self.shared.notice_over_rate(number, Rate::Joins),
            JoinRefusal::RoomFull | JoinRefusal::TooManyRooms | JoinRefusal::ShardBusy => {}
        }
        welcomes::answer(&mut self.shared, number, ticket, state, Vec::new());
    }

    fn give_back_join(&mut self, number: SessionNumber) {
        let now = self.shared.now();
        if let Some(allowance) = self.shared.allowance(number) {
            allowance.give_back_join(now);
        }
    }

    pub(super) fn leave(&mut self, number: SessionNumber, id: &RoomId, ticket: u64) {
        self.prepare_leave(number, id);
        let Some(session) = self.shared.session_mut(number) else { return };
        let (app_id, uid) = session.user();
        match self.shared.homes.other_of_room(&app_id, id) {
            None => {
                self.leave_here(number, &app_id, id, &uid);
                if self.rooms_of(number).is_some_and(|rooms| rooms.leave_waits(id)) {
                    let entry = Entry::Left { room: id.clone(), session: number, ticket };
                    return self.fences.answer(&mut self.shared, number, entry);
                }
            }
            Some(shard) if self.rooms_of(number).is_some_and(|rooms| rooms.leave_asked(id)) => {
                let entry = Entry::Leave { room: id.clone(), session: number, uid, ticket };
                return self.shared.send_in_app(shard, &app_id, entry);
            }
            Some(_) => {}
        }
        self.shared.push_frame(number, Frame::LeaveAnswer { ticket });
    }

    fn leave_here(&mut self, number: SessionNumber, app_id: &AppId, id: &RoomId, uid: &UserId) {
        if self.rooms_of(number).is_some_and(|rooms| rooms.remove(id)) {
            let (shared, tallies) = (&mut self.shared, &mut self.tallies);
            self.rooms.remove(shared, tallies, app_id, id, uid, LeaveReason::Left);
        }
    }

    /// The shard of a room has ended the membership, as the session asked.
    pub(super) fn left(&mut self, number: SessionNumber, room: &RoomId, ticket: u64) {
        self.prepare_leave(number, room);
        let Some(rooms) = self.rooms_of(number) else { return };
        rooms.left(room);
        self.shared.push_frame(number, Frame::LeaveAnswer { ticket });
    }

    /// §6.4: the answer to the join, and results of broadcasts to the room, come before the answer
    /// to the leave.
    fn prepare_leave(&mut self, number: SessionNumber, room: &RoomId) {
        self.welcomes.answer_briefly(&mut self.shared, number, room);
        let shared = &mut self.shared;
        let now = shared.now();
        shared.outbox.push_outcomes(&mut shared.sessions, now, number);
    }

    /// The session was removed from the room by force.
    pub(super) fn removed(&mut self, number: SessionNumber, id: &RoomId, notice: Option<Bytes>) {
        self.welcomes.answer_briefly(&mut self.shared, number, id);
        if let Some(session) = self.shared.session_mut(number)
            && let Some(arriving) = session.arriving()
        {
            arriving.removed.insert(id.clone());
        }
        if let Some(rooms) = self.rooms_of(number) {
            rooms.remove(id);
        }
        if let Some(notice) = notice {
            self.shared.push_or_end(number, notice);
        }
    }

    fn rooms_of(&mut self, number: SessionNumber) -> Option<&mut SessionRooms> {
        self.shared.session_mut(number).map(|session| &mut session.rooms)
    }
}
