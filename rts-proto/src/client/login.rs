//! Login: from asking, over answers, to its many ends.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use bytes::Bytes;

use super::connection::Link;
use super::connection::Online;
use super::pending::{Asker, Question};
use super::session::{Session, Tag};
use super::{Client, Event};
use crate::planted::{Bug, planted};
use crate::wire::{self, Accepted, Frame, LoginAnswer};
use crate::{Disconnect, Instant, LinkId, LoginCode, LogoutReason, MessageId, SendCode, UserId};

/// ```text
///         login              ok                 logout, displaced, put out
/// Idle ----------> LoggingIn ----> LoggedIn -------------------------------> Idle
///                   |    ^            |
///             -1000 |    | new token  | token refused after a lost session
///                   v    |            |
///                 TokenRejected <-----+
/// ```
#[derive(Debug)]
pub(super) enum Login {
    Idle,
    LoggingIn(Attempt),
    TokenRejected { uid: UserId, claim: u64 },
    LoggedIn { uid: UserId, token: Bytes, session: Box<Session> },
}

#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) uid: UserId,
    pub(super) token: Bytes,
    /// 0 for a new login; the claim of the login that goes on after its token was refused.
    pub(super) claim: u64,
    pub(super) since: Instant,
}

/// How a login ends for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// `logout` or `destroy`.
    Own,
    /// The server says so: another login took its place, or the app's back end wants it out.
    ByServer(LogoutReason),
    /// The server will not have this client at all.
    Abnormal,
    /// The server refused to log the user in again.
    Refused(LoginCode),
}

impl Client {
    /// What to say on a new link; `None` when nobody wants to log in.
    pub(super) fn login_frame(&self, link: LinkId) -> Option<wire::Login> {
        let (uid, token, resume, claim) = match &self.login {
            Login::Idle | Login::TokenRejected { .. } => return None,
            Login::LoggingIn(Attempt { uid, token, claim, .. }) => (uid, token, None, *claim),
            Login::LoggedIn { uid, token, session } => {
                (uid, token, session.resume(), session.claim())
            }
        };
        Some(wire::Login {
            app_id: self.app_id.clone(),
            uid: uid.clone(),
            token: token.clone(),
            resume,
            claim,
            engine: self.engine,
            attempt: link.0,
        })
    }

    pub(super) fn login_answered(&mut self, now: Instant, answer: LoginAnswer) {
        match answer {
            LoginAnswer::Accepted(accepted) => self.login_accepted(now, &accepted),
            LoginAnswer::Refused(code) => self.login_refused(now, code),
        }
    }

    fn login_accepted(&mut self, now: Instant, accepted: &Accepted) {
        let Link::Greeting(greeting) = core::mem::replace(&mut self.link, Link::None) else {
            return;
        };
        self.link = Link::Online(Online::new(greeting.id, greeting.decoder, now));
        self.flights.restart(now);
        match core::mem::replace(&mut self.login, Login::Idle) {
            Login::LoggingIn(attempt) => {
                let Attempt { uid, token, since, .. } = attempt;
                let session = Box::new(Session::new(accepted, now));
                self.sessions_begun += 1;
                self.login = Login::LoggedIn { uid: uid.clone(), token, session };
                self.report_back(now);
                let elapsed = now.since(since);
                self.emit(Event::LoginResult { uid, code: LoginCode::Ok, elapsed });
                self.set_server_params_again(&mut Vec::new());
                self.rejoin_rooms(now);
            }
            Login::LoggedIn { uid, token, mut session } if accepted.resumed => {
                if let Err(error) = session.channel.resume(accepted.received, drop) {
                    self.login = Login::LoggedIn { uid, token, session };
                    return self.link_lost(now, Disconnect::PeerMisbehaved(error));
                }
                session.resumed(accepted);
                self.login = Login::LoggedIn { uid, token, session };
                let lost_at = self.timeline.heard();
                if self.report_back(now) {
                    self.confirm_rooms(now, lost_at);
                }
            }
            Login::LoggedIn { uid, token, session } => {
                let fresh = Box::new(session.followed_by(accepted, now));
                self.sessions_begun += 1;
                self.login = Login::LoggedIn { uid, token, session: fresh };
                let lost_at = self.timeline.heard();
                self.report_back(now);
                self.start_over(now, *session, lost_at);
            }
            idle @ (Login::Idle | Login::TokenRejected { .. }) => self.login = idle,
        }
        self.backoff.succeeded(now);
        self.release(now);
    }

