//! [`ReservedLogin`]: a login that waits for its first token.

use std::fmt;
use std::sync::Arc;

use rts_proto::client::LoginError;

use crate::engine::Engine;
use crate::handle::Handle;
use crate::login::LoginId;
use crate::login_watch::LoginWatch;

/// A login that waits for its first token. Another login overtakes it, a logout ends it, and so
/// does dropping it.
#[must_use = "dropping this ends the login"]
pub struct ReservedLogin {
    handle: Arc<Handle>,
    id: LoginId,
}

impl Engine {
    /// Reserves a login whose token is not known yet. Until the token comes, the engine does not
    /// connect, and a refused login before this one takes no tokens from a
    /// [`LoginWatch`].
    ///
    /// # Errors
    ///
    /// Already logged in or logging in; engine destroyed.
    pub fn reserve_login(&self) -> Result<ReservedLogin, LoginError> {
        let handle = self.handle();
        let id = handle.call(|state, _| state.reserve_login())?;
        Ok(ReservedLogin { handle: Arc::clone(handle), id })
    }
}

impl ReservedLogin {
    /// Which login this is.
    #[must_use]
    pub fn id(&self) -> LoginId {
        self.id
    }

    /// Watches this login.
    #[must_use]
    pub fn watch(&self) -> LoginWatch {
        LoginWatch::new(Arc::clone(self.handle.shared()), Some(self.id))
    }

    /// The token is known: logs in. If the login was overtaken or ended, nothing happens, and the
    /// watch says that it was logged out.
    ///
    /// # Errors
    ///
    /// Invalid token or user id. This ends the login.
    pub fn log_in(self, token: &str, uid: &str) -> Result<LoginWatch, LoginError> {
        self.handle.call(|state, now| state.begin_reserved(now, self.id, token, uid))?;
        Ok(self.watch())
    }
}

impl Drop for ReservedLogin {
    fn drop(&mut self) {
        self.handle.call(|state, _| state.cancel_reserved(self.id));
    }
}

impl fmt::Debug for ReservedLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReservedLogin").field("id", &self.id).finish_non_exhaustive()
    }
}
