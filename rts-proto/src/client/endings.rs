//! The ends of links and logins, and their consequences.

use core::time::Duration;

use super::engine::Client;
use super::event::Event;
use super::timer::Timer;
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{ConnectionState, Disconnect, LoginCode, LogoutReason, Retry, RoomState};

/// How a login ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// `logout` or `destroy`.
    Own,
    /// The server ended it: another login took its place, or the app's back end put the user out.
    ByServer(LogoutReason),
    /// The server refuses this client.
    Abnormal,
    /// The server refused the login, or a repeated one.
    Refused(LoginCode),
}

impl Client {
    /// The link is lost; the reason decides what follows.
    pub(super) fn link_lost(&mut self, why: Disconnect) {
        self.give_up_link(why, None);
    }

    /// The server was silent for too long.
    pub(super) fn link_timed_out(&mut self, timer: Timer) {
        self.give_up_link(Disconnect::TimedOut, Some(timer));
    }

    fn give_up_link(&mut self, why: Disconnect, timer: Option<Timer>) {
        self.connection.lose_link(why, timer, &mut self.shared);
        match why.retry() {
            Retry::LoggedOut(LogoutReason::Displaced) if planted(Bug::DisplacedComesBack) => {}
            Retry::LoggedOut(reason) => return self.end_login(Ending::ByServer(reason)),
            Retry::Never => return self.give_up(),
            Retry::WithBackoff => {}
        }
        if why.ends_session() {
            self.connection.give_up_resuming();
        }
        self.finish_leaving();
        let at_least = match why {
            Disconnect::ByPeer { retry_after, .. } => retry_after,
            Disconnect::Broken | Disconnect::TimedOut | Disconnect::PeerMisbehaved(_) => {
                Duration::ZERO
            }
        };
        self.connection.connect_later(at_least, &mut self.shared);
    }

    /// The server refuses this client: reports state 7 and ends the login.
    fn give_up(&mut self) {
        self.finish_leaving();
        self.shared.emit(Event::ConnectionStateChanged(ConnectionState::Failed));
        self.end_login(Ending::Abnormal);
    }

    /// Ends a login that is live or in progress. Every open question gets its answer first.
    pub(super) fn end_login(&mut self, ending: Ending) {
        let Some(ended) = self.connection.end_login() else { return };
        let (uid, was_logged_in) = (ended.uid, ended.session.is_some());
        self.answer_all(ended.session);
        self.server_params.forget();
        if ending == Ending::Own && was_logged_in {
            self.connection.transmit(Frame::Logout, &mut self.shared);
        }
        self.connection.drop_link(&mut self.shared);
        let elapsed = self.shared.now().since(ended.since);
        match ending {
            Ending::Own => {
                if !planted(Bug::LogoutKeepsRooms) {
                    self.rooms.forget_memberships();
                }
                self.shared.emit(Event::Logout(LogoutReason::Own));
            }
            Ending::ByServer(reason) => {
                self.rooms.forget_memberships();
                self.shared.emit(Event::Logout(reason));
            }
            Ending::Abnormal => {
                self.rooms.end_memberships(&uid, RoomState::ServerAbnormal, &mut self.shared);
                if !was_logged_in {
                    let code = LoginCode::ServerError;
                    self.shared.emit(Event::LoginResult { uid, code, elapsed });
                }
            }
            Ending::Refused(code) => {
                self.rooms.end_memberships(&uid, RoomState::JoinFailed, &mut self.shared);
                self.shared.emit(Event::LoginResult { uid, code, elapsed });
            }
        }
    }
}
