//! The engine, as a Rust program uses it.

use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use rts_driver::client as contract;
use rts_driver::client::{
    BusinessIdError, CreateRoomError, Disconnect, LoginStatus, MessageConfig, OnlineStatus,
    Parameters, Payload, SendCode, ServerAnswer, Timing, TimingError, UserId,
};

use crate::error::{self, JoinError, LoginError, ServerParamsError};
use crate::events::Events;
use crate::logins::Logins;
use crate::room::Room;
use crate::sending::Sending;

/// One client: one app, one login at a time, many rooms. Cheap to clone.
///
/// It keeps its session over lost links by itself: it reconnects, resumes, joins its rooms again,
/// and sends again what was not acknowledged.
///
/// When the last clone and the last [`Room`] of it are dropped, the engine is closed.
#[derive(Clone, Debug)]
pub struct Engine {
    engine: contract::Engine,
    logins: Arc<Logins>,
}

impl Engine {
    pub(crate) fn new(engine: contract::Engine, logins: Arc<Logins>) -> Self {
        Self { engine, logins }
    }

    /// What the engine tells from now on. There is one stream at a time: an earlier one ends, and
    /// leaves what it has not given to this one. Without a stream, events are discarded.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.engine.events())
    }

    // Login.

    /// Logs in, and waits for the answer. With no way to the server it tries for ever: put a
    /// time-out around it, or watch [`Event::Warning`](crate::Event::Warning) for the reason.
    ///
    /// With a [token provider](crate::Builder::token_provider), a refused token is replaced once
    /// before this fails.
    ///
    /// If this future is dropped, the login goes on; [`logout`](Self::logout) ends it.
    ///
    /// # Errors
    ///
    /// A malformed token or user id; logged in, or logging in, already; refused, or ended before it
    /// was answered; closed.
    pub async fn login(&self, token: &str, uid: &str) -> Result<(), LoginError> {
        let watch = self.engine.log_in(token, uid)?;
        let login = self.logins.begin(uid, Some(token));
        self.logins.answer(login, watch).await
    }

    /// Logs in with a token of the [token provider](crate::Builder::token_provider); else like
    /// [`login`](Self::login). The provider has no time limit of this engine's.
    ///
    /// # Errors
    ///
    /// Also: no provider, or it failed.
    pub async fn login_as(&self, uid: &str) -> Result<(), LoginError> {
        if !self.logins.has_provider() {
            return Err(LoginError::NoTokenProvider);
        }
        UserId::check(uid).map_err(|_| LoginError::InvalidArgument)?;
        let mut watch = self.engine.watch_login();
        match watch.status() {
            LoginStatus::LoggedIn | LoginStatus::LoggingIn => {
                return Err(LoginError::AlreadyLoggedIn);
            }
            LoginStatus::Destroyed => return Err(LoginError::EngineClosed),
            _ => {}
        }
        let login = self.logins.begin(uid, None);
        let token = self.logins.first_token(login, uid, watch).await?;
        let watch = self.engine.log_in(&token, uid)?;
        self.logins.answer(login, watch).await
    }

    /// Logs out. Messages without a result get theirs, and
    /// [`Event::LoggedOut`](crate::Event::LoggedOut) follows if a login was live or under way. A
    /// login that waits for another token ends too.
    pub fn logout(&self) {
        self.logins.end();
        self.engine.logout();
    }

    /// Another token for the present login. It is used when the engine has to log in anew, such as
    /// after a long time without a link. If the last token was refused, the engine logs in with this
    /// one at once. An expired token never ends a live login. After a logout this does nothing.
    ///
    /// An application with a [token provider](crate::Builder::token_provider) need not call this.
    pub fn update_token(&self, token: &str) {
        if self.logins.take_token(token) {
            self.engine.update_login_token(token);
        }
    }

    // Messages.

    /// Sends text or bytes to a user, reliably and in order. `Ok` means that the user's engine has
    /// the message. It is sent when this returns; await it for the result.
    ///
    /// ```no_run
    /// # async fn example(engine: rts_client::Engine) -> Result<(), rts_client::SendError> {
    /// engine.send("bob", "hi").await?;
    ///
    /// // Or without waiting: the number at once, the result as an event too.
    /// let sending = engine.send("bob", "hi again");
    /// println!("message {}", sending.id()?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn send(&self, to: impl AsRef<str>, payload: impl Into<Payload>) -> Sending<SendCode> {
        self.send_with(to, payload, MessageConfig::ReliableOrdered)
    }

    /// Like [`send`](Self::send), perhaps unreliably: then `Ok` means that the server handed the
    /// message to the receiver's connection.
    pub fn send_with(
        &self,
        to: impl AsRef<str>,
        payload: impl Into<Payload>,
        config: MessageConfig,
    ) -> Sending<SendCode> {
        let to = to.as_ref();
        Sending::new(match payload.into() {
            Payload::Text(text) => self.engine.send_message(to, text, config),
            Payload::Binary(bytes) => self.engine.send_binary_message(to, bytes, config),
        })
    }

    /// Asks whether a user is online. [`Unreachable`](OnlineStatus::Unreachable) if there is no
    /// login, no answer within 10 s, or over the rate of 10 a second;
    /// [`Offline`](OnlineStatus::Offline) for an id that no user can have.
    pub async fn online_status(&self, uid: impl AsRef<str>) -> OnlineStatus {
        self.engine.get_peer_online_status(uid.as_ref()).await
    }

    // The app's own server.

    /// Sets where messages for the app's server are posted, and the signature that is shown there.
    /// They last for the login, through lost links and restarts of the RTS server.
    ///
    /// # Errors
    ///
    /// Not logged in; refused; not answered. A refusal leaves earlier params in force.
    pub async fn set_server_params(
        &self,
        signature: &str,
        url: &str,
    ) -> Result<(), ServerParamsError> {
        error::server_params(self.engine.set_server_params(signature, url).await)
    }

    /// Sends text or bytes to the app's server: `Ok` is its answer of up to 64 KiB. It is sent when
    /// this returns. Several of them may overtake each other.
    pub fn send_to_server(&self, payload: impl Into<Payload>) -> Sending<ServerAnswer> {
        Sending::new(match payload.into() {
            Payload::Text(text) => self.engine.send_server_message(text),
            Payload::Binary(bytes) => self.engine.send_server_binary_message(bytes),
        })
    }

    // Rooms.

    /// Joins a room, and waits for the answer as long as the login lives, also while the link is
    /// down. If this future is dropped, the room is left.
    ///
    /// # Errors
    ///
    /// Not logged in; a malformed room id; in 1,024 rooms; in the room, or joining it, already;
    /// refused; cancelled by the end of the login.
    pub async fn join(&self, room_id: impl AsRef<str>) -> Result<Room, JoinError> {
        let room_id = room_id.as_ref();
        match self.engine.watch_login().status() {
            LoginStatus::LoggedIn => {}
            LoginStatus::Destroyed => return Err(JoinError::EngineClosed),
            _ => return Err(JoinError::NotLoggedIn),
        }
        let login = self.logins.number();
        let over = async {
            self.logins.until_over(login).await;
            Err(JoinError::Cancelled)
        };
        or(Room::join(self.room(room_id)?), over).await
    }

    /// The handle of a room. One that the engine is out of has its handle still, until there are
    /// too many of them.
    fn room(&self, room_id: &str) -> Result<contract::Room, CreateRoomError> {
        if let Some(room) = self.engine.room(room_id) {
            return Ok(room);
        }
        self.engine.create_room(room_id).or_else(|error| match error {
            CreateRoomError::TooMany => {
                self.engine.destroy_idle_rooms();
                self.engine.create_room(room_id)
            }
            error => Err(error),
        })
    }

    /// Changes one of the engine's times, from 10 ms to an hour.
    ///
    /// # Errors
    ///
    /// A time out of this range. Then nothing changes.
    pub fn set_timing(&self, timing: Timing, time: Duration) -> Result<(), TimingError> {
        Parameters::default().set(timing, time)?;
        let json = format!("{{\"{}\":{}}}", timing.key(), time.as_millis());
        let set = self.engine.set_runtime_parameters(&json);
        set.expect("this is a JSON object");
        Ok(())
    }

    /// Sets a tag that goes along with joins, for the app's back end. An empty one clears it.
    ///
    /// # Errors
    ///
    /// Bad characters; in a room.
    pub fn set_business_id(&self, id: &str) -> Result<(), BusinessIdError> {
        self.engine.set_business_id(id)
    }

    // The connection.

    /// Whether a login is live and its link is up. Short breaks are not told: this shows them too.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.engine.is_online()
    }

    /// How the last link ended; `None` before one has.
    #[must_use]
    pub fn last_disconnect(&self) -> Option<Disconnect> {
        self.engine.last_disconnect()
    }

    /// Why the last attempt to connect failed, in words for a person; `None` while a login has its
    /// link. It has no secret in it.
    #[must_use]
    pub fn last_link_error(&self) -> Option<String> {
        self.engine.last_link_error()
    }

    /// The device has another network now: the link is checked, and waiting ends.
    pub fn network_changed(&self) {
        self.engine.network_changed();
    }

    /// Logs out, closes the engine for good, and waits until its last bytes are written, so that a
    /// program may end. If this future is dropped, the engine is closed all the same.
    pub async fn close(&self) {
        self.engine.destroy();
        self.engine.closed().await;
    }

    /// The same engine as the contract describes it: with its calls, callbacks and numbers.
    #[must_use]
    pub fn contract(&self) -> &contract::Engine {
        &self.engine
    }
}

/// For engines that were made elsewhere, such as by a test kit. It has no token provider.
impl From<contract::Engine> for Engine {
    fn from(engine: contract::Engine) -> Self {
        Self::new(engine, Arc::new(Logins::new(None)))
    }
}