    /// Says that the connection is back, if it was said to be gone, or up for the first time.
    fn report_back(&mut self, now: Instant) -> bool {
        let after_break = self.timeline.break_was_reported();
        if let Some(state) = self.timeline.back(now) {
            self.emit(Event::ConnectionStateChanged(state));
        }
        after_break
    }

    /// §4.12: the server made a new session. What may have left has an unknown outcome; what never
    /// left goes out now, after the rooms are joined again.
    fn start_over(&mut self, now: Instant, old: Session, lost_at: Instant) {
        let mut unsent = self.settle_lost_session(old);
        self.set_server_params_again(&mut unsent);
        self.rooms_lost_session(lost_at);
        self.rejoin_rooms(now);
        if let Login::LoggedIn { session, .. } = &mut self.login {
            if !planted(Bug::BacklogNotCarriedOver) {
                session.backlog.extend(unsent);
            }
            session.hold_back();
        }
        self.ask_statuses_again(now);
    }

    /// Gives a result to every message that may have left on a session that is over, and gives back
    /// those that certainly did not leave.
    fn settle_lost_session(&mut self, old: Session) -> Vec<(Bytes, Tag)> {
        let mut unsent = Vec::new();
        let mut waiting = BTreeSet::new();
        let never_moved = old.backlog.into_frames().map(|(bytes, tag)| (bytes, tag, false));
        for (bytes, tag, may_have_left) in old.channel.into_unacked().chain(never_moved) {
            let question = match tag {
                Tag::Send { id, .. } => Question::Send(id),
                Tag::Broadcast { wire_id, .. } => Question::Broadcast(wire_id),
                Tag::ServerParams(ticket) => Question::ServerParams(ticket),
                Tag::ServerSend(id) => Question::ServerSend(id),
                Tag::Status(_) | Tag::Join(_) | Tag::Leave => continue,
            };
            if !may_have_left {
                if let Some(flight) = self.pending.comes_back(question) {
                    self.flights.end(self.now, flight, false);
                }
                waiting.insert(question);
                unsent.push((bytes, tag));
            }
        }
        for question in self.pending.questions() {
            let is_asked_again =
                matches!(question, Question::Status(_) | Question::ServerParams(_));
            if !waiting.contains(&question) && !is_asked_again {
                self.answer_unknown(question);
            }
        }
        unsent
    }

    fn login_refused(&mut self, now: Instant, code: LoginCode) {
        let Link::Greeting(greeting) = &self.link else { return };
        let token_used = greeting.token.clone();
        match &self.login {
            Login::Idle | Login::TokenRejected { .. } => {}
            Login::LoggingIn(attempt) => {
                if code == LoginCode::InvalidToken && attempt.token != token_used {
                    return self.link_lost(now, Disconnect::Broken);
                }
                self.fail_login(now, code);
            }
            Login::LoggedIn { token, session, .. } => {
                // A newer token came while the older one was on its way: try that one.
                if code == LoginCode::InvalidToken && *token != token_used {
                    return self.link_lost(now, Disconnect::Broken);
                }
                match code {
                    LoginCode::Ok | LoginCode::Unknown => self.link_lost(now, Disconnect::Broken),
                    LoginCode::InvalidToken => {
                        let claim = session.claim();
                        self.relogin_rejected(now, claim);
                    }
                    LoginCode::BadUserId | LoginCode::ServerError => {
                        self.end_session(now, Ending::Refused(code));
                    }
                }
            }
        }
    }

    /// The first login of a session fails.
    fn fail_login(&mut self, now: Instant, code: LoginCode) {
        let Login::LoggingIn(attempt) = core::mem::replace(&mut self.login, Login::Idle) else {
            return;
        };
        self.drop_link();
        let Attempt { uid, claim, since, .. } = attempt;
        let elapsed = now.since(since);
        match code {
            LoginCode::InvalidToken => {
                self.login = Login::TokenRejected { uid: uid.clone(), claim };
            }
            _ => {
                self.forget_server_params();
                self.rooms_not_rejoined(&uid);
            }
        }
        self.emit(Event::LoginResult { uid, code, elapsed });
    }

