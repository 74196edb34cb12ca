//! Joining and leaving rooms, and removals. Section 6 of the protocol.

use alloc::vec::Vec;

use bytes::Bytes;

use super::allowance::Paced;
use super::io::{
    Detail, Entered, Entry, Forbidden, JoinPermit, JoinRefusal, MemberEnd, Names, Rate, Report,
};
use super::keys::SessionNumber;
use super::shard::Server;
use super::welcomes;
use crate::limits::{NOTICE_MEMBERS_MAX, ROOMS_PER_USER_MAX};
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{AppId, BusinessId, Instant, LeaveReason, RoomId, RoomState, UserId};

/// A session's question to join a room, at the room's shard.
pub(super) struct JoinAsked {
    pub(super) room: RoomId,
    pub(super) session: SessionNumber,
    pub(super) uid: UserId,
    pub(super) ticket: u64,
    pub(super) business_id: Option<BusinessId>,
    pub(super) permit: JoinPermit,
}

/// A session of this shard joins and leaves rooms.
impl Server {
    pub(super) fn join(
        &mut self,
        number: SessionNumber,
        room: RoomId,
        ticket: u64,
        business_id: Option<BusinessId>,
    ) {
        let Some(session) = self.shared.session(number) else { return };
        let (app_id, uid) = session.user();
        let permit = self.permit(number, &app_id, &uid, &room);
        let Some(shard) = self.shared.config.placement.other_of_room(&app_id, &room) else {
            let asked = JoinAsked { room, session: number, uid, ticket, business_id, permit };
            return self.join_asked(&app_id, asked);
        };
        if self.shared.outbox.is_congested(shard) {
            let (state, refusal) = (RoomState::JoinFailed, JoinRefusal::ShardBusy);
            let is_charged = permit == JoinPermit::Charged;
            return self.join_refused(number, &room, ticket, state, refusal, is_charged);
        }
        if let Some(session) = self.shared.session_mut(number) {
            session.enter(room.clone());
        }
        let entry = Entry::Join { room, session: number, uid, ticket, business_id, permit };
        self.shared.tell_in_app(shard, &app_id, entry);
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
        let Some(session) = self.shared.session(number) else { return JoinPermit::Free };
        if session.is_in(room) {
            return JoinPermit::Free;
        }
        let memberships = session.memberships_len() + self.tallies.orphans(app_id, uid);
        if memberships >= ROOMS_PER_USER_MAX {
            return JoinPermit::Refused(JoinRefusal::TooManyRooms);
        }
        let allowance = self.shared.allowance(number);
        let is_within_rate = allowance.is_some_and(|allowance| allowance.take(Paced::Join, now));
        match is_within_rate || planted(Bug::JoinRateIgnored) {
            true => JoinPermit::Charged,
            false => JoinPermit::Refused(JoinRefusal::OverRate),
        }
    }

    /// The session is a member of the room now. With names, the room is in another shard.
    pub(super) fn joined(
        &mut self,
        number: SessionNumber,
        room: RoomId,
        ticket: u64,
        entered: Entered,
        names: Option<Names>,
        is_charged: bool,
    ) {
        if is_charged && entered != Entered::New {
            self.give_back_join(number);
        }
        let Some(session) = self.shared.session_mut(number) else { return };
        session.enter(room.clone());
        match entered {
            // The client knows the members, so a long answer would be wasted.
            Entered::Already => {
                welcomes::answer(&mut self.shared, number, ticket, RoomState::Joined, Vec::new());
            }
            Entered::New | Entered::Back => {
                self.welcomes.add(&mut self.shared, &self.rooms, number, room, ticket, names);
            }
        }
    }

    /// The session may not join the room.
    pub(super) fn join_refused(
        &mut self,
        number: SessionNumber,
        room: &RoomId,
        ticket: u64,
        state: RoomState,
        refusal: JoinRefusal,
        is_charged: bool,
    ) {
        if is_charged {
            self.give_back_join(number);
        }
        if let Some(session) = self.shared.session_mut(number) {
            session.leave(room);
        }
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
        self.welcomes.answer_briefly(&mut self.shared, number, id);
        let shared = &mut self.shared;
        // §6.4: results of broadcasts to the room come before the answer.
        let now = shared.now();
        shared.outbox.push_outcomes(&mut shared.sessions, now, number);
        let Some(session) = shared.session_mut(number) else { return };
        let was_in = session.leave(id);
        let (app_id, uid) = session.user();
        if let Some(shard) = shared.config.placement.other_of_room(&app_id, id) {
            let entry = Entry::Leave { room: id.clone(), session: number, uid, ticket };
            return shared.tell_in_app(shard, &app_id, entry);
        }
        if was_in {
            let tallies = &mut self.tallies;
            self.rooms.remove(shared, tallies, &app_id, id, &uid, LeaveReason::Left);
        }
        shared.push_frame(number, Frame::LeaveAnswer { ticket });
    }

