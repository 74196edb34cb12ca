//! The callbacks: an interface for applications that prefer it to a stream of events.

use std::time::Duration;

use rts_proto::client::{CreateRoomError, Event, JoinType, RoomEvent, WarningCode};
use rts_proto::{
    BroadcastCode, ConnectionState, LeaveReason, LoginCode, LogoutReason, MessageId, OnlineStatus,
    Payload, Reply, RoomId, RoomState, SendCode, ServerParamsCode, UserId,
};

/// The callbacks of an engine. Every method does nothing unless it is
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
    fn on_create_room_failed(&mut self, _room: &str, _error: CreateRoomError) {}
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

/// Calls the method of `handler` that belongs to `event`.
pub(crate) fn dispatch(event: &Event, handler: &mut dyn EventHandler) {
    match event {
        Event::ConnectionStateChanged(state) => handler.on_connection_state_changed(*state),
        Event::LoginResult { uid, code, elapsed } => {
            handler.on_login_result(uid, *code, *elapsed);
        }
        Event::Logout(reason) => handler.on_logout(*reason),
        Event::PeerOnlineStatus { uid, status } => {
            handler.on_get_peer_online_status(uid, *status);
        }
        Event::MessageReceived { from, payload } => handler.on_message_received(from, payload),
        Event::MessageSendResult { id, code } => handler.on_message_send_result(*id, *code),
        Event::ServerParamsSetResult(code) => handler.on_server_params_set_result(*code),
        Event::ServerMessageSendResult { id, code, reply } => {
            handler.on_server_message_send_result(*id, *code, reply);
        }
        Event::CreateRoomFailed { room, error } => handler.on_create_room_failed(room, *error),
        Event::Room { room, event, .. } => handler.on_room_event(room, event),
        Event::Warning { code, message } => handler.on_warning(*code, message),
    }
}

/// Calls the method of `handler` that belongs to `event` in `room`.
pub(crate) fn dispatch_room(room: &RoomId, event: &RoomEvent, handler: &mut dyn RoomEventHandler) {
    match event {
        RoomEvent::Joined { uid, how, elapsed } => handler.on_joined(room, uid, *how, *elapsed),
        RoomEvent::StateChanged { uid, state } => {
            handler.on_room_state_changed(room, uid.as_ref(), *state);
        }
        RoomEvent::Left => handler.on_leave_room(room),
        RoomEvent::MessageReceived { from, payload } => {
            handler.on_room_message_received(room, from, payload);
        }
        RoomEvent::UserMessageReceived { from, payload } => {
            handler.on_user_message_received(room, from, payload);
        }
        RoomEvent::MessageSendResult { id, code } => {
            handler.on_room_message_send_result(room, *id, *code);
        }
        RoomEvent::UserJoined(uid) => handler.on_user_joined(room, uid),
        RoomEvent::UserLeft { uid, reason } => handler.on_user_left(room, uid, *reason),
    }
}
