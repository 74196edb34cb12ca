//! The events of an engine.

use alloc::string::String;
use core::time::Duration;

use super::error::CreateRoomError;
use crate::code::codes;
use crate::{
    BroadcastCode, ConnectionState, LeaveReason, LoginCode, LogoutReason, MessageId, OnlineStatus,
    Payload, Reply, RoomId, RoomKey, RoomState, SendCode, ServerParamsCode, UserId,
};

/// An event for the application. Events are in the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Event {
    /// `onConnectionStateChanged`
    ConnectionStateChanged(ConnectionState),
    /// `onLoginResult`: exactly one for each accepted login, unless a logout comes first.
    LoginResult {
        /// The user.
        uid: UserId,
        /// The result.
        code: LoginCode,
        /// Time since `login` or `update_login_token`, or since the link was lost.
        elapsed: Duration,
    },
    /// `onLogout`: the login ended. Its last event.
    Logout(LogoutReason),
    /// `onGetPeerOnlineStatus`: exactly one for each query.
    PeerOnlineStatus {
        /// The queried text. It is not a [`UserId`], because any text can be queried.
        uid: String,
        /// The user's status.
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
        /// The id that the send returned.
        id: MessageId,
        /// The result.
        code: SendCode,
    },
    /// `onServerParamsSetResult`: exactly one for each call.
    ServerParamsSetResult(ServerParamsCode),
    /// `onServerMessageSendResult`: exactly one for each accepted send to the app server.
    ServerMessageSendResult {
        /// The id that the send returned.
        id: MessageId,
        /// The result.
        code: SendCode,
        /// The app server's answer; empty unless the code is [`SendCode::Ok`].
        reply: Reply,
    },
    /// `onCreateRoomStateChanged`: `create_room` refused.
    CreateRoomFailed {
        /// The room id of the call, valid or not.
        room: String,
        /// The reason.
        error: CreateRoomError,
    },
    /// An event of one room handle.
    Room {
        /// The handle.
        key: RoomKey,
        /// Its room.
        room: RoomId,
        /// The event.
        event: RoomEvent,
    },
    /// `onWarning`: a problem that the application may want to know of.
    Warning {
        /// The kind of problem.
        code: WarningCode,
        /// A message for people.
        message: String,
    },
}

/// An event of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RoomEvent {
    /// `onRoomStateChanged` with state 0.
    Joined {
        /// This engine's user.
        uid: UserId,
        /// Whether this follows a reconnect, and whether messages may be missing.
        how: JoinType,
        /// Time since `join`, or since the link was lost.
        elapsed: Duration,
    },
    /// `onRoomStateChanged` with another state.
    StateChanged {
        /// This engine's user; `None` when nobody is logged in.
        uid: Option<UserId>,
        /// The state.
        state: RoomState,
    },
    /// `onLeaveRoom`: the user has left.
    Left,
    /// `onRoomMessageReceived` and `onRoomBinaryMessageReceived`
    MessageReceived {
        /// The sender: another member, or a name that the app's back end chose.
        from: UserId,
        /// The message.
        payload: Payload,
    },
    /// `onUserMessageReceived` and `onUserBinaryMessageReceived`: a message to this member alone.
    UserMessageReceived {
        /// A name that the app's back end chose.
        from: UserId,
        /// The message.
        payload: Payload,
    },
    /// `onRoomMessageSendResult`: exactly one for each accepted broadcast.
    MessageSendResult {
        /// The id that the send returned.
        id: MessageId,
        /// The result.
        code: BroadcastCode,
    },
    /// `onUserJoined`: another user is in the room.
    UserJoined(UserId),
    /// `onUserLeave`: another user is no longer in the room.
    UserLeft {
        /// The user.
        uid: UserId,
        /// The reason.
        reason: LeaveReason,
    },
}

/// Why an engine has entered a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum JoinType {
    /// The application called `join`. Events for the present members follow.
    First,
    /// The session was resumed after a reconnect: no message of the room is missing, and the
    /// reported members are right.
    Resumed,
    /// The session was lost and the room joined again: messages of the meantime are missing. Events
    /// for the present members follow, and replace all earlier ones.
    Anew,
}

impl JoinType {
    /// After a reconnect: false when broadcasts may be missing. `None` for the join that the
    /// application called.
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
    /// The kind of a warning. The numbers are those of the JSON port.
    WarningCode: u32 {
        /// An unknown run-time parameter; it was ignored.
        UnknownParameter = 1, "unknown parameter";
        /// A run-time parameter with an invalid value; it was ignored.
        BadParameter = 2, "invalid parameter";
        /// The server broke a rule of the protocol; the link was dropped.
        ProtocolError = 3, "the server broke a rule of the protocol";
        /// After a new login the server refused the params that were in force. No params are in
        /// force now.
        ServerParamsLost = 4, "the server refused the params that were in force";
        /// No link to the server came up; the message has the reason. Attempts continue. Each
        /// reason is reported once in a row.
        LinkFailed = 5, "no link to the server";
    }
}
