//! The contract's calls on an engine.

mod calls;

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use rts_proto::client::{
    BusinessIdError, Client, Config, CreateRoomError, Input, LoginError, Observe, ParametersError,
    SendError,
};
use rts_proto::{
    Disconnect, MessageConfig, OnlineStatus, Payload, SendCode, ServerParamsCode, Text,
};

use crate::answers::Answers;
use crate::clock::Clock;
use crate::driver::Driver;
use crate::events::Events;
use crate::handle::Handle;
use crate::handler::EventHandler;
use crate::login_watch::LoginWatch;
use crate::room::Room;
use crate::sent::{Pending, Sent, ServerAnswer};
use crate::shared::Shared;

/// The version of this software.
#[must_use]
pub fn sdk_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// One client. Cheap to clone, and every call returns at once: what follows from it comes as
/// [`Events`], or to a handler. Calls can come from any thread, and from a handler.
///
/// When the last clone and the last [`Room`] of it are dropped, the engine is destroyed. A handler
/// that owns one of them keeps the engine alive until [`destroy`](Self::destroy).
#[derive(Clone)]
pub struct Engine {
    handle: Arc<Handle>,
}

impl Engine {
    /// An engine, and the end for a runtime. `seed` feeds the jitter of reconnecting, and should
    /// differ between clients.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> (Self, Driver) {
        Self::with_clock(config, seed, Clock::start())
    }

    /// The same with an observer of the core, such as a recorder. Each call and each burst of bytes
    /// waits for it, under the engine's lock: it must not call the engine.
    #[must_use]
    pub fn observed(
        config: Config,
        seed: u64,
        observer: Box<dyn Observe + Send>,
    ) -> (Self, Driver) {
        Self::around(Client::observed(config, seed, observer), Clock::start())
    }

    /// The same by a clock that somebody else moves. A runtime's loop cannot drive it, since it
    /// does not know that clock: this is for simulations.
    #[must_use]
    pub fn with_clock(config: Config, seed: u64, clock: Clock) -> (Self, Driver) {
        Self::around(Client::new(config, seed), clock)
    }

    fn around(client: Client, clock: Clock) -> (Self, Driver) {
        let shared = Arc::new(Shared::new(client, clock));
        let engine = Self { handle: Arc::new(Handle::new(Arc::clone(&shared))) };
        (engine, Driver::new(shared))
    }

    /// What the engine calls back from now on, as a stream. There is one at a time: an earlier one
    /// ends, and leaves the events that it has not given to this one. What happens while there is
    /// none is discarded.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(Arc::clone(self.handle.shared()))
    }

    /// The status of the login, to wait for changes of it.
    #[must_use]
    pub fn watch_login(&self) -> LoginWatch {
        LoginWatch::new(Arc::clone(self.handle.shared()))
    }

    /// `login`. One [`LoginResult`](rts_proto::client::Event::LoginResult) follows, unless a logout
    /// comes first. With no way to the server it stays in flight and tries for ever.
    ///
    /// # Errors
    ///
    /// A bad token or user id; logged in or logging in already; destroyed.
    pub fn login(&self, token: &str, uid: &str) -> Result<(), LoginError> {
        self.handle.call(|state, now| state.client.login(now, token, uid))
    }

    /// `logout`. Open sends get their results, then [`Logout`](rts_proto::client::Event::Logout)
    /// follows. Does nothing without a login.
    pub fn logout(&self) {
        self.handle.call(|state, now| state.client.logout(now));
    }

    /// `updateLoginToken`. Logs in again if the last login failed on its token; else the token is
    /// kept for the next time one is needed.
    pub fn update_login_token(&self, token: &str) {
        self.handle.call(|state, now| state.client.update_login_token(now, token));
    }

    /// `getPeerOnlineStatus`. One [`PeerOnlineStatus`](rts_proto::client::Event::PeerOnlineStatus)
    /// follows, and the returned future completes with it.
    pub fn get_peer_online_status(&self, uid: &str) -> Pending<OnlineStatus> {
        self.handle.call(|state, now| {
            let query = |client: &mut Client| client.get_peer_online_status(now, uid);
            state.ask(now, |answers| answers.ask_status(uid), query)
        })
    }

    /// `sendMessage`. The result is an event, and what the returned future completes with.
    ///
    /// # Errors
    ///
    /// An empty user id; destroyed. What is accepted but cannot work gets an id, and its one
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
        self.handle.call(|state, now| {
            let id = state.client.send_message(now, uid, payload, config)?;
            Ok(Sent::new(id, state.answers.wait_for_send(id)))
        })
    }

    /// `setServerParams`: where messages for the app's server go, and the signature that is shown
    /// there. One [`ServerParamsSetResult`](rts_proto::client::Event::ServerParamsSetResult)
    /// follows, and the returned future completes with it. They last for the login, through lost
    /// links and restarts of the server; a refused call leaves earlier ones in force.
    pub fn set_server_params(&self, signature: &str, url: &str) -> Pending<ServerParamsCode> {
        self.handle.call(|state, now| {
            let set = |client: &mut Client| client.set_server_params(now, signature, url);
            state.ask(now, Answers::ask_for_params, set)
        })
    }

    /// `sendServerMessage`: a message to the app's own server, up to 64 KiB of answer coming back.
    /// The result is an event, and what the returned future completes with. Ids are from the same
    /// sequence as those of [`send_message`](Self::send_message).
    ///
    /// Several messages of one user may be on their way at a time, so they may arrive in another
    /// order.
    ///
    /// # Errors
    ///
    /// Destroyed. What is accepted but cannot work gets an id, and its one result.
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
        self.handle.call(|state, now| {
            let id = state.client.send_server_message(now, payload)?;
            Ok(Sent::new(id, state.answers.wait_for_server_send(id)))
        })
    }

    /// `createRoom`. Nothing reaches the server before [`Room::join`].
    ///
    /// # Errors
    ///
    /// An ill-formed room id; a live handle with this id; 1,024 handles. Each is also called back,
    /// as [`CreateRoomFailed`](rts_proto::client::Event::CreateRoomFailed). Destroyed.
    pub fn create_room(&self, room_id: &str) -> Result<Room, CreateRoomError> {
        let key = self.handle.call(|state, now| {
            let key = state.client.create_room(now, room_id)?;
            state.delivery.add_room(key);
            Ok(key)
        })?;
        Ok(Room::new(Arc::clone(&self.handle), key, room_id))
    }

    /// The room handle with this id, if there is one that is not destroyed.
    #[must_use]
    pub fn room(&self, room_id: &str) -> Option<Room> {
        let key = self.handle.lock().client.room(room_id)?;
        Some(Room::new(Arc::clone(&self.handle), key, room_id))
    }

    /// `setBusinessId`: a tag that goes along with joins. An empty one clears it.
    ///
    /// # Errors
    ///
    /// Bad characters; in a room.
    pub fn set_business_id(&self, id: &str) -> Result<(), BusinessIdError> {
        self.handle.call(|state, _| state.client.set_business_id(id))
    }

    /// `setRuntimeParameters`: a JSON object of [keys](rts_proto::client::Timing::key), and of `logLevel`: up to
    /// which level the engine writes to `tracing`, one of `off` (the default), `error`, `warn`,
    /// `info`, `debug`.
    ///
    /// # Errors
    ///
    /// Not a JSON object; then nothing is changed.
    pub fn set_runtime_parameters(&self, json: &str) -> Result<(), ParametersError> {
        self.handle.call(|state, now| state.client.set_runtime_parameters(now, json))
    }

    /// From now on, events of the engine and of its rooms without a handler of their own go to
    /// `handler`; it replaces an earlier one. Events that already wait in [`Events`] stay there.
    ///
    /// The runtime's task calls the handler, one event at a time and in order, with no lock held:
    /// it may make any call, and should be quick, since the link stands still meanwhile. A panic in
    /// it loses that event and nothing else. After [`destroy`](Self::destroy) it is not called any
    /// more, except that a call under way goes on to its end.
    pub fn set_event_handler(&self, handler: impl EventHandler + 'static) {
        self.handle.with(|state| {
            let retired = state.delivery.set_engine_handler(handler);
            state.retire(retired);
        });
    }

    /// The device's network is another one now: the link is checked, and waiting ends.
    pub fn network_changed(&self) {
        self.handle.call(|state, now| state.client.handle_input(now, Input::NetworkChanged));
    }

    /// `destroy`: logs out, forgets all rooms, and ends every [`Sent`]. Handlers are dropped.
    /// Events of the destruction itself, results and the logout, can still be taken from
    /// [`Events`], which then ends.
    pub fn destroy(&self) {
        self.handle.call(|state, now| state.client.destroy(now));
    }

    /// Waits until the engine was destroyed and its last bytes are written, so that a program may
    /// end. Cancel safe. This alone does not destroy it.
    pub async fn closed(&self) {
        poll_fn(|context| {
            self.handle.with(|state| {
                if state.closed {
                    return Poll::Ready(());
                }
                let waiting = &mut state.wakers.closed;
                if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                    waiting.push(context.waker().clone());
                }
                Poll::Pending
            })
        })
        .await;
    }

    /// Whether the engine was destroyed.
    #[must_use]
    pub fn is_destroyed(&self) -> bool {
        self.handle.lock().client.is_destroyed()
    }

    /// Whether a login is live and its link is up. Short breaks are not called back: this tells
    /// of them too.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.handle.lock().client.is_online()
    }

    /// How many sessions the engine has had on its server. When the link is back and this has not
    /// grown, the session was resumed and nothing is missing; when it has, messages and broadcasts
    /// of meanwhile may be.
    #[must_use]
    pub fn sessions_begun(&self) -> u64 {
        self.handle.lock().client.sessions_begun()
    }

    /// How the last link ended; `None` before one has.
    #[must_use]
    pub fn last_disconnect(&self) -> Option<Disconnect> {
        self.handle.lock().client.last_disconnect()
    }

    /// Why the last attempt to connect failed, in words for a person; `None` while a login
    /// has its link. It has no secret in it.
    #[must_use]
    pub fn last_link_error(&self) -> Option<String> {
        self.handle.lock().link_error.clone()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}
