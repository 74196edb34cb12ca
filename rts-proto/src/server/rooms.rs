//! Rooms: members and notices. Section 6 of the protocol.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::bans::Ban;
use super::posts::Posts;
use super::session::SessionNumber;
use super::tally::Tally;
use super::timers::Due;
use super::{Forbidden, Rate, Report, Server};
use crate::limits::{NOTICE_MEMBERS_MAX, ROOMS_PER_USER_MAX};
use crate::planted::{Bug, planted};
use crate::rate::TokenBucket;
use crate::table::Table;
use crate::wire::Frame;
use crate::{AppId, BusinessId, Instant, LeaveReason, RoomId, RoomState, UserId};

/// One app's users, rooms and posts, and what its back end said about them. A session holds its
/// app's id and reaches no other.
#[derive(Debug)]
pub(super) struct App {
    pub(super) users: Table<UserId, SessionNumber>,
    /// Of users who logged in lately, used up some of their rates, or have memberships that wait.
    pub(super) tallies: Table<UserId, Box<Tally>>,
    pub(super) rooms: BTreeMap<RoomId, Room>,
    /// Who may not join what, and until when.
    pub(super) bans: BTreeMap<Ban, Instant>,
    /// What the app's back end may still send; from its first message on.
    pub(super) backend_sends: Option<TokenBucket>,
    /// When the app is looked at, since that was all that was left of it.
    pub(super) forget_at: Option<Instant>,
    pub(super) posts: Posts,
}