    /// The session is not in the room of another shard any more, as it asked.
    pub(super) fn left(&mut self, number: SessionNumber, room: &RoomId, ticket: u64) {
        let shared = &mut self.shared;
        let now = shared.now();
        shared.outbox.push_outcomes(&mut shared.sessions, now, number);
        let Some(session) = shared.session_mut(number) else { return };
        session.leave(room);
        shared.push_frame(number, Frame::LeaveAnswer { ticket });
    }

    /// The session was removed from the room by force.
    pub(super) fn removed(&mut self, number: SessionNumber, id: &RoomId, notice: Option<Bytes>) {
        self.welcomes.answer_briefly(&mut self.shared, number, id);
        if let Some(session) = self.shared.session_mut(number) {
            session.leave(id);
        }
        if let Some(notice) = notice {
            self.shared.push_or_end(number, notice);
        }
    }
}

/// A room of this shard.
impl Server {
    pub(super) fn join_asked(&mut self, app_id: &AppId, asked: JoinAsked) {
        let JoinAsked { room, session, uid, ticket, business_id, permit } = asked;
        let is_charged = permit == JoinPermit::Charged;
        let entered = match self.enter(app_id, &room, session, &uid, permit) {
            Ok(entered) => entered,
            Err((state, refusal)) => {
                return match self.shared.sessions.other_shard_of(session) {
                    None => {
                        self.join_refused(session, &room, ticket, state, refusal, is_charged);
                    }
                    Some(shard) => {
                        let entry = Entry::JoinRefused {
                            room,
                            session,
                            ticket,
                            state,
                            refusal,
                            is_charged,
                        };
                        self.shared.tell(shard, entry);
                    }
                };
            }
        };
        match self.shared.sessions.other_shard_of(session) {
            None => {
                self.joined(session, room.clone(), ticket, entered, None, is_charged);
            }
            Some(shard) => {
                let names = match entered {
                    Entered::Already => Names::default(),
                    Entered::New | Entered::Back => self.rooms.names(app_id, &room, &uid),
                };
                let (room, uid) = (room.clone(), uid.clone());
                let entry =
                    Entry::Joined { room, session, uid, ticket, entered, names, is_charged };
                self.shared.tell_in_app(shard, app_id, entry);
            }
        }
        if entered == Entered::New {
            self.report_join(app_id, &room, &uid, business_id);
        }
        if entered == Entered::New && !planted(Bug::JoinNotAnnounced)
            || entered != Entered::Already && planted(Bug::JoinAnnouncedTwice)
        {
            self.announce(session, app_id, room, uid);
        }
    }

    /// Makes the session a member, if it may be one.
    fn enter(
        &mut self,
        app_id: &AppId,
        id: &RoomId,
        number: SessionNumber,
        uid: &UserId,
        permit: JoinPermit,
    ) -> Result<Entered, (RoomState, JoinRefusal)> {
        if let Some(state) = self.bans.forbid_join(self.shared.now(), app_id, id, uid) {
            return Err((state, JoinRefusal::Banned));
        }
        let room = self.rooms.find(app_id, id);
        if room.is_some_and(|room| room.session_of(uid) == Some(number)) {
            return Ok(Entered::Already);
        }
        let members = room.map_or(0, |room| room.len());
        let (shared, tallies) = (&mut self.shared, &mut self.tallies);
        if self.rooms.come_back(shared, tallies, number, app_id, id, uid) {
            return Ok(Entered::Back);
        }
        let failed = |refusal| Err((RoomState::JoinFailed, refusal));
        if members >= shared.config.room_members_max.get() {
            return failed(JoinRefusal::RoomFull);
        }
        if let JoinPermit::Refused(refusal) = permit {
            return failed(refusal);
        }
        self.rooms.add(shared, number, app_id, id, uid.clone());
        Ok(Entered::New)
    }

    fn report_join(
        &mut self,
        app_id: &AppId,
        id: &RoomId,
        uid: &UserId,
        business_id: Option<BusinessId>,
    ) {
        if self.rooms.find(app_id, id).is_some_and(|room| room.len() == 1) {
            self.shared.report(app_id, || Report::RoomCreated { room: id.clone() });
        }
        let (room, uid) = (id.clone(), uid.clone());
        self.shared.report(app_id, || Report::MemberJoined { room, uid, business_id });
    }

    /// Announces a new member to the others.
    fn announce(&mut self, number: SessionNumber, app_id: &AppId, id: RoomId, uid: UserId) {
        let Some(room) = self.rooms.find(app_id, &id) else { return };
        let count = room.len();
        if count > NOTICE_MEMBERS_MAX + 1 {
            return;
        }
        let frame = match count <= NOTICE_MEMBERS_MAX {
            true => Frame::MemberJoined { room: id, uid },
            // §6.7: the member that takes the room over the mark makes it known to all.
            false => Frame::RoomNotice { room: id, state: RoomState::NoticesStop },
        };
        self.shared.push_to_each(room.others(number), &frame.encode());
    }

