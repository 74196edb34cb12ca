//! What the engine calls back.

use alloc::string::String;
use core::time::Duration;

use crate::{
    BroadcastCode, ConnectionState, LeaveReason, LoginCode, LogoutReason, MessageId, OnlineStatus,
    Payload, Reply, RoomId, RoomKey, RoomState, SendCode, ServerParamsCode, UserId,
};

/// Something that the application is told. The order of events is the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        /// As it was asked, well formed or not.
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
        /// As it was asked, well formed or not.
        room: String,
        /// Why.
        error: super::CreateRoomError,
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

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarningCode {
    /// A run-time parameter that does not exist; it was ignored.
    UnknownParameter,
    /// A run-time parameter with a value that it cannot have; it was ignored.
    BadParameter,
    /// The server broke a rule of the protocol; the link was dropped.
    ProtocolError,
    /// After a relogin the server refused the params that were in force; there are none now.
    ServerParamsLost,
    /// No link to the server came up, and the message says why. Attempts go on; the same reason is
    /// told once.
    LinkFailed,
}

impl WarningCode {
    /// Every value, in the order of the numbers.
    pub const ALL: &'static [Self] = &[
        Self::UnknownParameter,
        Self::BadParameter,
        Self::ProtocolError,
        Self::ServerParamsLost,
        Self::LinkFailed,
    ];

    /// Its number on the JSON port.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::UnknownParameter => 1,
            Self::BadParameter => 2,
            Self::ProtocolError => 3,
            Self::ServerParamsLost => 4,
            Self::LinkFailed => 5,
        }
    }
}

/// The callbacks, for those who prefer them to a stream. Every method does nothing unless it is
/// implemented.
pub trait EventHandler: Send {
    /// The connection's state changed.
    fn on_connection_state_changed(&mut self, _state: ConnectionState) {}
    /// A login ended.
    fn on_login_result(&mut self, _uid: &UserId, _code: LoginCode, _elapsed: Duration) {}
    /// The login is over.
    fn on_logout(&mut self, _reason: LogoutReason) {}
    /// A status query was answered.
    fn on_get_peer_online_status(&mut self, _uid: &str, _status: OnlineStatus) {}
    /// A message of another user.
    fn on_message_received(&mut self, _from: &UserId, _payload: &Payload) {}
    /// What became of a message to a user.
    fn on_message_send_result(&mut self, _id: MessageId, _code: SendCode) {}
    /// What became of `set_server_params`.
    fn on_server_params_set_result(&mut self, _code: ServerParamsCode) {}
    /// What became of a message to the app's server, and what that answered.
    fn on_server_message_send_result(&mut self, _id: MessageId, _code: SendCode, _reply: &Reply) {}
    /// `create_room` refused.
    fn on_create_room_failed(&mut self, _room: &str, _error: super::CreateRoomError) {}
    /// Something was ignored.
    fn on_warning(&mut self, _code: WarningCode, _message: &str) {}
    /// Something about a room that has no handler of its own.
    fn on_room_event(&mut self, _room: &RoomId, _event: &RoomEvent) {}
}

/// The callbacks of one room. Every method does nothing unless it is implemented.
pub trait RoomEventHandler: Send {
    /// Joined, or joined again after a reconnect.
    fn on_joined(&mut self, _room: &RoomId, _uid: &UserId, _how: JoinType, _elapsed: Duration) {}
    /// Any other change of state.
    fn on_room_state_changed(&mut self, _room: &RoomId, _uid: Option<&UserId>, _state: RoomState) {}
    /// Really out.
    fn on_leave_room(&mut self, _room: &RoomId) {}
    /// A broadcast of another member, or of the app's back end.
    fn on_room_message_received(&mut self, _room: &RoomId, _from: &UserId, _payload: &Payload) {}
    /// A message of the app's back end to this member alone.
    fn on_user_message_received(&mut self, _room: &RoomId, _from: &UserId, _payload: &Payload) {}
    /// What became of a broadcast.
    fn on_room_message_send_result(
        &mut self,
        _room: &RoomId,
        _id: MessageId,
        _code: BroadcastCode,
    ) {
    }
    /// Somebody is in the room.
    fn on_user_joined(&mut self, _room: &RoomId, _uid: &UserId) {}
    /// Somebody is no longer in the room.
    fn on_user_left(&mut self, _room: &RoomId, _uid: &UserId, _reason: LeaveReason) {}
}

impl Event {
    /// Calls the method of `handler` that belongs to this event.
    pub fn dispatch(&self, handler: &mut dyn EventHandler) {
        match self {
            Self::ConnectionStateChanged(state) => handler.on_connection_state_changed(*state),
            Self::LoginResult { uid, code, elapsed } => {
                handler.on_login_result(uid, *code, *elapsed);
            }
            Self::Logout(reason) => handler.on_logout(*reason),
            Self::PeerOnlineStatus { uid, status } => {
                handler.on_get_peer_online_status(uid, *status);
            }
            Self::MessageReceived { from, payload } => handler.on_message_received(from, payload),
            Self::MessageSendResult { id, code } => handler.on_message_send_result(*id, *code),
            Self::ServerParamsSetResult(code) => handler.on_server_params_set_result(*code),
            Self::ServerMessageSendResult { id, code, reply } => {
                handler.on_server_message_send_result(*id, *code, reply);
            }
            Self::CreateRoomFailed { room, error } => handler.on_create_room_failed(room, *error),
            Self::Room { room, event, .. } => handler.on_room_event(room, event),
            Self::Warning { code, message } => handler.on_warning(*code, message),
        }
    }
}

impl RoomEvent {
    /// Calls the method of `handler` that belongs to this event of `room`.
    pub fn dispatch(&self, room: &RoomId, handler: &mut dyn RoomEventHandler) {
        match self {
            Self::Joined { uid, how, elapsed } => handler.on_joined(room, uid, *how, *elapsed),
            Self::StateChanged { uid, state } => {
                handler.on_room_state_changed(room, uid.as_ref(), *state);
            }
            Self::Left => handler.on_leave_room(room),
            Self::MessageReceived { from, payload } => {
                handler.on_room_message_received(room, from, payload);
            }
            Self::UserMessageReceived { from, payload } => {
                handler.on_user_message_received(room, from, payload);
            }
            Self::MessageSendResult { id, code } => {
                handler.on_room_message_send_result(room, *id, *code);
            }
            Self::UserJoined(uid) => handler.on_user_joined(room, uid),
            Self::UserLeft { uid, reason } => handler.on_user_left(room, uid, *reason),
        }
    }
}
