//! One engine: its parts, and its state as drivers and applications read it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use super::call::Call;
use super::connection::{Connection, EarlyClose, LastLogin, LostLink, NextAttempt};
use super::io::Config;
use super::observe::Observe;
use super::parameters::LogLevel;
use super::questions::{Question, Questions};
use super::rooms::{Membership, Rooms};
use super::server_params::Params;
use super::shared::Shared;
use super::timer::{Deadline, Timer, earliest};
use crate::wire::Frame;
use crate::{Disconnect, Instant, LinkId, MessageId, RoomKey, UserId};

/// One engine.
pub struct Client {
    pub(super) shared: Shared,
    pub(super) connection: Connection,
    pub(super) questions: Questions,
    pub(super) rooms: Rooms,
    pub(super) server_params: Params,
    pub(super) is_destroyed: bool,
    pub(super) observer: Option<Box<dyn Observe + Send>>,
}

impl Client {
    /// An engine that is not logged in. It never connects before [`login`](Self::login).
    ///
    /// `seed` feeds the jitter of the back-off, and a number that distinguishes this engine's
    /// logins (§3.8). Engines should have different seeds. It makes no secrets. The same
    /// configuration, seed and inputs give the same outputs.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            shared: Shared::new(config.parameters),
            connection: Connection::new(config.app_id, seed),
            questions: Questions::new(),
            rooms: Rooms::default(),
            server_params: Params::default(),
            is_destroyed: false,
            observer: None,
        }
    }

    /// An engine with an observer, which sees everything from the beginning.
    #[must_use]
    pub fn observed(config: Config, seed: u64, mut observer: Box<dyn Observe + Send>) -> Self {
        observer.started(&config, seed);
        Self { observer: Some(observer), ..Self::new(config, seed) }
    }

    /// Which timer the deadline of [`Output::Wait`](super::Output::Wait) is for.
    #[must_use]
    pub fn wake_reason(&self) -> Option<Timer> {
        self.next_timer().map(|(_, timer)| timer)
    }

    /// How the last link ended; `None` before a link has ended.
    #[must_use]
    pub fn last_disconnect(&self) -> Option<Disconnect> {
        self.lost_link().map(|lost| lost.why)
    }

    /// The last link that was lost; `None` before one was.
    #[must_use]
    pub fn lost_link(&self) -> Option<LostLink> {
        self.connection.lost_link()
    }

    /// The next attempt to connect, while the engine waits for it.
    #[must_use]
    pub fn next_attempt(&self) -> Option<NextAttempt> {
        self.connection.next_attempt()
    }

    /// The last login that the server let in, a return after a lost link too; `None` before one.
    #[must_use]
    pub fn last_login(&self) -> Option<LastLogin> {
        self.connection.last_login()
    }

    /// The user who is logged in, or wants to be.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        self.connection.user()
    }

    /// The newest token of the login, or the one that the server refused.
    #[must_use]
    pub fn token(&self) -> Option<&Bytes> {
        self.connection.token()
    }

    /// The latest `Close` of the server before a login was answered.
    #[must_use]
    pub fn early_close(&self) -> Option<&EarlyClose> {
        self.connection.early_close()
    }

    /// The present link, or the one that is being opened.
    #[must_use]
    pub fn link(&self) -> Option<LinkId> {
        self.connection.link_id()
    }

    /// Whether the user is logged in and the link is up.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.connection.is_online()
    }

    /// The number of sessions that this engine has had. A resumed session counts once. After a new
    /// session, messages and broadcasts may be missing.
    #[must_use]
    pub fn sessions_begun(&self) -> u64 {
        self.connection.sessions_begun()
    }

    /// Whether the user is logged in, with or without a link at the moment.
    #[must_use]
    pub fn is_logged_in(&self) -> bool {
        self.connection.is_logged_in()
    }

    /// Whether a login waits for its answer, with or without a link at the moment.
    #[must_use]
    pub fn is_logging_in(&self) -> bool {
        self.connection.is_logging_in()
    }

    /// The handle of the room with this id.
    #[must_use]
    pub fn room(&self, id: &str) -> Option<RoomKey> {
        self.rooms.key(id)
    }

    /// The state of a handle's membership; `None` when the handle was destroyed.
    #[must_use]
    pub fn membership(&self, key: RoomKey) -> Option<Membership> {
        self.rooms.membership(key)
    }

    /// The handles of rooms that the engine is not in, is not joining, and is not leaving.
    #[must_use]
    pub fn idle_rooms(&self) -> Vec<RoomKey> {
        let mut keys = self.rooms.keys();
        keys.retain(|key| self.membership(*key) == Some(Membership::Out));
        keys
    }

    /// The level of the log that the engine's driver writes.
    #[must_use]
    pub fn log_level(&self) -> LogLevel {
        self.shared.parameters().log_level()
    }

    /// Whether [`destroy`](Self::destroy) was called.
    #[must_use]
    pub fn is_destroyed(&self) -> bool {
        self.is_destroyed
    }

    /// Sends, broadcasts, queries and calls of `set_server_params` that have no result yet.
    #[must_use]
    pub fn open_questions(&self) -> usize {
        self.questions.len()
    }

    /// Bytes kept for the link: frames that wait, unacknowledged frames, and an incomplete received
    /// frame. At most [`ENGINE_BYTES_MAX`](crate::limits::ENGINE_BYTES_MAX).
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        self.connection.stored_bytes()
    }

    /// For tests of the end of the sequence: later ids of messages, and of broadcasts in the rooms
    /// that exist, follow this one.
    #[doc(hidden)]
    pub fn count_on_after(&mut self, last: MessageId) {
        self.questions.count_on_after(last);
        self.rooms.count_on_after(last);
    }

    /// Begins a call of the application, and shows it to the observer.
    pub(super) fn begin(&mut self, now: Instant, call: &Call<'_>) -> Begun<'_> {
        self.shared.advance(now);
        if let Some(observer) = &mut self.observer {
            observer.call(self.shared.now(), call);
        }
        Begun(self)
    }

    /// The first deadline of all parts. Each part computes its own from its state.
    pub(super) fn next_timer(&self) -> Option<Deadline> {
        let answer = self.questions.next_deadline().map(|deadline| (deadline, Timer::Answer));
        earliest([self.connection.next_timer(&self.shared), answer])
    }

    /// Queues a message or a query after earlier ones, and sends as much as is allowed.
    pub(super) fn submit(&mut self, frame: Frame, question: Question) {
        let Self { connection, questions, shared, .. } = self;
        connection.submit(frame, question, questions, shared);
    }

    /// Sends as much as is allowed now.
    pub(super) fn release(&mut self) {
        self.connection.release(&mut self.questions, &mut self.shared);
    }
}

/// A call that has begun and was shown to the observer. Only [`act`](Self::act) does its work, so
/// that the observer sees each return value. The work may take what the call borrowed.
#[must_use]
pub(super) struct Begun<'a>(&'a mut Client);

impl Begun<'_> {
    pub(super) fn act<R: fmt::Debug>(self, work: impl FnOnce(&mut Client) -> R) -> R {
        let Self(client) = self;
        let returned = work(client);
        if let Some(observer) = &mut client.observer {
            observer.returned(&returned);
        }
        returned
    }
}

/// Shows no token, payload or key; queued frames contain them.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("app_id", self.connection.app_id())
            .field("now", &self.shared.now())
            .field("is_logged_in", &self.is_logged_in())
            .field("open_questions", &self.open_questions())
            .field("wake_reason", &self.wake_reason())
            .finish_non_exhaustive()
    }
}
