//! The state of an engine's login, for code that keeps it alive: it has to know what the last answer
//! was, and not each event.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};

use rts_proto::client::{Client, Event};
use rts_proto::{ConnectionState, LoginCode, LogoutReason};

use crate::shared::Shared;

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
    /// Counts the changes.
    version: u64,
    waiting: Vec<Waker>,
}

impl Login {
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

/// Watches the login of one engine. It does not keep the engine alive.
pub struct LoginWatch {
    shared: Arc<Shared>,
    seen: u64,
}

impl LoginWatch {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let seen = shared.lock().login.version;
        Self { shared, seen }
    }

    /// The status now. [`changed`](Self::changed) waits for a later one.
    pub fn status(&mut self) -> LoginStatus {
        let state = self.shared.lock();
        self.seen = state.login.version;
        state.login.status
    }

    /// Waits until the status is not the last one that was seen here. Cancel safe. Only the newest
    /// status matters: several changes may be seen as one. After
    /// [`Destroyed`](LoginStatus::Destroyed) nothing changes any more, and this waits for ever.
    pub async fn changed(&mut self) -> LoginStatus {
        let seen = self.seen;
        poll_fn(|context| {
            self.shared.with(|state| {
                if state.login.version != seen {
                    return Poll::Ready(());
                }
                let waiting = &mut state.login.waiting;
                if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                    waiting.push(context.waker().clone());
                }
                Poll::Pending
            })
        })
        .await;
        self.status()
    }

    /// Like [`Engine::update_login_token`](crate::Engine::update_login_token).
    pub fn update_login_token(&self, token: &str) {
        self.shared.call(|state, now| state.client.update_login_token(now, token));
    }
}

impl fmt::Debug for LoginWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginWatch").finish_non_exhaustive()
    }
}
