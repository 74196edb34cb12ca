//! What a client shows to log in, for the driver to check.

use core::fmt;

use bytes::Bytes;

use crate::wire::Login;
use crate::{AppId, UserId};

/// What a driver checks.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The app that the client says it belongs to.
    pub app_id: AppId,
    /// The user that it says it is.
    pub uid: UserId,
    /// What it shows for that.
    pub token: Bytes,
}

/// Shows no token.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("app_id", &self.app_id)
            .field("uid", &self.uid)
            .finish_non_exhaustive()
    }
}

impl From<&Login> for Credentials {
    fn from(login: &Login) -> Self {
        Self { app_id: login.app_id.clone(), uid: login.uid.clone(), token: login.token.clone() }
    }
}
