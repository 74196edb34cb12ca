//! Logins that are not live.

use std::error::Error;
use std::sync::Arc;

use rts_driver::client as contract;
use rts_driver::client::{LoginCode, LogoutReason};

use super::culprit::Culprit;

/// Why a login is not live.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The token or the user id is malformed.
    #[error(
        "a login needs a token of 1 to 3,072 bytes and a user id of 1 to 128 bytes of \
         A-Z a-z 0-9 _ @ - ."
    )]
    InvalidArgument,
    /// The engine is logged in, or logging in: log out first.
    #[error("already logged in, or a login is under way: log out first")]
    AlreadyLoggedIn,
    /// The engine was closed.
    #[error("the engine was closed")]
    EngineClosed,
    /// The token is invalid, expired, revoked, or for another user or app. The login waits for
    /// [`Engine::update_token`](crate::Engine::update_token), or for another login.
    #[error("the server refuses the token: it is invalid, expired, revoked, or for another user")]
    TokenRefused,
    /// The [token provider](crate::Builder::token_provider) failed.
    #[error("the token provider failed")]
    TokenProvider(#[source] Arc<dyn Error + Send + Sync>),
    /// The engine has no token provider, so it needs a token.
    #[error("the engine has no token provider: use `login` with a token")]
    NoTokenProvider,
    /// The server refuses this user id: it is reserved, or the user is banned.
    #[error("the server refuses this user id")]
    UserRefused,
    /// The server cannot check tokens now.
    #[error("the server cannot check tokens now")]
    ServerError,
    /// The server did not answer in time, or gave no reason. Log in again.
    #[error("the login failed: log in again")]
    Failed,
    /// The login ended before it was answered: by a logout, another login, or the back end.
    #[error("the login ended before it was answered: {0}")]
    LoggedOut(LogoutReason),
}

impl LoginError {
    /// The contract's number: that of `onLoginResult`, or what `login` returns. `None` for what
    /// the contract does not number: a logout in between, and a provider that failed.
    #[must_use]
    pub const fn code(&self) -> Option<i32> {
        Some(match self {
            Self::InvalidArgument => -1,
            Self::AlreadyLoggedIn => -2,
            Self::EngineClosed => -3,
            Self::TokenRefused => -1000,
            Self::Failed => -1001,
            Self::UserRefused => -1002,
            Self::ServerError => -1003,
            Self::TokenProvider(_) | Self::NoTokenProvider | Self::LoggedOut(_) => return None,
        })
    }

    /// Who has to do something about it.
    #[must_use]
    pub const fn culprit(&self) -> Culprit {
        match self {
            Self::InvalidArgument
            | Self::AlreadyLoggedIn
            | Self::EngineClosed
            | Self::TokenProvider(_)
            | Self::NoTokenProvider => Culprit::Application,
            Self::TokenRefused | Self::UserRefused | Self::LoggedOut(_) => Culprit::User,
            Self::ServerError | Self::Failed => Culprit::Server,
        }
    }
}

/// The result of a login.
pub(crate) fn login(code: LoginCode) -> Result<(), LoginError> {
    match code {
        LoginCode::Ok => Ok(()),
        LoginCode::InvalidToken => Err(LoginError::TokenRefused),
        LoginCode::Unknown => Err(LoginError::Failed),
        LoginCode::BadUserId => Err(LoginError::UserRefused),
        LoginCode::ServerError => Err(LoginError::ServerError),
    }
}

impl From<contract::LoginError> for LoginError {
    fn from(error: contract::LoginError) -> Self {
        match error {
            contract::LoginError::BadArgument => Self::InvalidArgument,
            contract::LoginError::AlreadyLoggedIn => Self::AlreadyLoggedIn,
            _ => Self::EngineClosed,
        }
    }
}