    /// The token of a login that was live is no longer good. Rooms wait for a better one.
    fn relogin_rejected(&mut self, now: Instant, claim: u64) {
        let Login::LoggedIn { uid, session, .. } = core::mem::replace(&mut self.login, Login::Idle)
        else {
            return;
        };
        self.drop_link();
        self.settle_all(Some(*session));
        let lost_at = self.timeline.heard();
        self.rooms_lost_session(lost_at);
        self.login = Login::TokenRejected { uid: uid.clone(), claim };
        let elapsed = now.since(lost_at);
        self.emit(Event::LoginResult { uid, code: LoginCode::InvalidToken, elapsed });
    }

    pub(super) fn login_unanswered(&mut self, now: Instant) {
        match self.login {
            Login::LoggingIn(_) => self.fail_login(now, LoginCode::Unknown),
            _ => self.link_lost(now, Disconnect::TimedOut),
        }
    }

    pub(super) fn logged_out(&mut self, now: Instant, reason: LogoutReason) {
        self.end_session(now, Ending::ByServer(reason));
    }

    /// The login is over, live or under way. Every open question gets its answer first.
    pub(super) fn end_session(&mut self, now: Instant, ending: Ending) {
        let (uid, session, since) = match core::mem::replace(&mut self.login, Login::Idle) {
            none @ (Login::Idle | Login::TokenRejected { .. }) => {
                self.login = none;
                return;
            }
            Login::LoggingIn(attempt) => (attempt.uid, None, attempt.since),
            Login::LoggedIn { uid, session, .. } => (uid, Some(session), self.timeline.heard()),
        };
        let was_logged_in = session.is_some();
        self.settle_all(session.map(|session| *session));
        self.forget_server_params();
        if ending == Ending::Own && was_logged_in {
            self.transmit(now, Frame::Logout);
        }
        self.drop_link();
        let elapsed = now.since(since);
        match ending {
            Ending::Own => {
                if !planted(Bug::LogoutKeepsRooms) {
                    self.rooms.forget_memberships();
                }
                self.emit(Event::Logout(LogoutReason::Own));
            }
            Ending::ByServer(reason) => {
                self.rooms.forget_memberships();
                self.emit(Event::Logout(reason));
            }
            Ending::Abnormal => {
                self.rooms_abnormal(&uid);
                if !was_logged_in {
                    let code = LoginCode::ServerError;
                    self.emit(Event::LoginResult { uid, code, elapsed });
                }
            }
            Ending::Refused(code) => {
                self.rooms_not_rejoined(&uid);
                self.emit(Event::LoginResult { uid, code, elapsed });
            }
        }
    }

    /// Answers everything: with "not sent" what is certain not to have left, else with "unknown".
    fn settle_all(&mut self, session: Option<Session>) {
        let unsent = session.map(|session| self.settle_lost_session(session)).unwrap_or_default();
        for (_, tag) in unsent {
            match tag {
                Tag::Send { id, .. } => self.answer_send(id, SendCode::Broken),
                Tag::Broadcast { wire_id, .. } => {
                    self.answer_not_sent(Question::Broadcast(wire_id))
                }
                Tag::ServerParams(ticket) => self.server_params_not_sent(ticket),
                Tag::ServerSend(id) => self.answer_not_sent(Question::ServerSend(id)),
                Tag::Status(_) | Tag::Join(_) | Tag::Leave => {}
            }
        }
        for question in self.pending.questions() {
            self.answer_unknown(question);
        }
        self.forget_asked_params();
    }

    pub(super) fn answer_send(&mut self, id: MessageId, code: SendCode) {
        if let Some(Asker::Send(flight)) = self.pending.close(Question::Send(id)) {
            self.emit(Event::MessageSendResult { id, code });
            let is_ok = code == SendCode::Ok;
            self.flights.end(self.now, flight, is_ok);
            if planted(if is_ok { Bug::Canary } else { Bug::ResultTwice }) {
                self.emit(Event::MessageSendResult { id, code });
            }
        }
    }
}
