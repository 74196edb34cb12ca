//! What the engine calls back.

use alloc::string::String;
use core::time::Duration;

use super::error::CreateRoomError;
use crate::code::codes;
use crate::{
    BroadcastCode, ConnectionState, LeaveReason, LoginCode, LogoutReason, MessageId, OnlineStatus,
    Payload, Reply, RoomId, RoomKey, RoomState, SendCode, ServerParamsCode, UserId,
};

/// Something that the application is told. The order of events is the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Event {
    /// `onConnectionStateChanged`
    ConnectionStateChanged(ConnectionState),
    /// `onLoginResult`: exactly one for each accepted login, unless a logout comes first.
    LoginResult {
        /// Who logged in.
        uid: UserId,
        /// How it went.
        code: LoginCode,
        /// Since `login` or `update_login_token`, or since the link was lost.
        elapsed: Duration,
    },
    /// `onLogout`: the login is over; nothing else of it is called back.
    Logout(LogoutReason),
    /// `onGetPeerOnlineStatus`: exactly one for each query.
    PeerOnlineStatus {
        /// The text that was asked about. It is no [`UserId`], since any text can be asked about.
        uid: String,
        /// The answer.
        status: OnlineStatus,
    },
    /// `onMessageReceived` and `onBinaryMessageReceived`
    MessageReceived {
        /// The sender.
        from: UserId,
        /// The message.
        payload: Payload,
    },
    /// `onMessageSendResult`: exactly one for each accepted send.
    MessageSendResult {
        /// What the send returned.
        id: MessageId,
        /// What became of it.
        code: SendCode,
    },
    /// `onServerParamsSetResult`: exactly one for each call.
    ServerParamsSetResult(ServerParamsCode),
    /// `onServerMessageSendResult`: exactly one for each accepted send to the app's server.
    ServerMessageSendResult {
        /// What the send returned.
        id: MessageId,
        /// What became of it.
        code: SendCode,
        /// What the app's server answered; empty unless the code is [`SendCode::Ok`].
        reply: Reply,
    },
    /// `onCreateRoomStateChanged`: `create_room` refused.
    CreateRoomFailed {
        /// The text that was asked for, a valid room id or not.
        room: String,
        /// Why.
        error: CreateRoomError,
    },
    /// Something about one room handle.
    Room {
        /// Which handle.
        key: RoomKey,
        /// Its room.
        room: RoomId,
        /// What.
        event: RoomEvent,
    },
    /// `onWarning`: something was ignored.
    Warning {
        /// What.
        code: WarningCode,
        /// For people.
        message: String,
    },
}

/// What happened in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RoomEvent {
    /// `onRoomStateChanged` with state 0.
    Joined {
        /// This engine's user.
        uid: UserId,
        /// Whether this is after a reconnect, and what that means.
        how: JoinType,
        /// Since `join`, or since the link was lost.
        elapsed: Duration,
    },
    /// `onRoomStateChanged` with another state.
    StateChanged {
        /// This engine's user; `None` when nobody is logged in.
        uid: Option<UserId>,
        /// Which.
        state: RoomState,
    },
    /// `onLeaveRoom`: really out.
    Left,
    /// `onRoomMessageReceived` and `onRoomBinaryMessageReceived`
    MessageReceived {
        /// The sender: another member, or a name that the app's back end gave itself.
        from: UserId,
        /// The message.
        payload: Payload,
    },
    /// `onUserMessageReceived` and `onUserBinaryMessageReceived`: to this member alone.
    UserMessageReceived {
        /// A name that the app's back end gave itself.
        from: UserId,
        /// The message.
        payload: Payload,
    },
    /// `onRoomMessageSendResult`: exactly one for each accepted broadcast.
    MessageSendResult {
        /// What the send returned.
        id: MessageId,
        /// What became of it.
        code: BroadcastCode,
    },
    /// `onUserJoined`: is in the room.
    UserJoined(UserId),
    /// `onUserLeave`: is no longer in the room.
    UserLeft {
        /// Who.
        uid: UserId,
        /// Why.
        reason: LeaveReason,
    },
}

/// What an engine's coming into a room means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum JoinType {
    /// `join`: those who are in the room are told next.
    First,
    /// The session went on after a reconnect: nothing that was said in the room is missing, and who
    /// is in it was told all along.
    Resumed,
    /// The session was lost and the room joined again: what was said meanwhile is missing, and
    /// those who are in the room now are told next, in place of all who were told before.
    Anew,
}

impl JoinType {
    /// After a reconnect: false when broadcasts may be missing. `None` for the join that the
    /// application asked for.
    #[must_use]
    pub const fn resumed(self) -> Option<bool> {
        match self {
            Self::First => None,
            Self::Resumed => Some(true),
            Self::Anew => Some(false),
        }
    }

    /// The contract's `join_type`: 1 after a reconnect.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::First => 0,
            Self::Resumed | Self::Anew => 1,
        }
    }
}

codes! {
    /// What a warning is about. The numbers are those of the JSON port.
    WarningCode: u32 {
        /// A run-time parameter that does not exist; it was ignored.
        UnknownParameter = 1, "unknown parameter";
        /// A run-time parameter with an invalid value; it was ignored.
        BadParameter = 2, "invalid parameter";
        /// The server broke a rule of the protocol; the link was dropped.
        ProtocolError = 3, "the server broke a rule of the protocol";
        /// After a relogin the server refused the params that were in force; there are none now.
        ServerParamsLost = 4, "the server refused the params that were in force";
        /// No link to the server came up, and the message says why. Attempts go on; the same reason
        /// is told once.
        LinkFailed = 5, "no link to the server";
    }
}
