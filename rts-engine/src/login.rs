//! The state of a login as one value, in place of the events that change it.

use std::task::{Context, Poll, Waker};

use rts_proto::client::{Client, Event};
use rts_proto::{ConnectionState, LoginCode, LogoutReason};

/// The state of an engine's login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginStatus {
    /// There has been no login.
    #[default]
    Idle,
    /// A login waits for its answer.
    LoggingIn,
    /// A login is live, with or without a link at the moment.
    LoggedIn,
    /// The token was refused. The login waits for another token.
    TokenRefused,
    /// The login was refused, and is over.
    Refused(LoginCode),
    /// The login is over.
    LoggedOut(LogoutReason),
    /// The login is over: the server refuses this engine, and the engine does not connect again by
    /// itself.
    ServerAbnormal,
    /// The engine was destroyed.
    Destroyed,
}

/// The status, and the tasks that wait for a change of it.
#[derive(Default)]
pub(crate) struct Login {
    status: LoginStatus,
    /// The status that the end of the last login left.
    end: LoginStatus,
    /// Counts the logins that the application began.
    number: u64,
    /// Whether the present login was accepted at some time.
    was_live: bool,
    /// The login has not been reported yet.
    is_new: bool,
    version: u64,
    waiting: Vec<Waker>,
}

impl Login {
    /// The application has begun a login: its number.
    pub(crate) fn begin(&mut self) -> u64 {
        self.number += 1;
        self.was_live = false;
        self.is_new = true;
        self.number
    }

    /// The status as it concerns the login with this number. A login that another one followed has
    /// ended.
    pub(crate) fn status_of(&self, login: u64) -> LoginStatus {
        match self.status {
            LoginStatus::Destroyed => LoginStatus::Destroyed,
            _ if self.number != login => LoginStatus::LoggedOut(LogoutReason::Own),
            status => status,
        }
    }

    pub(crate) fn was_live(&self) -> bool {
        self.was_live
    }

    pub(crate) fn status(&self) -> LoginStatus {
        self.status
    }

    /// The number of changes of the status.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Ready when the version differs from `seen`.
    pub(crate) fn poll_changed(&mut self, seen: u64, context: &Context<'_>) -> Poll<()> {
        if self.version != seen {
            return Poll::Ready(());
        }
        if !self.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            self.waiting.push(context.waker().clone());
        }
        Poll::Pending
    }

    pub(crate) fn happened(&mut self, event: &Event) {
        match event {
            Event::LoginResult { code: LoginCode::InvalidToken, .. } => {
                self.end = LoginStatus::TokenRefused;
            }
            Event::LoginResult { code, .. } if *code != LoginCode::Ok => {
                self.end = LoginStatus::Refused(*code);
            }
            Event::Logout(reason) => self.end = LoginStatus::LoggedOut(*reason),
            Event::ConnectionStateChanged(ConnectionState::Failed) => {
                self.end = LoginStatus::ServerAbnormal;
            }
            _ => {}
        }
    }

    pub(crate) fn settle(&mut self, client: &Client, woken: &mut Vec<Waker>) {
        let status = if client.is_destroyed() {
            LoginStatus::Destroyed
        } else if client.is_logged_in() {
            LoginStatus::LoggedIn
        } else if client.is_logging_in() {
            LoginStatus::LoggingIn
        } else {
            self.end
        };
        self.was_live |= status == LoginStatus::LoggedIn;
        if std::mem::take(&mut self.is_new) || status != self.status {
            self.status = status;
            self.version += 1;
            woken.append(&mut self.waiting);
        }
    }
}
