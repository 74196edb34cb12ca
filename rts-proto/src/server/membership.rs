//! Joining and leaving rooms, and removals. Section 6 of the protocol.

use alloc::vec::Vec;

use bytes::Bytes;

use super::allowance::Paced;
use super::io::{Detail, Forbidden, JoinRefusal, Rate, Report};
use super::keys::SessionNumber;
use super::shard::Server;
use super::welcomes;
use crate::limits::{NOTICE_MEMBERS_MAX, ROOMS_PER_USER_MAX};
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{AppId, BusinessId, Instant, LeaveReason, RoomId, RoomState, UserId};

impl Server {
    pub(super) fn join(
        &mut self,
        number: SessionNumber,
        id: RoomId,
        ticket: u64,
        business_id: Option<BusinessId>,
    ) {
        let Some(session) = self.shared.session(number) else { return };
        let (app_id, uid) = session.user();
        let is_member = session.is_in(&id);
        let answer = |server: &mut Self, state| {
            welcomes::answer(&mut server.shared, number, ticket, state, Vec::new());
        };
        if let Some(state) = self.bans.forbid_join(self.shared.now(), &app_id, &id, &uid) {
            self.notice_refused(number, &id, state, JoinRefusal::Banned);
            self.shared.notice_banned(number, Forbidden::Join { room: id, state });
            return answer(self, state);
        }
        if is_member {
            // The client knows the members, so a long answer would be wasted.
            return answer(self, RoomState::Joined);
        }
        let (shared, tallies) = (&mut self.shared, &mut self.tallies);
        let was_away = self.rooms.come_back(shared, tallies, number, &app_id, &id, &uid);
        if !was_away {
            if let Err(refusal) = self.may_enter(number, &app_id, &id, &uid) {
                self.notice_refused(number, &id, RoomState::JoinFailed, refusal);
                return answer(self, RoomState::JoinFailed);
            }
            self.rooms.add(&self.shared, number, &app_id, &id, uid.clone());
        }
        if let Some(session) = self.shared.session_mut(number) {
            session.enter(id.clone());
        }
        self.welcomes.add(&mut self.shared, &self.rooms, number, id.clone(), ticket);
        if !was_away {
            self.report_join(&app_id, &id, &uid, business_id);
        }
        if !was_away && !planted(Bug::JoinNotAnnounced) || planted(Bug::JoinAnnouncedTwice) {
            self.announce(number, &app_id, id, uid);
        }
    }

    /// §6.13: enters and leaves are announced to others. The rate of joins pays for both.
    fn may_enter(
        &mut self,
        number: SessionNumber,
        app_id: &AppId,
        id: &RoomId,
        uid: &UserId,
    ) -> Result<(), JoinRefusal> {
        let now = self.shared.now();
        let members = self.rooms.find(app_id, id).map_or(0, |room| room.len());
        let Some(session) = self.shared.session(number) else {
            return Err(JoinRefusal::TooManyRooms);
        };
        let memberships = session.memberships_len() + self.tallies.orphans(app_id, uid);
        let has_room = members < self.shared.config.room_members_max.get();
        if !has_room {
            return Err(JoinRefusal::RoomFull);
        }
        let may_be_in_more = memberships < ROOMS_PER_USER_MAX;
        if !may_be_in_more {
            return Err(JoinRefusal::TooManyRooms);
        }
        let allowance = self.shared.allowance(number);
        let is_within_rate = allowance.is_some_and(|allowance| allowance.take(Paced::Join, now));
        if !is_within_rate && !planted(Bug::JoinRateIgnored) {
            self.shared.notice_over_rate(number, Rate::Joins);
            return Err(JoinRefusal::OverRate);
        }
        Ok(())
    }

    fn notice_refused(
        &mut self,
        number: SessionNumber,
        id: &RoomId,
        state: RoomState,
        refusal: JoinRefusal,
    ) {
        let detail = || Detail::JoinRefused { room: id.clone(), state, refusal };
        self.shared.detail_of(number, detail);
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
        let frame = frame.encode();
        for other in room.others(number) {
            self.shared.push_or_end(other, frame.clone());
        }
    }

    pub(super) fn leave(&mut self, number: SessionNumber, id: &RoomId, ticket: u64) {
        self.welcomes.answer_briefly(&mut self.shared, number, id);
        let shared = &mut self.shared;
        // §6.4: results of broadcasts to the room come before the answer.
        let now = shared.now();
        shared.outbox.push_outcomes(&mut shared.sessions, now, number);
        let Some(session) = shared.session_mut(number) else { return };
        if session.leave(id) {
            let (app_id, uid) = session.user();
            let tallies = &mut self.tallies;
            self.rooms.remove(shared, tallies, &app_id, id, &uid, LeaveReason::Left);
        }
        shared.push_frame(number, Frame::LeaveAnswer { ticket });
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
            self.put_out_of_room(number, id, notice);
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
            self.put_out_of_room(number, id, Some(notice.clone()));
        }
        members.len()
    }

    fn put_out_of_room(&mut self, number: SessionNumber, id: &RoomId, notice: Option<Bytes>) {
        self.welcomes.answer_briefly(&mut self.shared, number, id);
        if let Some(session) = self.shared.session_mut(number) {
            session.leave(id);
        }
        if let Some(notice) = notice {
            self.shared.push_or_end(number, notice);
        }
    }

    /// Removes a user from all rooms by force, also where it waits for a new session (§6.9).
    pub(super) fn expel_everywhere(&mut self, app_id: &AppId, uid: &UserId) -> usize {
        let rooms = self.rooms.of_user(app_id, uid);
        rooms.iter().filter(|id| self.expel(app_id, id, uid)).count()
    }
}
