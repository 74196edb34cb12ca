//! Errors of the calls of the contract.

/// `login` did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The token is empty or too long, or the user id is invalid.
    #[error(
        "a login needs a token of 1 to 3,072 bytes and a user id of 1 to 128 bytes of A-Z a-z 0-9 _ @ - ."
    )]
    BadArgument,
    /// Already logged in, or logging in.
    #[error("already logged in, or a login is in progress: log out first")]
    AlreadyLoggedIn,
    /// The engine was destroyed.
    #[error("the engine was destroyed")]
    NoEngine,
}

impl LoginError {
    /// The contract's number.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::BadArgument => -1,
            Self::AlreadyLoggedIn => -2,
            Self::NoEngine => -3,
        }
    }
}

/// A send was not accepted, and used up no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The engine was destroyed.
    #[error("the engine was destroyed")]
    NoEngine,
    /// The receiver's id is empty.
    #[error("the receiver's id is empty")]
    EmptyReceiver,
    /// All ids have been used.
    #[error("this engine has used all message ids")]
    NoMoreIds,
}

impl SendError {
    /// The contract's number.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::NoEngine | Self::NoMoreIds => -1,
            Self::EmptyReceiver => -2,
        }
    }
}

/// A broadcast was not accepted, and used up no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BroadcastError {
    /// The room handle, or its engine, was destroyed.
    #[error("the room was destroyed")]
    NoRoom,
    /// All ids have been used.
    #[error("this room has used all message ids")]
    NoMoreIds,
}

impl BroadcastError {
    /// The contract's number.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::NoRoom => -3,
            Self::NoMoreIds => -1,
        }
    }
}

/// `create_room` made no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum CreateRoomError {
    /// The id is not 1 to 128 bytes of the alphabet.
    #[error("a room id has 1 to 128 bytes of A-Z a-z 0-9 _ @ -")]
    BadRoom,
    /// The engine has as many handles as it can have: destroy one.
    #[error("an engine has at most 1,024 room handles: destroy one first")]
    TooMany,
    /// Another handle of the engine has this id.
    #[error("this engine already has a handle of this room")]
    InUse,
    /// The engine was destroyed.
    #[error("the engine was destroyed")]
    NoEngine,
}

impl CreateRoomError {
    /// The contract's number, for `onCreateRoomStateChanged`.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::BadRoom | Self::TooMany | Self::NoEngine => -1007,
            Self::InUse => -1013,
        }
    }
}

/// `join_room` did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// Already in the room, or joining it.
    #[error("already in the room, or joining it")]
    AlreadyJoined,
    /// The room handle, or its engine, was destroyed.
    #[error("the room was destroyed")]
    NoRoom,
}

impl JoinError {
    /// The contract's number.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::AlreadyJoined => -2,
            Self::NoRoom => -3,
        }
    }
}

/// `set_business_id` did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BusinessIdError {
    /// The user is in a room, or joining or leaving one.
    #[error("the business id cannot be changed while the user is in a room")]
    InRoom,
    /// The id has more than 128 bytes, or a byte outside the alphabet.
    #[error("a business id has up to 128 bytes of A-Z a-z 0-9 _ @ - .")]
    BadCharacters,
}

impl BusinessIdError {
    /// The contract's number.
    #[must_use]
    pub const fn code(self) -> i32 {
        match self {
            Self::InRoom => -6001,
            Self::BadCharacters => -6002,
        }
    }
}