impl App {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            users: Table::new(seed),
            tallies: Table::new(seed),
            rooms: BTreeMap::new(),
            bans: BTreeMap::new(),
            backend_sends: None,
            forget_at: None,
            posts: Posts::default(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Room {
    pub(super) members: BTreeMap<UserId, Member>,
    pub(super) broadcasts: TokenBucket,
}

/// A member with a session, or one whose session was superseded and who may be back (§6.9).
#[derive(Debug)]
pub(super) struct Member {
    session: Option<SessionNumber>,
    pub(super) orphaned_until: Option<Instant>,
}

impl Room {
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionNumber> {
        self.members.values().filter_map(|member| member.session)
    }

    pub(super) fn session_of(&self, uid: &UserId) -> Option<SessionNumber> {
        self.members.get(uid)?.session
    }

    /// Those of all members but this one, without a look at their names.
    fn others(&self, number: SessionNumber) -> impl Iterator<Item = SessionNumber> {
        self.sessions().filter(move |other| *other != number)
    }
}

impl Server {
    pub(super) fn join(
        &mut self,
        now: Instant,
        number: SessionNumber,
        id: RoomId,
        ticket: u64,
        business_id: Option<BusinessId>,
    ) {
        debug_assert!(self.fan_out.is_empty(), "the joiner was no member yet");
        let Some(session) = self.sessions.get_mut(number) else { return };
        let (app_id, uid) = (session.app_id.clone(), session.uid.clone());
        let Some(app) = self.apps.get_mut(&app_id) else { return };
        if let Some(state) = app.ban_of(now, &id, &uid) {
            self.notice_banned(now, number, Forbidden::Join { room: id, state });
            return self.refuse_join(number, ticket, state);
        }
        if session.rooms.contains(&id) {
            // It knows who is there: a long answer to a short question would be for nothing.
            return self.answer_join(number, ticket, RoomState::Joined, Vec::new());
        }
        let present = app.rooms.get_mut(&id).and_then(|room| room.members.get_mut(&uid));
        let is_new = present.is_none();
        if let Some(member) = present {
            member.session = Some(number);
            let orphaned_until = member.orphaned_until.take();
            session.rooms.insert(id.clone());
            self.forget_orphan(&app_id, &id, &uid, orphaned_until);
        } else {
            let members = app.rooms.get(&id).map_or(0, |room| room.members.len());
            let orphans = app.tallies.get(&uid).map_or(0, |tally| tally.orphans());
            // §6.13: who enters a room is told to others, as is who leaves it; that is paid for
            // here.
            let has_place = members < self.config.room_members_max
                && session.rooms.len() + orphans < ROOMS_PER_USER_MAX;
            let may_enter = has_place
                && (session.allowance(now, &self.config).joins.take(now)
                    || planted(Bug::JoinRateIgnored));
            if !may_enter {
                if has_place {
                    self.notice_over_rate(now, number, Rate::Joins);
                }
                return self.refuse_join(number, ticket, RoomState::JoinFailed);
            }
            session.rooms.insert(id.clone());
            let rate = self.config.room_broadcasts_per_second;
            let room = app.rooms.entry(id.clone()).or_insert_with(|| Room {
                members: BTreeMap::new(),
                broadcasts: TokenBucket::new(rate, now),
            });
            room.members
                .insert(uid.clone(), Member { session: Some(number), orphaned_until: None });
            if room.members.len() == NOTICE_MEMBERS_MAX {
                room.broadcasts.set_rate(self.config.large_room_broadcasts_per_second, now);
            }
        }
        self.welcome(now, number, id.clone(), ticket);
        if is_new {
            self.report_join(&app_id, &id, &uid, business_id);
        }
        if is_new && !planted(Bug::JoinNotAnnounced) || planted(Bug::JoinAnnouncedTwice) {
            self.announce(number, id, uid);
        }
    }

    fn refuse_join(&mut self, number: SessionNumber, ticket: u64, state: RoomState) {
        self.answer_join(number, ticket, state, Vec::new());
    }

    pub(super) fn answer_join(
        &mut self,
        number: SessionNumber,
        ticket: u64,
        state: RoomState,
        members: Vec<UserId>,
    ) {
        self.push_frame(number, Frame::JoinAnswer { ticket, state, members });
    }

    fn report_join(
        &mut self,
        app_id: &AppId,
        id: &RoomId,
        uid: &UserId,
        business_id: Option<BusinessId>,
    ) {
        let room = self.apps.get(app_id).and_then(|app| app.rooms.get(id));
        if room.is_some_and(|room| room.members.len() == 1) {
            self.report(app_id, || Report::RoomCreated { room: id.clone() });
        }
        let (room, uid) = (id.clone(), uid.clone());
        self.report(app_id, || Report::MemberJoined { room, uid, business_id });
    }

    /// Tells the others who came.
    fn announce(&mut self, number: SessionNumber, id: RoomId, uid: UserId) {
        let Some(session) = self.sessions.get(number) else { return };
        let Some(app) = self.apps.get(&session.app_id) else { return };
        let Some(room) = app.rooms.get(&id) else { return };
        let count = room.members.len();
        if count > NOTICE_MEMBERS_MAX + 1 {
            return;
        }
        let others: Vec<SessionNumber> = room.others(number).collect();
        let told = match count <= NOTICE_MEMBERS_MAX {
            true => Frame::MemberJoined { room: id, uid },
            // §6.7: the one who takes the room over the mark makes it known to all.
            false => Frame::RoomNotice { room: id, state: RoomState::NoticesStop },
        };
        let told = told.encode();
        for other in others {
            self.push_or_end(other, told.clone());
        }
    }

    pub(super) fn leave(&mut self, number: SessionNumber, id: &RoomId, ticket: u64) {
        self.welcome_briefly(number, id);
        let Some(session) = self.sessions.get_mut(number) else { return };
        // §6.4: results of broadcasts to the room come before the answer.
        if !session.push_outcomes() {
            self.overrun.add(number, session);
        }
        if session.rooms.remove(id) {
            let (app_id, uid) = (session.app_id.clone(), session.uid.clone());
            self.remove_member(&app_id, id, &uid, LeaveReason::Left);
        }
        self.push_frame(number, Frame::LeaveAnswer { ticket });
    }

    /// Takes a member out and tells the others. The member's session forgets the room by itself.
    pub(super) fn remove_member(
        &mut self,
        app_id: &AppId,
        id: &RoomId,
        uid: &UserId,
        reason: LeaveReason,
    ) {
        debug_assert!(self.fan_out.is_empty(), "it still was a member");
        let Some(app) = self.apps.get_mut(app_id) else { return };
        let Some(room) = app.rooms.get_mut(id) else { return };
        let Some(member) = room.members.remove(uid) else { return };
        let count = room.members.len();
        if count + 1 == NOTICE_MEMBERS_MAX {
            room.broadcasts.set_rate(self.config.room_broadcasts_per_second, self.now);
        }
        let others = match count <= NOTICE_MEMBERS_MAX && !planted(Bug::LeaveNotAnnounced) {
            true => room.sessions().collect(),
            false => Vec::new(),
        };
        if count == 0 {
            app.rooms.remove(id);
        }
        self.forget_orphan(app_id, id, uid, member.orphaned_until);
        if count == 0 && planted(Bug::EmptiedReportedFirst) {
            self.report(app_id, || Report::RoomEmptied { room: id.clone() });
        }
        self.report(app_id, || Report::MemberLeft { room: id.clone(), uid: uid.clone(), reason });
        if count == 0 && !planted(Bug::EmptiedReportedFirst) {
            self.report(app_id, || Report::RoomEmptied { room: id.clone() });
        }
        let left = Frame::MemberLeft { room: id.clone(), uid: uid.clone(), reason }.encode();
        for other in others {
            self.push_or_end(other, left.clone());
        }
    }

    /// The membership waits for nobody any more.
    pub(super) fn forget_orphan(
        &mut self,
        app_id: &AppId,
        id: &RoomId,
        uid: &UserId,
        orphaned_until: Option<Instant>,
    ) {
        if let Some(until) = orphaned_until {
            let due = Due::orphaned_membership(app_id, id, uid);
            self.due.remove(&(until, due));
            self.count_orphan_out(app_id, uid);
        }
    }

    /// §6.9: the membership waits for the user's new session.
    pub(super) fn orphan_member(
        &mut self,
        app_id: &AppId,
        id: &RoomId,
        uid: &UserId,
        until: Instant,
    ) {
        debug_assert!(self.fan_out.is_empty(), "it still had a session");
        let room = self.apps.get_mut(app_id).and_then(|app| app.rooms.get_mut(id));
        let Some(member) = room.and_then(|room| room.members.get_mut(uid)) else { return };
        member.session = None;
        if planted(Bug::OrphansForEver) {
            return;
        }
        member.orphaned_until = Some(until);
        self.due.insert((until, Due::orphaned_membership(app_id, id, uid)));
        self.count_orphan_in(app_id, uid);
    }
}
