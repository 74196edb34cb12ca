//! The end of a session, and its effect on messages, memberships and rates.

use alloc::borrow::ToOwned as _;
use alloc::string::ToString as _;
use alloc::vec::Vec;

use super::closing::reason_for;
use super::deadlines::Due;
use super::io::{Denial, Detail, Entry, MemberEnd, Notice, NoticeLevel, Ownership, Report};
use super::keys::{Origin, SessionNumber};
use super::placement::ShardId;
use super::session::Remains;
use super::session_rooms::SessionRooms;
use super::shard::Server;
use crate::planted::{Bug, planted};
use crate::{
    AppId, CloseCode, Instant, LeaveReason, LinkId, MessageConfig, ProtocolError, RoomId, SendCode,
    UserId,
};

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client logged out.
    Logout,
    /// The client was silent for too long, broke a rule, or did not read its messages.
    Dropped,
    /// A newer session of the same user replaces it, and takes over its memberships (§6.9).
    Superseded,
    /// The app's back end put the user out (§3.10).
    PutOut,
}

impl Server {
    /// Ends the session. The caller closes its link, if it has one.
    pub(super) fn end_session(&mut self, number: SessionNumber, end: End) {
        self.stop_leaving(number);
        let shared = &mut self.shared;
        let Some(remains) = shared.sessions.end(number, &mut shared.deadlines) else { return };
        let Remains { app_id, uid, flow, rooms, allowance, last_heard, moves } = remains;
        if shared.takes_notice(NoticeLevel::All) {
            for Origin { session, id } in flow.origins() {
                let (config, code) = (MessageConfig::ReliableOrdered, SendCode::Timeout);
                let to = uid.as_str().to_owned();
                shared.detail_of(session, || Detail::NotDelivered { to, id, config, code });
            }
        }
        // §5.4: these frames are never acknowledged.
        let now = shared.now();
        shared.outbox.end(&mut shared.sessions, now, flow);
        // A user has one session, so this one is removed before the next one is entered.
        self.users.remove(&app_id, &uid);
        self.targets.forget(number);
        self.welcomes.forget(shared, number);
        self.posts.forget(shared, &app_id, number);
        let has_rates = allowance.is_some();
        self.tallies.keep_allowance(shared, &app_id, &uid, allowance);
        if has_rates || rooms.all().next().is_some() {
            shared.grants.acted(&app_id, &uid);
        }
        let away_until = last_heard + shared.config.session_grace;
        let in_room = |room: &RoomId| match &moves {
            Some(moves) => moves.number_in(number, room),
            None => number,
        };
        self.end_memberships(&app_id, in_room, &uid, rooms, end, away_until);
        self.report_offline(&app_id, &uid, end);
        match end {
            End::Logout | End::Dropped => self.release_user(&app_id, &uid, None),
            // The user's next session or its waiting memberships come first.
            End::Superseded | End::PutOut => {}
        }
    }

    /// The rooms that the session was in, or had asked to join.
    fn end_memberships(
        &mut self,
        app_id: &AppId,
        session_in: impl Fn(&RoomId) -> SessionNumber,
        uid: &UserId,
        rooms: SessionRooms,
        end: End,
        away_until: Instant,
    ) {
        for room in rooms.into_rooms() {
            let end = match end {
                End::Logout => MemberEnd::Ends(LeaveReason::Left),
                End::Dropped if planted(Bug::DroppedStaysInRooms) => continue,
                End::Dropped => MemberEnd::Ends(LeaveReason::Dropped),
                End::Superseded => MemberEnd::WaitsUntil(away_until),
                End::PutOut => MemberEnd::Ends(LeaveReason::Kicked),
            };
            self.end_membership(app_id, session_in(&room), uid, room, end);
        }
    }

    /// The session that is in this room, or has asked to join it, ended.
    fn end_membership(
        &mut self,
        app_id: &AppId,
        session: SessionNumber,
        uid: &UserId,
        room: RoomId,
        end: MemberEnd,
    ) {
        let (shared, tallies) = (&mut self.shared, &mut self.tallies);
        if let Some(shard) = shared.homes.other_of_room(app_id, &room) {
            if let MemberEnd::WaitsUntil(_) = end {
                tallies.count_orphan_in(shared, app_id, uid, room.clone());
            }
            let uid = uid.clone();
            return shared.send_in_app(shard, app_id, Entry::Gone { room, session, uid, end });
        }
        match end {
            MemberEnd::Ends(reason) => {
                self.rooms.remove(shared, tallies, app_id, &room, uid, reason);
            }
            MemberEnd::WaitsUntil(until) => {
                if self.rooms.go_away(shared, app_id, &room, uid, until) {
                    tallies.count_orphan_in(shared, app_id, uid, room);
                }
            }
        }
    }

    /// A session ends. If it leaves, the login that resumes it is denied.
    fn stop_leaving(&mut self, number: SessionNumber) {
        let shared = &mut self.shared;
        let Some(session) = shared.sessions.get_mut(number) else { return };
        let (app_id, uid) = match session.is_leaving() {
            true => session.user(),
            false => return,
        };
        if let Some(until) = session.leaving().and_then(|leaving| leaving.until.take()) {
            shared.deadlines.disarm(until, Due::Leaving(number));
        }
        if let Some(tenure) = shared.grants.of(&app_id, &uid) {
            let denial = Denial::NotResumed;
            self.send_to_home(&app_id, &uid, Ownership::Keep { uid: uid.clone(), tenure, denial });
        }
    }

