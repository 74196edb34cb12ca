//! The calls of the contract.

use std::sync::Arc;

use bytes::Bytes;
use rts_proto::client::{
    BroadcastError, BusinessIdError, Client, Config, CreateRoomError, Input, JoinError, LoginError,
    Parameters, ParametersError, SendError,
};
use rts_proto::{
    AppId, BroadcastCode, Disconnect, IdError, MessageConfig, Payload, RoomKey, SendCode, Text,
};

use crate::driver::Driver;
use crate::events::Events;
use crate::sent::Sent;
use crate::shared::{Shared, State};

/// The version of this software.
#[must_use]
pub fn sdk_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The app id is none.
    #[error("the app id {0}")]
    AppId(#[from] IdError),
    /// The parameters are none.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
}

/// One client. Cheap to clone; when the last clone and the last [`Room`] of it are dropped, the engine is
/// destroyed.
///
/// Every call returns at once. What follows from it comes as events.
#[derive(Clone, Debug)]
pub struct Engine {
    handle: Arc<Handle>,
}

/// Lives as long as somebody can make calls.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.call(|state, now| state.client.destroy(now));
    }
}

impl Engine {
    /// An engine, its events, and the end for a runtime. `parameters` is a JSON object, such as `{}`;
    /// `seed` feeds the jitter of reconnecting, and should differ between clients.
    pub fn new(
        app_id: &str,
        parameters: &str,
        seed: u64,
    ) -> Result<(Self, Events, Driver), EngineError> {
        let config = Config { app_id: AppId::new(app_id)?, parameters: Parameters::default() };
        let shared = Arc::new(Shared::new(Client::new(config, seed)));
        shared.call(|state, now| state.client.set_runtime_parameters(now, parameters))?;
        let engine = Self { handle: Arc::new(Handle { shared: Arc::clone(&shared) }) };
        Ok((engine, Events::new(Arc::clone(&shared)), Driver::new(shared)))
    }

    /// `login`: see [`Client::login`].
    pub fn login(&self, token: &str, uid: &str) -> Result<(), LoginError> {
        self.call(|state, now| state.client.login(now, token, uid))
    }

    /// `logout`: see [`Client::logout`].
    pub fn logout(&self) {
        self.call(|state, now| state.client.logout(now));
    }

    /// `updateLoginToken`: see [`Client::update_login_token`].
    pub fn update_login_token(&self, token: &str) {
        self.call(|state, now| state.client.update_login_token(now, token));
    }

    /// `getPeerOnlineStatus`: see [`Client::get_peer_online_status`].
    pub fn get_peer_online_status(&self, uid: &str) {
        self.call(|state, now| state.client.get_peer_online_status(now, uid));
    }

    /// `sendMessage`: see [`Client::send_message`].
    pub fn send_message(
        &self,
        uid: &str,
        text: impl Into<Text>,
        config: MessageConfig,
    ) -> Result<Sent<SendCode>, SendError> {
        self.send(uid, Payload::text(text), config)
    }

    /// `sendBinaryMessage`: see [`Client::send_message`].
    pub fn send_binary_message(
        &self,
        uid: &str,
        bytes: impl Into<Bytes>,
        config: MessageConfig,
    ) -> Result<Sent<SendCode>, SendError> {
        self.send(uid, Payload::binary(bytes), config)
    }

    fn send(
        &self,
        uid: &str,
        payload: Payload,
        config: MessageConfig,
    ) -> Result<Sent<SendCode>, SendError> {
        self.call(|state, now| {
            let id = state.client.send_message(now, uid, payload, config)?;
            let (sent, slot) = Sent::new(id);
            state.sends.insert(id, slot);
            Ok(sent)
        })
    }

    /// `createRoom`: see [`Client::create_room`].
    pub fn create_room(&self, room_id: &str) -> Result<Room, CreateRoomError> {
        let key = self.call(|state, now| state.client.create_room(now, room_id))?;
        Ok(Room { engine: self.clone(), key, id: room_id.into() })
    }

    /// `setBusinessId`: see [`Client::set_business_id`].
    pub fn set_business_id(&self, id: &str) -> Result<(), BusinessIdError> {
        self.call(|state, _| state.client.set_business_id(id))
    }

    /// `setRuntimeParameters`: see [`Client::set_runtime_parameters`].
    pub fn set_runtime_parameters(&self, json: &str) -> Result<(), ParametersError> {
        self.call(|state, now| state.client.set_runtime_parameters(now, json))
    }

    /// The device's network is another one now.
    pub fn network_changed(&self) {
        self.call(|state, now| state.client.handle_input(now, Input::NetworkChanged));
    }

    /// `destroy`: see [`Client::destroy`]. Events of the destruction itself can still be taken.
    pub fn destroy(&self) {
        self.call(|state, now| state.client.destroy(now));
    }

    /// How the last link ended; `None` before one has.
    #[must_use]
    pub fn last_disconnect(&self) -> Option<Disconnect> {
        self.handle.shared.lock().client.last_disconnect()
    }

    fn call<R>(&self, call: impl FnOnce(&mut State, rts_proto::Instant) -> R) -> R {
        self.handle.shared.call(call)
    }
}

/// One room handle. Cheap to clone. It keeps its engine alive; dropping it does not leave the room.
#[derive(Clone, Debug)]
pub struct Room {
    engine: Engine,
    key: RoomKey,
    id: Arc<str>,
}

impl Room {
    /// The room's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What events of this handle carry.
    #[must_use]
    pub fn key(&self) -> RoomKey {
        self.key
    }

    /// `joinRoom`: see [`Client::join_room`].
    pub fn join(&self) -> Result<(), JoinError> {
        self.engine.call(|state, now| state.client.join_room(now, self.key))
    }

    /// `leaveRoom`: see [`Client::leave_room`].
    pub fn leave(&self) {
        self.engine.call(|state, now| state.client.leave_room(now, self.key));
    }

    /// `destroy`: see [`Client::destroy_room`].
    pub fn destroy(&self) {
        self.engine.call(|state, now| state.client.destroy_room(now, self.key));
    }

    /// `sendRoomMessage`: see [`Client::send_room_message`].
    pub fn send_message(
        &self,
        text: impl Into<Text>,
    ) -> Result<Sent<BroadcastCode>, BroadcastError> {
        self.send(Payload::text(text))
    }

    /// `sendRoomBinaryMessage`: see [`Client::send_room_message`].
    pub fn send_binary_message(
        &self,
        bytes: impl Into<Bytes>,
    ) -> Result<Sent<BroadcastCode>, BroadcastError> {
        self.send(Payload::binary(bytes))
    }

    fn send(&self, payload: Payload) -> Result<Sent<BroadcastCode>, BroadcastError> {
        self.engine.call(|state, now| {
            let id = state.client.send_room_message(now, self.key, payload)?;
            let (sent, slot) = Sent::new(id);
            state.broadcasts.insert((self.key, id), slot);
            Ok(sent)
        })
    }
}
