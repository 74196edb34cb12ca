//! Rooms that were not joined.

use rts_driver::client::{CreateRoomError, RoomState};

use super::culprit::Culprit;

/// Why an engine is not in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The room id is malformed.
    #[error("a room id has 1 to 128 bytes of A-Z a-z 0-9 _ @ -")]
    InvalidRoomId,
    /// The engine has 1,024 rooms: leave one.
    #[error("an engine has at most 1,024 rooms: leave one of them")]
    TooManyRooms,
    /// In the room, or joining it.
    #[error("already in the room, or joining it")]
    AlreadyJoined,
    /// The engine was closed.
    #[error("the engine was closed")]
    EngineClosed,
    /// Nobody is logged in on this engine.
    #[error("this engine is not logged in")]
    NotLoggedIn,
    /// The room was left, or the login ended, before the join was answered.
    #[error("the room was left, or the login ended, before the join was answered")]
    Cancelled,
    /// The room is banned for some time.
    #[error("the room is banned for some time")]
    RoomBanned,
    /// The user is banned from this room, or from all rooms.
    #[error("the user is banned from this room, or from all rooms")]
    UserBanned,
    /// The join failed: the room is full, or the user joins too often or is in 128 rooms.
    #[error("the join failed: the room is full, or the user joins too often or is in 128 rooms")]
    Failed,
    /// The server answered with another state.
    #[error("the join failed: {0}")]
    Refused(RoomState),
}

impl JoinError {
    /// The contract's number: that of `onRoomStateChanged`, or what `createRoom` or `joinRoom`
    /// returns. `None` for a join that was cancelled.
    #[must_use]
    pub const fn code(self) -> Option<i32> {
        Some(match self {
            Self::InvalidRoomId | Self::TooManyRooms | Self::EngineClosed => -1007,
            Self::AlreadyJoined => -2,
            Self::RoomBanned => RoomState::RoomBanned.code(),
            Self::UserBanned => RoomState::UserBanned.code(),
            Self::Failed | Self::NotLoggedIn => RoomState::JoinFailed.code(),
            Self::Refused(state) => state.code(),
            Self::Cancelled => return None,
        })
    }

    /// Who has to do something about it.
    #[must_use]
    pub const fn culprit(self) -> Culprit {
        match self {
            Self::InvalidRoomId
            | Self::TooManyRooms
            | Self::AlreadyJoined
            | Self::EngineClosed
            | Self::NotLoggedIn
            | Self::Cancelled => Culprit::Application,
            Self::RoomBanned | Self::UserBanned => Culprit::User,
            Self::Failed | Self::Refused(_) => Culprit::Server,
        }
    }
}

impl From<CreateRoomError> for JoinError {
    fn from(error: CreateRoomError) -> Self {
        match error {
            CreateRoomError::BadRoom => Self::InvalidRoomId,
            CreateRoomError::TooMany => Self::TooManyRooms,
            CreateRoomError::InUse => Self::AlreadyJoined,
            _ => Self::EngineClosed,
        }
    }
}

/// What a join came to that did not work.
pub(crate) fn refused(state: RoomState) -> JoinError {
    match state {
        RoomState::RoomBanned => JoinError::RoomBanned,
        RoomState::UserBanned => JoinError::UserBanned,
        RoomState::JoinFailed => JoinError::Failed,
        other => JoinError::Refused(other),
    }
}