    pub(super) fn report_offline(&mut self, app_id: &AppId, uid: &UserId, end: End) {
        let reason = match end {
            End::Logout => LeaveReason::Left,
            End::Dropped if planted(Bug::DropReportedAsLogout) => LeaveReason::Left,
            End::Dropped => LeaveReason::Dropped,
            End::Superseded => return,
            End::PutOut => LeaveReason::Kicked,
        };
        self.shared.report(app_id, || Report::UserOffline { uid: uid.clone(), reason });
        self.shared.notice(|_| {
            let (app_id, uid) = (app_id.clone(), uid.clone());
            Notice::SessionEnded { app_id, uid, reason }
        });
    }

    /// §3.5: the user's session is replaced, by another login or by the same login, which lost it.
    pub(super) fn supersede(&mut self, number: SessionNumber, claim: u64, by: Option<LinkId>) {
        let Some(session) = self.shared.session(number) else { return };
        let is_same_login = session.claim() == claim;
        let link = session.link();
        if !is_same_login {
            let notice = |app_id, uid| Notice::Displaced { link, by, app_id, uid };
            self.shared.notice_of(number, notice);
        }
        if let Some(link) = link {
            let code = if is_same_login { CloseCode::Replaced } else { CloseCode::Displaced };
            self.close(link, code, reason_for(CloseCode::Displaced));
        }
        if !is_same_login {
            self.bury(number, CloseCode::Displaced);
        }
        self.end_session(number, End::Superseded);
    }

    /// Puts a user out (§3.10). Returns whether it had a session.
    pub(super) fn end_login(&mut self, app_id: &AppId, uid: &UserId) -> bool {
        let number = self.users.find(app_id, uid.as_str());
        if let Some(number) = number {
            if !planted(Bug::PutOutForgotten) {
                self.bury(number, CloseCode::PutOut);
            }
            if let Some(link) = self.shared.session(number).and_then(|session| session.link()) {
                self.close(link, CloseCode::PutOut, reason_for(CloseCode::PutOut));
            }
            self.end_session(number, End::PutOut);
        }
        self.end_waiting_memberships(app_id, uid);
        self.release_user(app_id, uid, None);
        number.is_some()
    }

    /// Ends the memberships that wait for another login of the user (§6.9). Entries reach the
    /// shards of other rooms behind the ends of sessions, and before a join of the next session.
    fn end_waiting_memberships(&mut self, app_id: &AppId, uid: &UserId) {
        let homes = &self.shared.homes;
        let elsewhere: Vec<(ShardId, RoomId)> = self
            .tallies
            .orphans(app_id, uid)
            .filter_map(|room| Some((homes.other_of_room(app_id, room)?, room.clone())))
            .collect();
        for (shard, room) in elsewhere {
            self.shared.send_in_app(shard, app_id, Entry::PutOut { room, uid: uid.clone() });
        }
        self.expel_everywhere(app_id, uid);
    }

    /// Keeps a tombstone for as long as the client may ask to resume this session.
    fn bury(&mut self, number: SessionNumber, code: CloseCode) {
        let shared = &mut self.shared;
        let until = shared.now() + shared.config.session_grace;
        shared.sessions.bury(number, code, &mut shared.deadlines, until);
    }

    /// The peer broke a rule: its link is closed with the rule, and its session cannot be resumed.
    pub(super) fn misbehaved(&mut self, id: LinkId, error: ProtocolError) {
        let code = CloseCode::from(&error);
        let session = self.links.session_of(id);
        self.close(id, code, &error.to_string());
        if let Some(number) = session
            && code.ends_session()
        {
            self.end_session(number, End::Dropped);
        }
    }

    /// §6.8: ends the sessions that had no space for frames that they must get.
    pub(super) fn end_overrun(&mut self) {
        while let Some(number) = self.shared.outbox.pop_overrun() {
            // One that arrives ends when it is here.
            let Some(session) =
                self.shared.session(number).filter(|session| !session.is_arriving())
            else {
                continue;
            };
            if let Some(link) = session.link() {
                self.close(link, CloseCode::SlowConsumer, "did not read what it was sent");
            }
            self.end_session(number, End::Dropped);
        }
    }

    /// Ends a session whose grace period has passed, unless bytes arrived meanwhile.
    pub(super) fn grace_due(&mut self, number: SessionNumber) {
        let shared = &mut self.shared;
        let now = shared.now();
        if let Some(session) = shared.session_mut(number).filter(|session| session.is_arriving()) {
            session.heard(now);
        }
        let Some(session) = shared.sessions.get_mut(number) else { return };
        let over_at = session.last_heard() + shared.config.session_grace;
        // Sessions end in the order of their grace deadlines, however late this runs. So a later
        // deadline is armed again even if it has passed too.
        if over_at > session.grace_at() {
            let due = Due::SessionGrace(number);
            session.renew_grace(shared.deadlines.arm(over_at, due));
            return;
        }
        if let Some(link) = session.link() {
            self.close(link, CloseCode::Silent, "nothing heard for the whole grace");
        }
        self.end_session(number, End::Dropped);
    }
}
