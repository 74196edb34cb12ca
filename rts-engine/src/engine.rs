//! [`Engine`]: the contract's calls on an engine.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rts_proto::client::{
    BusinessIdError, Call, Client, Config, CreateRoomError, LoginError, Observe, ParametersError,
    Returned, SendError, Timing, TimingError,
};
use rts_proto::{
    Disconnect, MessageConfig, OnlineStatus, Payload, SendCode, ServerParamsCode, Text,
};

use crate::clock::Clock;
use crate::driver::Driver;
use crate::events::Events;
use crate::handle::Handle;
use crate::handler::EventHandler;
use crate::link_errors::LinkFailure;
use crate::login_watch::LoginWatch;
use crate::room::Room;
use crate::sent::{Pending, Sent, ServerAnswer};
use crate::shared::Shared;
use crate::state::State;

/// The version of this software.
#[must_use]
pub fn sdk_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// One client instance. Clones are cheap. Every call returns at once, and its consequences come as
/// [`Events`] or to a handler. Calls can come from any thread, and from a handler.
///
/// When its last clone and its last [`Room`] are dropped, the engine is destroyed. A handler that
/// owns one of them keeps the engine alive until [`destroy`](Self::destroy).
#[derive(Clone)]
pub struct Engine {
    handle: Arc<Handle>,
}

