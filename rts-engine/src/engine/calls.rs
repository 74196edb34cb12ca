//! Calls as data, for ports to other languages.

use rts_proto::client::{Call, Returned};

use super::Engine;

impl Engine {
    /// Makes a call that is given as data. It acts like the method with its name, of the engine or
    /// of the [`Room`](crate::Room) with its key.
    ///
    /// The result of a send comes only as an event, because no [`Sent`](crate::Sent) is returned.
    /// In place of a [`Room`](crate::Room), the call returns its key, which names the room on this
    /// engine only. An unknown key is treated like the key of a destroyed room.
    pub fn call(&self, call: Call<'_>) -> Returned {
        self.handle.call(|state, now| {
            let returned = state.client.call(now, call);
            match (call, &returned) {
                (_, Returned::Login(Ok(()))) => {
                    state.login.begin();
                }
                (Call::Logout, _) => state.login.leave(),
                (Call::UpdateLoginToken { .. }, _) => state.login.token_changed(),
                (_, Returned::CreateRoom(Ok(key))) => state.delivery.add_room(*key),
                (Call::DestroyRoom { key }, Returned::DestroyRoom(results)) => {
                    state.room_destroyed(key, results.clone());
                }
                _ => {}
            }
            returned
        })
    }
}
