//! The client engine: one app, one login at a time, one link at a time, many rooms.
//!
//! [`Client`] has four parts and nothing else: [`Client::new`], [`Client::handle_input`] for what
//! the world says, one method for each call of the contract, and [`Client::poll_output`] for what
//! is to be done. Any number of inputs and calls may come before a drain; draining late costs
//! latency, never correctness.

mod backlog;
mod broadcasts;
mod call;
mod commands;
mod connection;
mod early_close;
mod event;
mod handles;
mod login;
mod parameters;
mod pending;
mod receive;
mod rooms;
mod sends;
mod server_params;
mod session;
mod timeline;
mod timer;

use alloc::collections::VecDeque;
use core::fmt;

use bytes::Bytes;

pub use call::{
    BroadcastError, BusinessIdError, CreateRoomError, JoinError, LoginError, SendError,
};
pub use early_close::EarlyClose;
pub use event::{Event, JoinType, RoomEvent, WarningCode};
pub use parameters::{LogLevel, Parameters, ParametersError};
pub use timer::Timer;

use crate::backoff::Backoff;
use crate::random::Random;
use crate::{AppId, BusinessId, Disconnect, Instant, LinkId, MessageId};
use backlog::Flights;
use connection::Link;
use handles::Rooms;
use login::Login;
use pending::Pending;
use server_params::Params;
use timeline::Timeline;

/// What an engine is made from.
#[derive(Clone, Debug)]
pub struct Config {
    /// The app. Engines of different apps never meet.
    pub app_id: AppId,
    /// Times; see [`Client::set_runtime_parameters`].
    pub parameters: Parameters,
}

/// What the world tells the engine. Input for a link that the engine has given up changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time has passed. Needed at the deadline of [`Output::Wait`]; harmless at any other time.
    Tick,
    /// The link that [`Output::Connect`] asked for is up.
    Connected(LinkId),
    /// Bytes arrived.
    Received(LinkId, Bytes),
    /// The link is down, or could not be made.
    Disconnected(LinkId),
    /// The device's network is another one now: the link is checked, and waiting ends.
    NetworkChanged,
}

/// What the engine asks of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Make a link to the server, and answer with [`Input::Connected`] or [`Input::Disconnected`].
    Connect(LinkId),
    /// Write these bytes, after all earlier ones of the link.
    Transmit(LinkId, Bytes),
    /// Write what was transmitted before, then close. No answer is expected.
    Disconnect(LinkId),
    /// Tell the application.
    Event(Event),
    /// Nothing more to do before this moment, if no other input comes. Always the last output.
    Wait(Option<Instant>),
}

/// One engine.
pub struct Client {
    app_id: AppId,
    parameters: Parameters,
    random: Random,
    /// Tells this engine from others in its logins (§3.8).
    engine: u64,
    /// The latest moment seen: time never goes back.
    now: Instant,
    outputs: VecDeque<Output>,
    login: Login,
    link: Link,
    last_link: u64,
    backoff: Backoff,
    timeline: Timeline,
    pending: Pending,
    flights: Flights,
    /// Ids of messages to users, and to the app's server.
    last_message: MessageId,
    /// Numbers of broadcasts, queries and tickets on the wire: never used twice by this engine.
    last_wire_number: u64,
    rooms: Rooms,
    params: Params,
    business_id: Option<BusinessId>,
    last_disconnect: Option<Disconnect>,
    early_close: Option<EarlyClose>,
    sessions_begun: u64,
    destroyed: bool,
}