impl Engine {
    /// Makes an engine, and the driver for a runtime. `seed` feeds the jitter of reconnects, and
    /// should differ between clients.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> (Self, Driver) {
        Self::with_clock(config, seed, Clock::start())
    }

    /// Like [`new`](Self::new), with an observer of the core, such as a recorder. The observer runs
    /// under the engine's lock for each call and each burst of bytes, so it must not call the
    /// engine.
    #[must_use]
    pub fn observed(
        config: Config,
        seed: u64,
        observer: Box<dyn Observe + Send>,
    ) -> (Self, Driver) {
        Self::around(Client::observed(config, seed, observer), Clock::start())
    }

    /// Like [`observed`](Self::observed), with a clock that the caller moves. This is for
    /// simulations: the loop of a runtime cannot drive the engine, because it does not know that
    /// clock.
    #[must_use]
    pub fn with_clock(config: Config, seed: u64, clock: Clock) -> (Self, Driver) {
        Self::around(Client::new(config, seed), clock)
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    fn around(client: Client, clock: Clock) -> (Self, Driver) {
        let shared = Arc::new(Shared::new(client, clock));
        let engine = Self { handle: Arc::new(Handle::new(Arc::clone(&shared))) };
        (engine, Driver::new(shared))
    }

    /// Opens the stream of this engine's events, from now on. An engine has one stream at a time:
    /// an earlier one ends, and its untaken events move to the new one. Events that happen while
    /// there is no stream are discarded.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(Arc::clone(self.handle.shared()))
    }

    /// Watches the status of the login, to wait for changes.
    #[must_use]
    pub fn watch_login(&self) -> LoginWatch {
        LoginWatch::new(Arc::clone(self.handle.shared()), None)
    }

    /// `login`. One [`LoginResult`](rts_proto::client::Event::LoginResult) follows, unless a logout
    /// comes first. While the server cannot be reached, the login stays in flight and the engine
    /// retries without end.
    ///
    /// # Errors
    ///
    /// Invalid token or user id; already logged in or logging in; engine destroyed.
    pub fn login(&self, token: &str, uid: &str) -> Result<(), LoginError> {
        self.log_in(token, uid).map(drop)
    }

    /// Like [`login`](Self::login), and watches this login: when another one follows, this one
    /// counts as logged out.
    ///
    /// # Errors
    ///
    /// See [`login`](Self::login).
    pub fn log_in(&self, token: &str, uid: &str) -> Result<LoginWatch, LoginError> {
        let login = self.handle.call(|state, now| state.log_in(now, token, uid))?;
        Ok(LoginWatch::new(Arc::clone(self.handle.shared()), Some(login)))
    }

    /// `logout`. Open sends get their results, then [`Logout`](rts_proto::client::Event::Logout)
    /// follows. Without a login, nothing happens.
    pub fn logout(&self) {
        self.handle.call(State::log_out);
    }

    /// `updateLoginToken`. If the last login failed because of its token, this logs in again.
    /// Otherwise the engine keeps the token for the next login.
    pub fn update_login_token(&self, token: &str) {
        self.handle.call(|state, now| state.update_login_token(now, token));
    }

    /// `getPeerOnlineStatus`. One [`PeerOnlineStatus`](rts_proto::client::Event::PeerOnlineStatus)
    /// follows, and the returned future completes with it.
    pub fn get_peer_online_status(&self, uid: &str) -> Pending<OnlineStatus> {
        self.handle.call(|state, now| state.get_peer_online_status(now, uid))
    }

    /// `sendMessage`. The result comes as an event, and completes the returned future.
    ///
    /// # Errors
    ///
    /// Empty user id; engine destroyed. An accepted send that cannot succeed gets an id and its one
    /// result.
    pub fn send_message(
        &self,
        uid: &str,
        text: impl Into<Text>,
        config: MessageConfig,
    ) -> Result<Sent<SendCode>, SendError> {
        self.send(uid, Payload::text(text), config)
    }

    /// `sendBinaryMessage`: like [`send_message`](Self::send_message).
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
        self.handle.call(|state, now| state.send_message(now, uid, payload, config))
    }

    /// `setServerParams`: sets the URL of the app server and the signature that is sent there. One
    /// [`ServerParamsSetResult`](rts_proto::client::Event::ServerParamsSetResult) follows, and the
    /// returned future completes with it.
    ///
    /// The params last for the login, through lost links and restarts of the server. A refused call
    /// leaves earlier params in force.
    pub fn set_server_params(&self, signature: &str, url: &str) -> Pending<ServerParamsCode> {
        self.handle.call(|state, now| state.set_server_params(now, signature, url))
    }

    /// `sendServerMessage`: sends a message to the app server, which may answer with up to 64 KiB.
    /// The result comes as an event, and completes the returned future. Ids are from the sequence
    /// of [`send_message`](Self::send_message).
    ///
    /// Several messages of one user may be in progress at a time, so they may arrive in another
    /// order.
    ///
    /// # Errors
    ///
    /// Engine destroyed. An accepted send that cannot succeed gets an id and its one result.
    pub fn send_server_message(
        &self,
        text: impl Into<Text>,
    ) -> Result<Sent<ServerAnswer>, SendError> {
        self.send_to_server(Payload::text(text))
    }

    /// `sendServerBinaryMessage`: like [`send_server_message`](Self::send_server_message).
    pub fn send_server_binary_message(
        &self,
        bytes: impl Into<Bytes>,
    ) -> Result<Sent<ServerAnswer>, SendError> {
        self.send_to_server(Payload::binary(bytes))
    }

    fn send_to_server(&self, payload: Payload) -> Result<Sent<ServerAnswer>, SendError> {
        self.handle.call(|state, now| state.send_server_message(now, payload))
    }

    /// `createRoom`. The server learns nothing of the room before [`Room::join`].
    ///
    /// # Errors
    ///
    /// Malformed room id; a live handle with this id; 1,024 live handles. Each of these errors is
    /// also an event, [`CreateRoomFailed`](rts_proto::client::Event::CreateRoomFailed). Engine
    /// destroyed, without such an event.
    pub fn create_room(&self, room_id: &str) -> Result<Room, CreateRoomError> {
        let key = self.handle.call(|state, now| state.create_room(now, room_id))?;
        Ok(Room::new(Arc::clone(&self.handle), key, room_id))
    }

    /// The room handle with this id, if one exists and is not destroyed.
    #[must_use]
    pub fn room(&self, room_id: &str) -> Option<Room> {
        let key = self.handle.lock().client().room(room_id)?;
        Some(Room::new(Arc::clone(&self.handle), key, room_id))
    }

    /// Destroys the handles of all rooms that the engine is not in, is not joining and is not
    /// leaving. Their ids and places are free again.
    pub fn destroy_idle_rooms(&self) {
        // One call, so that no room is joined between the question and the end of its handle.
        self.handle.call(State::destroy_idle_rooms);
    }

    /// `setBusinessId`: sets a tag that joins send to the server. An empty one clears the tag.
    ///
    /// # Errors
    ///
    /// Invalid characters; the engine is in a room.
    pub fn set_business_id(&self, id: &str) -> Result<(), BusinessIdError> {
        self.handle.call(|state, now| state.set_business_id(now, id))
    }

    /// `setRuntimeParameters`: a JSON object of [keys](rts_proto::client::Timing::key) and of
    /// `logLevel`. `logLevel` is the level up to which the engine writes to `tracing`: `off` (the
    /// default), `error`, `warn`, `info` or `debug`.
    ///
    /// # Errors
    ///
    /// Not a JSON object. In this case nothing changes.
    pub fn set_runtime_parameters(&self, json: &str) -> Result<(), ParametersError> {
        self.handle.call(|state, now| state.set_runtime_parameters(now, json))
    }

    /// Makes a call that is given as data, for ports to other languages. It acts like the method
    /// with its name, of the engine or of the [`Room`] with its key.
    ///
    /// The result of a send comes only as an event, because no [`Sent`] is returned. In place of a
    /// [`Room`], the call returns its key, which names the room on this engine only. An unknown key
    /// is treated like the key of a destroyed room.
    pub fn call(&self, call: Call<'_>) -> Returned {
        self.handle.call(|state, now| state.call(now, call))
    }

    /// Sets one time, without JSON.
    ///
    /// # Errors
    ///
    /// The time is out of its bounds. In this case nothing changes.
    pub fn set_timing(&self, timing: Timing, time: Duration) -> Result<(), TimingError> {
        self.handle.call(|state, now| state.set_timing(now, timing, time))
    }

    /// Sets the handler of events. From now on, `handler` gets the events of the engine, and those
    /// of rooms without a handler of their own. It replaces an earlier handler. Events that already
    /// wait in [`Events`] stay there.
    ///
    /// The runtime's task calls the handler, one event at a time and in order, with no lock held.
    /// So the handler may make any call. It should be quick, because the engine does not serve its
    /// link meanwhile. A panic in the handler loses that event and nothing else. After
    /// [`destroy`](Self::destroy), no new call of the handler starts. One in progress runs to its
    /// end.
    pub fn set_event_handler(&self, handler: impl EventHandler + 'static) {
        self.handle.with(|state| state.set_engine_handler(handler));
    }

    /// Reports to the engine that the network of the device has changed. The engine checks its
    /// link, or reconnects at once instead of waiting.
    pub fn network_changed(&self) {
        self.handle.call(State::network_changed);
    }

    /// `destroy`: logs out, forgets all rooms, and completes every [`Sent`]. Handlers are dropped.
    /// Events of the destruction itself, results and the logout, can still be taken from
    /// [`Events`], which then ends.
    pub fn destroy(&self) {
        self.handle.call(State::destroy);
    }

    /// Waits until the engine is destroyed and its last bytes are written, so that a program may
    /// end. Cancel safe. This call does not destroy the engine.
    pub async fn closed(&self) {
        poll_fn(|context| self.handle.with(|state| state.poll_closed(context))).await;
    }

    /// Whether the engine was destroyed.
    #[must_use]
    pub fn is_destroyed(&self) -> bool {
        self.handle.lock().client().is_destroyed()
    }

    /// Whether a login is live and its link is up. This also shows short interruptions, which cause
    /// no event.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.handle.lock().client().is_online()
    }

    /// The number of sessions that the engine has had on its server. If it has not grown when the
    /// link is back, the session was resumed and nothing is missing. If it has grown, messages and
    /// broadcasts that were sent meanwhile may be missing.
    #[must_use]
    pub fn sessions_begun(&self) -> u64 {
        self.handle.lock().client().sessions_begun()
    }

    /// The end of the last link; `None` before one has ended.
    #[must_use]
    pub fn last_disconnect(&self) -> Option<Disconnect> {
        self.handle.lock().client().last_disconnect()
    }

    /// The reason why the last attempt to connect failed, without secrets. `None` while a login has
    /// its link.
    #[must_use]
    pub fn last_link_error(&self) -> Option<LinkFailure> {
        self.handle.lock().link_error().cloned()
    }
}

// Here and not with the room's other calls, so that rooms do not depend on engines.
impl Room {
    /// The engine of this room.
    #[must_use]
    pub fn engine(&self) -> Engine {
        Engine { handle: Arc::clone(self.handle()) }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}
