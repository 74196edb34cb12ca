//! Details for developers: why a message, a join or a call had its result.

use alloc::string::String;

use crate::limits::ID_BYTES_MAX;
use crate::{
    BroadcastCode, MessageConfig, MessageId, RoomId, RoomState, SendCode, ServerParamsCode,
};

/// The reason for an unusual result of a message, join or call, in
/// [`Notice::Detail`](super::Notice::Detail).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A message to a user has a result other than [`SendCode::Ok`].
    NotDelivered {
        /// The receiver: the text of the frame, cut at the length of the longest id.
        to: String,
        /// The sender's id of the message.
        id: MessageId,
        /// Its delivery guarantee.
        config: MessageConfig,
        /// Its result.
        code: SendCode,
    },
    /// A broadcast has a result other than [`BroadcastCode::Ok`].
    NotBroadcast {
        /// The room.
        room: RoomId,
        /// The sender's id of the broadcast.
        id: MessageId,
        /// Its result.
        code: BroadcastCode,
    },
    /// A message to the app server has a result other than [`SendCode::Ok`].
    NotPosted {
        /// The sender's id of the message.
        id: MessageId,
        /// Its result.
        code: SendCode,
    },
    /// The user may not enter the room.
    JoinRefused {
        /// The room.
        room: RoomId,
        /// The state for the client.
        state: RoomState,
        /// The reason.
        refusal: JoinRefusal,
    },
    /// Params for the app server are refused.
    ServerParamsRefused {
        /// The code for the client.
        code: ServerParamsCode,
    },
}

/// Why a user may not enter a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum JoinRefusal {
    /// The app's back end banned the room, or the user.
    Banned,
    /// The room has [`Config::room_members_max`](crate::server::Config::room_members_max) members.
    RoomFull,
    /// The user is in [`ROOMS_PER_USER_MAX`](crate::limits::ROOMS_PER_USER_MAX) rooms.
    TooManyRooms,
    /// The user joins more often than the rate allows.
    OverRate,
    /// Too much waits for the room's shard.
    ShardBusy,
}

/// The receiver of a message, cut at the length of the longest id.
pub(in crate::server) fn named(receiver: &[u8]) -> String {
    let end = receiver.len().min(ID_BYTES_MAX);
    String::from_utf8_lossy(&receiver[..end]).into_owned()
}