impl Client {
    /// An engine that is not logged in. It never connects before [`login`](Self::login).
    ///
    /// `seed` feeds the jitter of the back-off, and what tells this engine from others in its
    /// logins (§3.8); engines should differ in it. It makes no secrets. The same configuration,
    /// seed and inputs give the same outputs.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let engine = random.next_u64().max(1);
        Self {
            app_id: config.app_id,
            parameters: config.parameters,
            random,
            engine,
            now: Instant::ORIGIN,
            outputs: VecDeque::new(),
            login: Login::Idle,
            link: Link::None,
            last_link: 0,
            backoff: Backoff::new(),
            timeline: Timeline::new(Instant::ORIGIN),
            pending: Pending::default(),
            flights: Flights::new(),
            last_message: MessageId(0),
            last_wire_number: 0,
            rooms: Rooms::default(),
            params: Params::default(),
            business_id: None,
            last_disconnect: None,
            early_close: None,
            sessions_begun: 0,
            destroyed: false,
        }
    }

    /// Takes in what happened. An earlier `now` than before counts as the latest one.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        let now = self.advance(now);
        match input {
            Input::Tick => self.fire_timers(now),
            Input::Connected(link) => self.link_connected(now, link),
            Input::Received(link, bytes) => self.link_received(now, link, bytes),
            Input::Disconnected(link) => self.link_disconnected(now, link),
            Input::NetworkChanged => self.network_changed(now),
        }
    }

    /// The next thing to do. [`Output::Wait`] ends a drain.
    pub fn poll_output(&mut self) -> Output {
        match self.outputs.pop_front() {
            Some(output) => output,
            None => Output::Wait(self.next_timer().map(|(deadline, _)| deadline)),
        }
    }

    /// Which timer the deadline of [`Output::Wait`] is for.
    #[must_use]
    pub fn wake_reason(&self) -> Option<Timer> {
        self.next_timer().map(|(_, timer)| timer)
    }

    /// How the last link ended; `None` before one has.
    #[must_use]
    pub fn last_disconnect(&self) -> Option<Disconnect> {
        self.last_disconnect
    }

    /// How the server ended the last link that it closed before a login was answered over it.
    #[must_use]
    pub fn early_close(&self) -> Option<&EarlyClose> {
        self.early_close.as_ref()
    }

    /// The link that it has, or waits for.
    #[must_use]
    pub fn link(&self) -> Option<LinkId> {
        self.link.id()
    }

    /// Whether a login is live, and its link is up.
    #[must_use]
    pub fn is_online(&self) -> bool {
        matches!(self.link, Link::Online(_))
    }

    /// How many sessions this engine has had. One that is resumed is the same; after a new one,
    /// messages and broadcasts of meanwhile may be missing.
    #[must_use]
    pub fn sessions_begun(&self) -> u64 {
        self.sessions_begun
    }

    /// Whether a login is live, with or without a link at the moment.
    #[must_use]
    pub fn is_logged_in(&self) -> bool {
        matches!(self.login, Login::LoggedIn { .. })
    }

    /// What whoever drives this engine is to write to a log.
    #[must_use]
    pub fn log_level(&self) -> LogLevel {
        self.parameters.log_level
    }

    /// Whether [`destroy`](Self::destroy) was called.
    #[must_use]
    pub fn is_destroyed(&self) -> bool {
        self.destroyed
    }

    /// Sends, broadcasts, queries and calls of `set_server_params` that have no result yet.
    #[must_use]
    pub fn open_questions(&self) -> usize {
        self.pending.len()
    }

    /// Bytes kept for the link: frames that wait, frames that are not acknowledged, and a frame
    /// that has not arrived whole. At most [`ENGINE_BYTES_MAX`](crate::limits::ENGINE_BYTES_MAX).
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        let unacked = match &self.login {
            Login::LoggedIn { session, .. } => {
                session.channel.unacked_bytes() + session.backlog.bytes()
            }
            Login::Idle | Login::LoggingIn(_) | Login::TokenRejected { .. } => 0,
        };
        unacked + self.link.buffered_bytes()
    }

    /// For tests of the end of counting: the ids of messages, and of broadcasts in the rooms that
    /// there are, go on after this one.
    #[doc(hidden)]
    pub fn count_on_after(&mut self, last: MessageId) {
        self.last_message = last;
        self.rooms.count_on_after(last);
    }

    fn advance(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn next_wire_number(&mut self) -> u64 {
        self.last_wire_number += 1;
        self.last_wire_number
    }
}

/// Shows no token, payload or key: what is queued has them.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("app_id", &self.app_id)
            .field("now", &self.now)
            .field("is_logged_in", &self.is_logged_in())
            .field("open_questions", &self.open_questions())
            .field("wake_reason", &self.wake_reason())
            .finish_non_exhaustive()
    }
}
