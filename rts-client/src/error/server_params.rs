//! Server params that are not in force.

use rts_driver::client::ServerParamsCode;

use super::culprit::Culprit;

/// Why server params are not in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServerParamsError {
    /// The engine was closed.
    #[error("the engine was closed")]
    EngineClosed,
    /// Nobody is logged in on this engine.
    #[error("this engine is not logged in")]
    NotLoggedIn,
    /// The signature or the URL cannot be used, or the operator does not allow the URL.
    #[error("the signature or the URL cannot be used, or the operator does not allow the URL")]
    Refused,
    /// Too many calls have no answer yet.
    #[error("over the rate, or too many calls have no answer yet")]
    OverRate,
    /// The connection is broken: they were not sent.
    #[error("not sent: the connection is broken")]
    NotSent,
    /// No answer in time: they may be in force or not.
    #[error("no answer in time: the params may be in force or not")]
    TimedOut,
}

impl ServerParamsError {
    /// The contract's number.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::TimedOut => 1,
            Self::NotSent => 2,
            Self::OverRate => 5,
            Self::NotLoggedIn | Self::EngineClosed => 105,
            Self::Refused => 1000,
        }
    }

    /// Who has to do something about it.
    #[must_use]
    pub const fn culprit(self) -> Culprit {
        match self {
            Self::EngineClosed | Self::NotLoggedIn | Self::Refused => Culprit::Application,
            Self::OverRate => Culprit::Server,
            Self::NotSent | Self::TimedOut => Culprit::Network,
        }
    }
}

pub(crate) fn server_params(code: ServerParamsCode) -> Result<(), ServerParamsError> {
    match code {
        ServerParamsCode::Ok => Ok(()),
        ServerParamsCode::Timeout => Err(ServerParamsError::TimedOut),
        ServerParamsCode::Broken => Err(ServerParamsError::NotSent),
        ServerParamsCode::OverRate => Err(ServerParamsError::OverRate),
        ServerParamsCode::NotLoggedIn => Err(ServerParamsError::NotLoggedIn),
        ServerParamsCode::Unknown => Err(ServerParamsError::Refused),
    }
}
