//! Calls as data, for ports to other languages.

use rts_proto::client::{Call, Returned};

use super::Engine;

impl Engine {
    /// Makes a call that is given as data: what the method of its name does, of the engine or of
    /// the [`Room`](crate::Room) with its key.
    ///
    /// Nobody gets a [`Sent`](crate::Sent): the result of a send is an event alone. Nobody gets a
    /// [`Room`](crate::Room) either, but its key, which names the room on this engine only. A key
    /// that no room has is like that of a destroyed room.
    pub fn call(&self, call: Call<'_>) -> Returned {
        self.handle.call(|state, now| {
            let returned = state.client.call(now, call);
            match (call, &returned) {
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
