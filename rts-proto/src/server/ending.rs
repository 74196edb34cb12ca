//! The end of a session: what becomes of its messages, its memberships and its rates.

use alloc::borrow::ToOwned as _;
use alloc::string::ToString as _;

use super::closing::words;
use super::deadlines::Due;
use super::io::{Detail, Notice, NoticeLevel, Report};
use super::keys::{Origin, SessionNumber};
use super::session::Remains;
use super::shard::Server;
use crate::planted::{Bug, planted};
use crate::{
    AppId, CloseCode, LeaveReason, LinkId, MessageConfig, ProtocolError, SendCode, UserId,
};

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client said so.
    Logout,
    /// Silent for too long, or broke a rule, or did not take what it was sent.
    Dropped,
    /// A newer session of the same user takes its place; memberships wait for it (§6.9).
    Superseded,
    /// The app's back end wants the user out (§3.10).
    PutOut,
}

impl Server {
    /// The session is over. Its link, if it has one, is the caller's to close.
    pub(super) fn end_session(&mut self, number: SessionNumber, end: End) {
        let shared = &mut self.shared;
        let Some(remains) = shared.sessions.end(number, &mut shared.deadlines) else { return };
        let Remains { app_id, uid, flow, memberships, allowance, last_heard } = remains;
        if shared.takes_notice(NoticeLevel::All) {
            for Origin { session, id } in flow.origins() {
                let (config, code) = (MessageConfig::ReliableOrdered, SendCode::Timeout);
                let to = uid.as_str().to_owned();
                shared.detail_of(session, || Detail::NotDelivered { to, id, config, code });
            }
        }
        // §5.4: nobody will acknowledge these any more.
        shared.outbox.end(&mut shared.sessions, shared.now, flow);
        // A user has one session: the next one is entered when this one is gone.
        self.users.remove(&app_id, &uid);
        self.targets.forget(number);
        self.welcomes.forget(shared, number);
        self.posts.forget(shared, &app_id, number);
        self.tallies.keep_allowance(shared, &app_id, &uid, allowance);
        let away_until = last_heard + shared.config.session_grace;
        for room in &memberships {
            let tallies = &mut self.tallies;
            let reason = match end {
                End::Logout => LeaveReason::Left,
                End::Dropped if planted(Bug::DroppedStaysInRooms) => continue,
                End::Dropped => LeaveReason::Dropped,
                End::Superseded => {
                    self.rooms.go_away(shared, tallies, &app_id, room, &uid, away_until);
                    continue;
                }
                End::PutOut => LeaveReason::Kicked,
            };
            self.rooms.remove(shared, tallies, &app_id, room, &uid, reason);
        }
        self.tell_offline(&app_id, &uid, end);
    }

    fn tell_offline(&mut self, app_id: &AppId, uid: &UserId, end: End) {
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

    /// §3.5: the user's session gives way: to another login, or to the same one, which lost it.
    pub(super) fn supersede(&mut self, number: SessionNumber, claim: u64, by: LinkId) {
        let Some(session) = self.shared.session(number) else { return };
        let is_same_login = session.claim() == claim;
        let link = session.link();
        if !is_same_login {
            let notice = |app_id, uid| Notice::Displaced { link, by, app_id, uid };
            self.shared.notice_of(number, notice);
        }
        if let Some(link) = link {
            let code = if is_same_login { CloseCode::Replaced } else { CloseCode::Displaced };
            self.close(link, code, words(CloseCode::Displaced));
        }
        if !is_same_login {
            self.bury(number, CloseCode::Displaced);
        }
        self.end_session(number, End::Superseded);
    }

    /// Puts a user out (§3.10). Whether it had a session.
    pub(super) fn end_login(&mut self, app_id: &AppId, uid: &UserId) -> bool {
        let number = self.users.find(app_id, uid.as_str());
        if let Some(number) = number {
            if !planted(Bug::PutOutForgotten) {
                self.bury(number, CloseCode::PutOut);
            }
            if let Some(link) = self.shared.session(number).and_then(|session| session.link()) {
                self.close(link, CloseCode::PutOut, words(CloseCode::PutOut));
            }
            self.end_session(number, End::PutOut);
        }
        // Memberships that waited for another login of it (§6.9).
        self.expel_everywhere(app_id, uid);
        number.is_some()
    }

    /// For as long as its client may ask to resume this session, it is told why it is over.
    fn bury(&mut self, number: SessionNumber, code: CloseCode) {
        let shared = &mut self.shared;
        let until = shared.now + shared.config.session_grace;
        shared.sessions.bury(number, code, &mut shared.deadlines, until);
    }

    /// The peer broke a rule: it is told which, and what it did is not resumed.
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

    /// §6.8: ends the sessions that did not take what they must.
    pub(super) fn end_overrun(&mut self) {
        while let Some(number) = self.shared.outbox.pop_overrun() {
            let Some(session) = self.shared.session(number) else { continue };
            if let Some(link) = session.link() {
                self.close(link, CloseCode::SlowConsumer, "did not read what it was sent");
            }
            self.end_session(number, End::Dropped);
        }
    }

    /// A session was silent for its whole grace, or was heard from meanwhile.
    pub(super) fn grace_due(&mut self, number: SessionNumber) {
        let shared = &mut self.shared;
        let Some(session) = shared.sessions.get_mut(number) else { return };
        let over_at = session.last_heard() + shared.config.session_grace;
        // Also when that has come meanwhile: sessions end in the order of their ends, however late
        // that is looked at.
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
