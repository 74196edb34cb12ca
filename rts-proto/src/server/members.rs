//! Members of the rooms of this shard, whose sessions may be in other shards. Section 6 of the
//! protocol.

use super::io::{Entered, Entry, JoinPermit, JoinRefusal, MemberEnd, Names, Report};
use super::keys::SessionNumber;
use super::rooms;
use super::shard::Server;
use crate::limits::NOTICE_MEMBERS_MAX;
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

impl JoinAsked {
    pub(super) fn is_charged(&self) -> bool {
        self.permit == JoinPermit::Charged
    }
}

impl Server {
    /// A session of any shard asks to join.
    pub(super) fn join_for_peer(&mut self, app_id: &AppId, asked: JoinAsked) {
        let JoinAsked { session, ticket, .. } = asked;
        let (room, is_charged) = (asked.room.clone(), asked.is_charged());
        match self.enter(app_id, &asked) {
            Ok(entered) => {
                let names = match entered {
                    Entered::Already => Names::default(),
                    Entered::New | Entered::Back => self.rooms.names(app_id, &room, &asked.uid),
                };
                let entry = Entry::Joined { room, session, ticket, entered, names, is_charged };
                self.shared.answer_session(session, entry);
                self.announce_entered(app_id, asked, entered);
            }
            Err((state, refusal)) => {
                let entry =
                    Entry::JoinRefused { room, session, ticket, state, refusal, is_charged };
                self.shared.answer_session(session, entry);
            }
        }
    }

    /// Makes the session a member, if it may be one.
    pub(super) fn enter(
        &mut self,
        app_id: &AppId,
        asked: &JoinAsked,
    ) -> Result<Entered, (RoomState, JoinRefusal)> {
        let JoinAsked { room: id, session, uid, permit, .. } = asked;
        if let Some(state) = self.bans.forbid_join(self.shared.now(), app_id, id, uid) {
            return Err((state, JoinRefusal::Banned));
        }
        let room = self.rooms.find(app_id, id);
        if room.is_some_and(|room| room.session_of(uid) == Some(*session)) {
            return Ok(Entered::Already);
        }
        let members = room.map_or(0, |room| room.len());
        let (shared, tallies) = (&mut self.shared, &mut self.tallies);
        if self.rooms.come_back(shared, tallies, *session, app_id, id, uid) {
            return Ok(Entered::Back);
        }
        let failed = |refusal| Err((RoomState::JoinFailed, refusal));
        if let JoinPermit::Refused(refusal) = permit {
            return failed(*refusal);
        }
        if members >= shared.config.room_members_max.get() {
            return failed(JoinRefusal::RoomFull);
        }
        self.rooms.add(shared, *session, app_id, id, uid.clone());
        Ok(Entered::New)
    }

    /// Reports a new member to the back end, and announces it to the other members. The session
    /// must get its answer before.
    pub(super) fn announce_entered(&mut self, app_id: &AppId, asked: JoinAsked, entered: Entered) {
        let JoinAsked { room, session, uid, business_id, .. } = asked;
        if entered == Entered::New {
            self.report_join(app_id, &room, &uid, business_id);
        }
        if entered == Entered::New && !planted(Bug::JoinNotAnnounced)
            || entered != Entered::Already && planted(Bug::JoinAnnouncedTwice)
        {
            self.announce(session, app_id, room, uid);
        }
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

    /// A session of any shard asks to leave. A later session of the user may be a member.
    pub(super) fn leave_for_peer(
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
        self.fences.answer(&mut self.shared, session, Entry::Left { room, session, ticket });
    }

    /// A session of any shard ended.
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
            MemberEnd::WaitsUntil(_) if !is_member => {
                rooms::count_orphan(shared, tallies, app_id, room, uid, false);
            }
            MemberEnd::Ends(_) if !is_member => {}
            // The shard of the session has counted it.
            MemberEnd::WaitsUntil(until) => {
                self.rooms.go_away(shared, app_id, room, uid, until);
            }
            MemberEnd::Ends(reason) => {
                self.rooms.remove(shared, tallies, app_id, room, uid, reason);
            }
        }
    }

    /// A session of any shard needs the names of the members again.
    pub(super) fn names_asked(
        &mut self,
        app_id: &AppId,
        room: RoomId,
        session: SessionNumber,
        uid: &UserId,
        ticket: u64,
    ) {
        // A session that is not a member was notified, and does not wait.
        if self.is_member(app_id, &room, session, uid) {
            let names = self.rooms.names(app_id, &room, uid);
            self.shared.answer_session(session, Entry::Names { room, session, ticket, names });
        }
    }

    pub(super) fn is_member(
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
}
