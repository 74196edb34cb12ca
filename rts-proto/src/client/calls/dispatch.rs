//! The one list from calls as data to methods.

use crate::Instant;
use crate::client::call::{Call, Returned};
use crate::client::engine::Client;

impl Client {
    /// Makes a call. An observer sees it like a call of the method.
    pub fn call(&mut self, now: Instant, call: Call<'_>) -> Returned {
        match call {
            Call::Login { token, uid } => return Returned::Login(self.login(now, token, uid)),
            Call::Logout => self.logout(now),
            Call::UpdateLoginToken { token } => self.update_login_token(now, token),
            Call::GetPeerOnlineStatus { uid } => self.get_peer_online_status(now, uid),
            Call::SendMessage { uid, payload, config } => {
                return Returned::Send(self.send_message(now, uid, payload.clone(), config));
            }
            Call::SetServerParams { signature, url } => self.set_server_params(now, signature, url),
            Call::SendServerMessage { payload } => {
                return Returned::Send(self.send_server_message(now, payload.clone()));
            }
            Call::CreateRoom { room_id } => {
                return Returned::CreateRoom(self.create_room(now, room_id));
            }
            Call::JoinRoom { key } => return Returned::JoinRoom(self.join_room(now, key)),
            Call::LeaveRoom { key } => self.leave_room(now, key),
            Call::DestroyRoom { key } => return Returned::DestroyRoom(self.destroy_room(now, key)),
            Call::SendRoomMessage { key, payload } => {
                return Returned::Broadcast(self.send_room_message(now, key, payload.clone()));
            }
            Call::SetBusinessId { id } => {
                return Returned::SetBusinessId(self.set_business_id(now, id));
            }
            Call::SetRuntimeParameters { json } => {
                return Returned::SetRuntimeParameters(self.set_runtime_parameters(now, json));
            }
            Call::Destroy => self.destroy(now),
        }
        Returned::Nothing
    }
}
