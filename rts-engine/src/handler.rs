//! The callbacks: an alternative to the stream of events.

use std::time::Duration;

use rts_proto::client::{CreateRoomError, Event, JoinType, RoomEvent, WarningCode};
use rts_proto::{
    BroadcastCode, ConnectionState, LeaveReason, LoginCode, LogoutReason, MessageId, OnlineStatus,
    Payload, Reply, RoomId, RoomState, SendCode, ServerParamsCode, UserId,
};

/// The callbacks of an engine. By default, every method except [`handle`](Self::handle) does
/// nothing.
pub trait EventHandler: Send {
    /// The connection's state changed.
    fn on_connection_state_changed(&mut self, _state: ConnectionState) {}
    /// The result of a login.
    fn on_login_result(&mut self, _uid: &UserId, _code: LoginCode, _elapsed: Duration) {}
    /// The end of the login.
    fn on_logout(&mut self, _reason: LogoutReason) {}
    /// The answer to a status query.
    fn on_get_peer_online_status(&mut self, _uid: &str, _status: OnlineStatus) {}
    /// A message from another user.
    fn on_message_received(&mut self, _from: &UserId, _payload: &Payload) {}
    /// The result of a message to a user.
    fn on_message_send_result(&mut self, _id: MessageId, _code: SendCode) {}
    /// The result of `set_server_params`.
    fn on_server_params_set_result(&mut self, _code: ServerParamsCode) {}
    /// The result of a message to the app server, and the server's answer.
    fn on_server_message_send_result(&mut self, _id: MessageId, _code: SendCode, _reply: &Reply) {}
    /// `create_room` failed.
    fn on_create_room_failed(&mut self, _room: &str, _error: CreateRoomError) {}
    /// The engine ignored something, such as an invalid parameter.
    fn on_warning(&mut self, _code: WarningCode, _message: &str) {}
    /// An event of a room that has no handler of its own.
    fn on_room_event(&mut self, _room: &RoomId, _event: &RoomEvent) {}

    /// Calls the method for `event`. This serves an application that takes
    /// [`Events`](crate::Events) and prefers callbacks.
    fn handle(&mut self, event: &Event) {
        match event {
            Event::ConnectionStateChanged(state) => self.on_connection_state_changed(*state),
            Event::LoginResult { uid, code, elapsed } => {
                self.on_login_result(uid, *code, *elapsed);
            }
            Event::Logout(reason) => self.on_logout(*reason),
            Event::PeerOnlineStatus { uid, status } => {
                self.on_get_peer_online_status(uid, *status);
            }
            Event::MessageReceived { from, payload } => self.on_message_received(from, payload),
            Event::MessageSendResult { id, code } => self.on_message_send_result(*id, *code),
            Event::ServerParamsSetResult(code) => self.on_server_params_set_result(*code),
            Event::ServerMessageSendResult { id, code, reply } => {
                self.on_server_message_send_result(*id, *code, reply);
            }
            Event::CreateRoomFailed { room, error } => self.on_create_room_failed(room, *error),
            Event::Room { room, event, .. } => self.on_room_event(room, event),
            Event::Warning { code, message } => self.on_warning(*code, message),
        }
    }
}

/// The callbacks of one room. By default, every method except [`handle_in`](Self::handle_in) does
/// nothing.
pub trait RoomEventHandler: Send {
    /// This client has joined, or joined again after a reconnect.
    fn on_joined(&mut self, _room: &RoomId, _uid: &UserId, _how: JoinType, _elapsed: Duration) {}
    /// Any other change of the room's state.
    fn on_room_state_changed(&mut self, _room: &RoomId, _uid: Option<&UserId>, _state: RoomState) {}
    /// This client has left the room.
    fn on_leave_room(&mut self, _room: &RoomId) {}
    /// A broadcast from another member, or from the app's back end.
    fn on_room_message_received(&mut self, _room: &RoomId, _from: &UserId, _payload: &Payload) {}
    /// A message from the app's back end to this member only.
    fn on_user_message_received(&mut self, _room: &RoomId, _from: &UserId, _payload: &Payload) {}
    /// The result of a broadcast.
    fn on_room_message_send_result(
        &mut self,
        _room: &RoomId,
        _id: MessageId,
        _code: BroadcastCode,
    ) {
    }
    /// A user joined the room.
    fn on_user_joined(&mut self, _room: &RoomId, _uid: &UserId) {}
    /// A user left the room.
    fn on_user_left(&mut self, _room: &RoomId, _uid: &UserId, _reason: LeaveReason) {}

    /// Calls the method for `event` in `room`. Both are the arguments of
    /// [`EventHandler::on_room_event`].
    fn handle_in(&mut self, room: &RoomId, event: &RoomEvent) {
        match event {
            RoomEvent::Joined { uid, how, elapsed } => self.on_joined(room, uid, *how, *elapsed),
            RoomEvent::StateChanged { uid, state } => {
                self.on_room_state_changed(room, uid.as_ref(), *state);
            }
            RoomEvent::Left => self.on_leave_room(room),
            RoomEvent::MessageReceived { from, payload } => {
                self.on_room_message_received(room, from, payload);
            }
            RoomEvent::UserMessageReceived { from, payload } => {
                self.on_user_message_received(room, from, payload);
            }
            RoomEvent::MessageSendResult { id, code } => {
                self.on_room_message_send_result(room, *id, *code);
            }
            RoomEvent::UserJoined(uid) => self.on_user_joined(room, uid),
            RoomEvent::UserLeft { uid, reason } => self.on_user_left(room, uid, *reason),
        }
    }
}
