//! Messages that were not delivered.

use rts_driver::client as contract;
use rts_driver::client::{BroadcastCode, SendCode};

use super::culprit::Culprit;

/// Why a message was not delivered, or may not have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// It was not delivered, and never will be.
    #[error("not delivered: {0}")]
    NotDelivered(Reason),
    /// The app server was not reached, or did not answer in time. It may have the message.
    #[error("no answer from the app server: it may or may not have the message")]
    ServerNotReached,
    /// The app server has the message, but its answer is invalid.
    #[error("the app server has the message, but its answer is invalid")]
    BadAnswer,
    /// No answer came in time: it may have been delivered or not.
    #[error("no answer in time: the message may have been delivered or not")]
    TimedOut,
    /// The server gave no reason: it may have been delivered or not.
    #[error("the server gave no reason: the message may have been delivered or not")]
    Unknown,
}

/// Why a message was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The engine was closed.
    #[error("the engine was closed")]
    EngineClosed,
    /// The room was left, and its place was given to another room.
    #[error("the room was left, and its place was given to another room")]
    RoomClosed,
    /// Every message id was used.
    #[error("every message id was used")]
    NoMoreIds,
    /// Nobody is logged in on this engine.
    #[error("this engine is not logged in")]
    NotLoggedIn,
    /// The login has no answer yet.
    #[error("the login has no answer yet")]
    LoggingIn,
    /// The engine is not in the room.
    #[error("this engine is not in the room")]
    NotInRoom,
    /// [`Engine::set_server_params`](crate::Engine::set_server_params) has not succeeded.
    #[error("no server params are set")]
    NoServerParams,
    /// The payload has more than 65,536 bytes.
    #[error("the payload has more than 65,536 bytes")]
    TooLong,
    /// The receiver's id is empty, or none that a user can have.
    #[error("no user can have the receiver's id")]
    InvalidReceiver,
    /// The receiver's id is empty.
    #[error("the receiver's id is empty")]
    EmptyReceiver,
    /// The receiver is not logged in.
    #[error("the receiver is not logged in")]
    ReceiverOffline,
    /// Over the sender's or the room's rate, or too many sends have no result yet.
    #[error("over the rate, or too many sends have no result yet")]
    OverRate,
    /// The connection is broken, or the receiver takes no more.
    #[error("the connection is broken, or the receiver takes no more")]
    NotSent,
    /// There is no data channel.
    #[error("there is no data channel")]
    NoChannel,
}

impl SendError {
    /// The contract's number: a result, or what the call returned if it is negative.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::NotDelivered(reason) => reason.code(),
            Self::ServerNotReached => 17,
            Self::BadAnswer => 18,
            Self::TimedOut => 1,
            Self::Unknown => 1000,
        }
    }

    /// Who has to do something about it.
    #[must_use]
    pub const fn culprit(self) -> Culprit {
        match self {
            Self::NotDelivered(reason) => reason.culprit(),
            Self::ServerNotReached | Self::BadAnswer => Culprit::AppServer,
            Self::TimedOut => Culprit::Network,
            Self::Unknown => Culprit::Server,
        }
    }

    /// Whether the message certainly did not arrive, and may be sent again without being doubled.
    #[must_use]
    pub const fn is_not_delivered(self) -> bool {
        matches!(self, Self::NotDelivered(_))
    }
}

impl Reason {
    /// The contract's number.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::EngineClosed | Self::NoMoreIds => -1,
            Self::EmptyReceiver => -2,
            Self::RoomClosed => -3,
            Self::NotSent => 2,
            Self::InvalidReceiver => 3,
            Self::ReceiverOffline => 4,
            Self::OverRate => 5,
            Self::NotInRoom => 100,
            Self::LoggingIn => 101,
            Self::NoChannel => 102,
            Self::TooLong => 103,
            Self::NotLoggedIn => 105,
            Self::NoServerParams => 106,
        }
    }

    /// Who has to do something about it.
    #[must_use]
    pub const fn culprit(self) -> Culprit {
        match self {
            Self::EngineClosed
            | Self::RoomClosed
            | Self::NoMoreIds
            | Self::NotLoggedIn
            | Self::LoggingIn
            | Self::NotInRoom
            | Self::NoServerParams
            | Self::TooLong
            | Self::InvalidReceiver
            | Self::EmptyReceiver => Culprit::Application,
            Self::ReceiverOffline => Culprit::Receiver,
            Self::NotSent | Self::NoChannel => Culprit::Network,
            Self::OverRate => Culprit::Server,
        }
    }
}

/// The result of a message to a user or to the app server.
pub(crate) fn sent(code: SendCode) -> Result<(), SendError> {
    Err(SendError::NotDelivered(match code {
        SendCode::Ok => return Ok(()),
        SendCode::Timeout => return Err(SendError::TimedOut),
        SendCode::Unknown => return Err(SendError::Unknown),
        SendCode::ServerNotReached => return Err(SendError::ServerNotReached),
        SendCode::ServerBadAnswer => return Err(SendError::BadAnswer),
        SendCode::Broken => Reason::NotSent,
        SendCode::ReceiverNotFound => Reason::InvalidReceiver,
        SendCode::ReceiverNotLoggedIn => Reason::ReceiverOffline,
        SendCode::OverRate => Reason::OverRate,
        SendCode::NotInRoom => Reason::NotInRoom,
        SendCode::NotInitialised => Reason::LoggingIn,
        SendCode::NoChannel => Reason::NoChannel,
        SendCode::TooLong => Reason::TooLong,
        SendCode::EmptyReceiver => Reason::EmptyReceiver,
        SendCode::NotLoggedIn => Reason::NotLoggedIn,
        SendCode::NoServerParams => Reason::NoServerParams,
    }))
}

/// The result of a broadcast.
pub(crate) fn broadcast(code: BroadcastCode) -> Result<(), SendError> {
    Err(SendError::NotDelivered(match code {
        BroadcastCode::Ok => return Ok(()),
        BroadcastCode::Timeout => return Err(SendError::TimedOut),
        BroadcastCode::Unknown => return Err(SendError::Unknown),
        BroadcastCode::Broken => Reason::NotSent,
        BroadcastCode::OverRate => Reason::OverRate,
        BroadcastCode::NotInRoom => Reason::NotInRoom,
        BroadcastCode::NotInitialised => Reason::LoggingIn,
        BroadcastCode::NoChannel => Reason::NoChannel,
        BroadcastCode::TooLong => Reason::TooLong,
    }))
}

impl From<contract::SendError> for SendError {
    fn from(error: contract::SendError) -> Self {
        Self::NotDelivered(match error {
            contract::SendError::EmptyReceiver => Reason::EmptyReceiver,
            contract::SendError::NoMoreIds => Reason::NoMoreIds,
            _ => Reason::EngineClosed,
        })
    }
}

impl From<contract::BroadcastError> for SendError {
    fn from(error: contract::BroadcastError) -> Self {
        Self::NotDelivered(match error {
            contract::BroadcastError::NoMoreIds => Reason::NoMoreIds,
            _ => Reason::RoomClosed,
        })
    }
}
