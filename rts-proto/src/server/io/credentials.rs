//! A client's credentials for a login.

use core::fmt;

use bytes::Bytes;

use crate::wire::Login;
use crate::{AppId, UserId};

/// The app, user and token of a login, which the driver checks.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The client's app.
    pub app_id: AppId,
    /// The client's user.
    pub uid: UserId,
    /// The token.
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
