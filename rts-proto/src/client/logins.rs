//! The answer to a login, and its consequences.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytes::Bytes;

use super::connection::{Ended, Entered, Entry, Session, Tag};
use super::endings::Ending;
use super::engine::Client;
use super::event::Event;
use super::questions::Question;
use super::timer::Timer;
use crate::planted::{Bug, planted};
use crate::wire::{Accepted, Frame, LoginAnswer};
use crate::{Disconnect, Instant, LoginCode};

impl Client {
    pub(super) fn login_answered(&mut self, answer: LoginAnswer) {
        match answer {
            LoginAnswer::Accepted(accepted) => self.login_accepted(&accepted),
            LoginAnswer::Refused(code) => self.login_refused(code),
        }
    }

    fn login_accepted(&mut self, accepted: &Accepted) {
        self.questions.restart_flights(self.shared.now());
        let entered = match self.connection.accepted(accepted, &mut self.shared) {
            Ok(Some(entered)) => entered,
            Ok(None) => return,
            Err(error) => return self.link_lost(Disconnect::PeerMisbehaved(error)),
        };
        let Entered { entry, lost_at, was_reported } = entered;
        match entry {
            Entry::First { since } => self.enter(since),
            Entry::Resumed { .. } if was_reported => self.confirm_rooms(lost_at),
            Entry::Resumed { .. } => {}
            Entry::Anew { old } => self.start_over(old, lost_at),
        }
        self.release();
    }

    fn enter(&mut self, since: Instant) {
        let Some(uid) = self.connection.user().cloned() else { return };
        let elapsed = self.shared.now().since(since);
        self.shared.emit(Event::LoginResult { uid, code: LoginCode::Ok, elapsed });
        self.repeat_server_params(&mut Vec::new());
        self.rejoin_rooms();
    }

    fn confirm_rooms(&mut self, lost_at: Instant) {
        if let Some(user) = self.connection.user() {
            self.rooms.confirm(user, lost_at, &mut self.shared);
        }
    }

    /// §4.12: the server made a new session. Frames that may have left have an unknown result.
    /// Frames that never left go out now, after the rooms are joined again.
    fn start_over(&mut self, old: Box<Session>, lost_at: Instant) {
        let mut unsent = self.questions.settle(old.into_frames(), &self.rooms, &mut self.shared);
        self.repeat_server_params(&mut unsent);
        self.rooms.session_lost(lost_at);
        self.rejoin_rooms();
        self.carry_over(unsent);
        self.ask_statuses_again();
    }

    /// Sets the params in force again, and those that are not decided.
    fn repeat_server_params(&mut self, unsent: &mut Vec<(Bytes, Question)>) {
        let frames = self.server_params.repeat(unsent, &mut self.questions);
        for (frame, question) in frames {
            self.connection.push(frame, Tag::Question(question));
        }
    }

    fn carry_over(&mut self, unsent: Vec<(Bytes, Question)>) {
        for (frame, question) in unsent {
            if !planted(Bug::BacklogNotCarriedOver) {
                self.connection.queue(frame, question, &self.questions);
            }
        }
        self.connection.hold_back();
    }

    /// §4.12: the queries of the old session are asked again on the new one.
    fn ask_statuses_again(&mut self) {
        for (query, uid) in self.questions.statuses() {
            let uid = Bytes::copy_from_slice(uid.as_bytes());
            let frame = Frame::StatusQuery { query, uid };
            self.connection.queue(frame.encode(), Question::Status(query), &self.questions);
        }
    }

    fn login_refused(&mut self, code: LoginCode) {
        match code {
            // A newer token arrived while the older one was checked: use it.
            LoginCode::InvalidToken if self.connection.has_newer_token() => {
                self.link_lost(Disconnect::Broken);
            }
            LoginCode::InvalidToken => self.token_rejected(),
            LoginCode::Ok | LoginCode::Unknown if self.connection.is_logged_in() => {
                self.link_lost(Disconnect::Broken);
            }
            LoginCode::Ok | LoginCode::Unknown | LoginCode::BadUserId | LoginCode::ServerError => {
                self.end_login(Ending::Refused(code))
            }
        }
    }

    /// The token was refused, at the login or later. Rooms of a live login wait for a better token.
    fn token_rejected(&mut self) {
        let Some(ended) = self.connection.reject_token(&mut self.shared) else { return };
        let Ended { uid, session, since } = ended;
        if session.is_some() {
            self.answer_all(session);
            self.rooms.session_lost(since);
        }
        let elapsed = self.shared.now().since(since);
        self.shared.emit(Event::LoginResult { uid, code: LoginCode::InvalidToken, elapsed });
    }

    /// The server did not answer. A login that was live before makes further attempts.
    pub(super) fn login_unanswered(&mut self) {
        if self.connection.is_logging_in() {
            self.end_login(Ending::Refused(LoginCode::Unknown));
        } else {
            self.link_timed_out(Timer::Login);
        }
    }
}