    /// A session of another shard asks to leave. A later session of the user may be a member.
    pub(super) fn leave_asked(
        &mut self,
        app_id: &AppId,
        room: RoomId,
        session: SessionNumber,
        uid: &UserId,
        ticket: u64,
    ) {
        if self.is_member(app_id, &room, session, uid) {
            let (shared, tallies) = (&mut self.shared, &mut self.tallies);
            self.rooms.remove(shared, tallies, app_id, &room, uid, LeaveReason::Left);
        }
        if let Some(shard) = self.shared.sessions.other_shard_of(session) {
            self.shared.tell(shard, Entry::Left { room, session, ticket });
        }
    }

    /// A session of another shard ended.
    pub(super) fn member_gone(
        &mut self,
        app_id: &AppId,
        room: &RoomId,
        session: SessionNumber,
        uid: &UserId,
        end: MemberEnd,
    ) {
        let is_member = self.is_member(app_id, room, session, uid);
        let (shared, tallies) = (&mut self.shared, &mut self.tallies);
        match end {
            MemberEnd::WaitsUntil(_) if !is_member => shared.tell_orphan_gone(app_id, uid),
            MemberEnd::Ends(_) if !is_member => {}
            MemberEnd::WaitsUntil(until) => {
                self.rooms.go_away(shared, tallies, app_id, room, uid, until);
            }
            MemberEnd::Ends(reason) => {
                self.rooms.remove(shared, tallies, app_id, room, uid, reason);
            }
        }
    }

    /// A session of another shard needs the names of the members again.
    pub(super) fn names_asked(
        &mut self,
        app_id: &AppId,
        room: RoomId,
        session: SessionNumber,
        uid: &UserId,
        ticket: u64,
    ) {
        // A session that is not a member was told so, and does not wait.
        if self.is_member(app_id, &room, session, uid)
            && let Some(shard) = self.shared.sessions.other_shard_of(session)
        {
            let names = self.rooms.names(app_id, &room, uid);
            self.shared.tell(shard, Entry::Names { room, session, ticket, names });
        }
    }

    fn is_member(
        &self,
        app_id: &AppId,
        room: &RoomId,
        session: SessionNumber,
        uid: &UserId,
    ) -> bool {
        let room = self.rooms.find(app_id, room);
        room.is_some_and(|room| room.session_of(uid) == Some(session))
    }

    /// The wait of a membership for its user's new session is over (§6.9).
    pub(super) fn membership_due(
        &mut self,
        until: Instant,
        app_id: &AppId,
        id: &RoomId,
        uid: &UserId,
    ) {
        let room = self.rooms.find(app_id, id);
        if room.is_some_and(|room| room.is_away_until(uid, until)) {
            let (shared, tallies) = (&mut self.shared, &mut self.tallies);
            self.rooms.remove(shared, tallies, app_id, id, uid, LeaveReason::Dropped);
        }
    }

    /// Removes a member by force.
    pub(super) fn expel(&mut self, app_id: &AppId, id: &RoomId, uid: &UserId) -> bool {
        let number = self.rooms.find(app_id, id).and_then(|room| room.session_of(uid));
        let (shared, tallies) = (&mut self.shared, &mut self.tallies);
        if !self.rooms.remove(shared, tallies, app_id, id, uid, LeaveReason::Kicked) {
            return false;
        }
        if let Some(number) = number {
            let notice = Frame::RoomNotice { room: id.clone(), state: RoomState::Kicked };
            let notice = (!planted(Bug::KickNotTold)).then(|| notice.encode());
            self.tell_removed(number, id, notice);
        }
        true
    }

    /// Removes all members by force. No notices are needed, because no member is left.
    pub(super) fn expel_all(&mut self, app_id: &AppId, id: &RoomId, state: RoomState) -> usize {
        let (shared, tallies) = (&mut self.shared, &mut self.tallies);
        let Some(members) = self.rooms.dissolve(shared, tallies, app_id, id) else { return 0 };
        for (uid, _) in &members {
            if planted(Bug::DismissalNotReported) {
                continue;
            }
            let (room, uid) = (id.clone(), uid.clone());
            let reason = LeaveReason::Kicked;
            shared.report(app_id, || Report::MemberLeft { room, uid, reason });
        }
        shared.report(app_id, || Report::RoomEmptied { room: id.clone() });
        let notice = Frame::RoomNotice { room: id.clone(), state }.encode();
        for number in members.iter().filter_map(|(_, number)| *number) {
            self.tell_removed(number, id, Some(notice.clone()));
        }
        members.len()
    }

    fn tell_removed(&mut self, session: SessionNumber, room: &RoomId, notice: Option<Bytes>) {
        match self.shared.sessions.other_shard_of(session) {
            None => self.removed(session, room, notice),
            Some(shard) => {
                let room = room.clone();
                self.shared.tell(shard, Entry::Removed { room, session, notice });
            }
        }
    }

    /// Removes a user from all rooms by force, also where it waits for a new session (§6.9).
    pub(super) fn expel_everywhere(&mut self, app_id: &AppId, uid: &UserId) -> usize {
        let rooms = self.rooms.of_user(app_id, uid);
        rooms.iter().filter(|id| self.expel(app_id, id, uid)).count()
    }
}
