//! [`LoginWatch`]: watches a login, for example to supply it with tokens.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use rts_proto::UserId;

use crate::login::{LoginId, LoginStatus};
use crate::shared::Shared;

/// Watches the login of one engine. It does not keep the engine alive.
pub struct LoginWatch {
    shared: Arc<Shared>,
    seen: u64,
    /// `None` for whichever login is the present one.
    login: Option<LoginId>,
}

/// A login at one moment.
#[derive(Clone)]
pub struct LoginView {
    id: LoginId,
    status: LoginStatus,
    was_live: bool,
    sessions_lost: u64,
    uid: Option<UserId>,
    token: Option<Bytes>,
}

impl LoginWatch {
    pub(crate) fn new(shared: Arc<Shared>, login: Option<LoginId>) -> Self {
        let seen = shared.lock().login().version();
        Self { shared, seen, login }
    }

    /// The status now. [`changed`](Self::changed) waits for a later one.
    pub fn status(&mut self) -> LoginStatus {
        let state = self.shared.lock();
        self.seen = state.login().version();
        match self.login {
            Some(login) => state.login().status_of(login),
            None => state.login().status(),
        }
    }

    /// The login now. [`changed`](Self::changed) waits for a later change of it.
    pub fn look(&mut self) -> LoginView {
        let state = self.shared.lock();
        self.seen = state.login().version();
        let id = self.login.unwrap_or(state.login().id());
        let mut view = LoginView {
            id,
            status: state.login().status_of(id),
            was_live: false,
            sessions_lost: 0,
            uid: None,
            token: None,
        };
        if view.status.takes_tokens() {
            view.was_live = state.login().was_live();
            view.sessions_lost = state.login().sessions_lost();
            view.uid = state.client().user().cloned();
            view.token = state.client().token().cloned();
        }
        view
    }

    /// Waits until the login differs from the last one seen through this watch: its status, its
    /// token or its session, or another login is the present one. Cancel safe. Several changes may
    /// be seen as one, because only the newest status matters. After
    /// [`Destroyed`](LoginStatus::Destroyed) nothing changes any more, and this waits for ever.
    pub async fn changed(&mut self) -> LoginStatus {
        poll_fn(|context| self.poll_changed(context)).await;
        self.status()
    }

    /// Like [`changed`](Self::changed), for code without `async`. It stays ready until the status
    /// or the login is looked at.
    pub fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let seen = self.seen;
        self.shared.with(|state| state.poll_login(seen, context))
    }

    /// Like [`Engine::update_login_token`](crate::Engine::update_login_token), for the watched
    /// login only. Nothing happens if this login is over or was overtaken, or waits for its first
    /// token.
    pub fn update_token(&self, token: &str) {
        self.shared.call(|state, now| {
            let is_present = self.login.is_none_or(|login| login == state.login().id());
            if is_present && state.login().takes_tokens() {
                state.update_login_token(now, token);
            }
        });
    }

    /// Like [`update_token`](Self::update_token), if that login still has the token that was seen.
    /// Returns whether the login has the new token.
    pub fn replace_token(&self, seen: &LoginView, token: &str) -> bool {
        self.shared.call(|state, now| {
            let is_as_seen = state.login().id() == seen.id
                && state.login().takes_tokens()
                && state.client().token() == seen.token.as_ref();
            if is_as_seen {
                state.update_login_token(now, token);
            }
            is_as_seen && state.client().token().is_some_and(|present| present == token.as_bytes())
        })
    }
}

impl LoginView {
    /// Which login this is.
    #[must_use]
    pub fn id(&self) -> LoginId {
        self.id
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> LoginStatus {
        self.status
    }

    /// Whether it was accepted at some time.
    #[must_use]
    pub fn was_live(&self) -> bool {
        self.was_live
    }

    /// How often it began a new session because the last one could not be resumed. Messages and
    /// broadcasts that were sent in between may be missing.
    #[must_use]
    pub fn sessions_lost(&self) -> u64 {
        self.sessions_lost
    }

    /// The user; `None` for a login that is over, or that has no token yet.
    #[must_use]
    pub fn uid(&self) -> Option<&UserId> {
        self.uid.as_ref()
    }

    /// Its token, which the server may have refused; `None` like [`uid`](Self::uid).
    #[must_use]
    pub fn token(&self) -> Option<&[u8]> {
        self.token.as_deref()
    }
}

/// Does not show the token.
impl fmt::Debug for LoginView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginView")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("uid", &self.uid)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for LoginWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginWatch").finish_non_exhaustive()
    }
}
