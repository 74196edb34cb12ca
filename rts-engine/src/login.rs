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
    version: u64,
    waiting: Vec<Waker>,
}

impl Login {
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
        if status != self.status {
            self.status = status;
            self.version += 1;
            woken.append(&mut self.waiting);
        }
    }
}
