//! How far an engine is with its login, as a state instead of the events that lead to it.

use std::task::{Context, Poll, Waker};

use rts_proto::client::{Client, Event};
use rts_proto::{ConnectionState, LoginCode, LogoutReason};

/// How far an engine is with its login.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginStatus {
    /// There was no login yet.
    #[default]
    Idle,
    /// A login waits for its answer.
    LoggingIn,
    /// A login is live, with or without a link at the moment.
    LoggedIn,
    /// The token was refused: the login waits for another one.
    TokenRefused,
    /// The login was refused, and is over.
    Refused(LoginCode),
    /// The login is over.
    LoggedOut(LogoutReason),
    /// The server takes no more logins of this engine by itself.
    ServerAbnormal,
    /// The engine was destroyed.
    Destroyed,
}

/// The status, and who waits for another one.
#[derive(Default)]
pub(crate) struct Login {
    status: LoginStatus,
    /// How the last login ended.
    end: LoginStatus,
    version: u64,
    waiting: Vec<Waker>,
}

impl Login {
    pub(crate) fn status(&self) -> LoginStatus {
        self.status
    }

    /// Counts the changes of the status.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Ready when the version is not this one any more.
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
        if status != self.status {
            self.status = status;
            self.version += 1;
            woken.append(&mut self.waiting);
        }
    }
}
