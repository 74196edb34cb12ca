//! [`LoginWatch`]: watches a login, for example to supply it with tokens.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;

use crate::login::LoginStatus;
use crate::shared::Shared;

/// Watches the login of one engine. It does not keep the engine alive.
pub struct LoginWatch {
    shared: Arc<Shared>,
    seen: u64,
    /// The number of the login; `None` for whichever is the present one.
    login: Option<u64>,
}

impl LoginWatch {
    pub(crate) fn new(shared: Arc<Shared>, login: Option<u64>) -> Self {
        let seen = shared.lock().login.version();
        Self { shared, seen, login }
    }

    /// The status now. [`changed`](Self::changed) waits for a later one.
    pub fn status(&mut self) -> LoginStatus {
        let state = self.shared.lock();
        self.seen = state.login.version();
        match self.login {
            Some(login) => state.login.status_of(login),
            None => state.login.status(),
        }
    }

    /// Whether the present login was accepted at some time.
    #[must_use]
    pub fn was_live(&self) -> bool {
        self.shared.lock().login.was_live()
    }

    /// Waits until the status differs from the last one seen through this watch. Cancel safe.
    /// Several changes may be seen as one, because only the newest status matters. After
    /// [`Destroyed`](LoginStatus::Destroyed) nothing changes any more, and this waits for ever.
    pub async fn changed(&mut self) -> LoginStatus {
        let seen = self.seen;
        poll_fn(|context| self.shared.with(|state| state.login.poll_changed(seen, context))).await;
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
