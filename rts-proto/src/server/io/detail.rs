//! What a developer may want to read: why a message, a join or a call had its result.

use alloc::string::String;

use crate::limits::ID_BYTES_MAX;
use crate::{
    BroadcastCode, MessageConfig, MessageId, RoomId, RoomState, SendCode, ServerParamsCode,
};

/// Why a user's message, join or call did not have the usual result, in
/// [`Notice::Detail`](super::Notice::Detail).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A message to a user has a result other than [`SendCode::Ok`].
    NotDelivered {
        /// To whom: the text that came, cut at the length of the longest id.
        to: String,
        /// The sender's number of it.
        id: MessageId,
        /// How it was sent.
        config: MessageConfig,
        /// Its result.
        code: SendCode,
    },
    /// A broadcast has a result other than [`BroadcastCode::Ok`].
    NotBroadcast {
        /// To which room.
        room: RoomId,
        /// The sender's number of it.
        id: MessageId,
        /// Its result.
        code: BroadcastCode,
    },
    /// A message to the app's server has a result other than [`SendCode::Ok`].
    NotPosted {
        /// The sender's number of it.
        id: MessageId,
        /// Its result.
        code: SendCode,
    },
    /// The user may not enter the room.
    JoinRefused {
        /// Which.
        room: RoomId,
        /// What the client is told.
        state: RoomState,
        /// Why.
        refusal: JoinRefusal,
    },
    /// Params for the app's server are refused.
    ServerParamsRefused {
        /// What the client is told.
        code: ServerParamsCode,
    },
}

/// Why a user may not enter a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinRefusal {
    /// The app's back end banned the room, or the user.
    Banned,
    /// The room has [`Config::room_members_max`](crate::server::Config::room_members_max) members.
    RoomFull,
    /// The user is in [`ROOMS_PER_USER_MAX`](crate::limits::ROOMS_PER_USER_MAX) rooms.
    TooManyRooms,
    /// The user joins more often than the rate allows.
    OverRate,
}

/// As much of the receiver that a client named as an id may have.
pub(in crate::server) fn named(receiver: &[u8]) -> String {
    let end = receiver.len().min(ID_BYTES_MAX);
    String::from_utf8_lossy(&receiver[..end]).into_owned()
}
