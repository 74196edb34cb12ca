//! The callbacks: an interface for applications that prefer it to a stream of events.

use std::time::Duration;

use rts_proto::client::{CreateRoomError, Event, JoinType, RoomEvent, WarningCode};
use rts_proto::{
    BroadcastCode, ConnectionState, LeaveReason, LoginCode, LogoutReason, MessageId, OnlineStatus,
    Payload, Reply, RoomId, RoomState, SendCode, ServerParamsCode, UserId,
};

/// The callbacks of an engine. Every method but [`handle`](Self::handle) does nothing unless it is
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

    /// Calls the method that belongs to `event`: for an application that takes
    /// [`Events`](crate::Events) and wants callbacks all the same.
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

/// The callbacks of one room. Every method but [`handle_in`](Self::handle_in) does nothing unless
/// it is implemented.
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

    /// Calls the method that belongs to `event` in `room`, which are what
    /// [`EventHandler::on_room_event`] gets.
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
