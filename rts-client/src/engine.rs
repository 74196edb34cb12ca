//! [`Engine`]: one client, for Rust programs.

use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use rts_driver::client as contract;
use rts_driver::client::{
    BusinessIdError, CreateRoomError, Disconnect, LinkFailure, LoginStatus, Membership,
    MessageConfig, OnlineStatus, Payload, SendCode, ServerAnswer, Timing, TimingError, UserId,
};

use crate::error::{self, JoinError, LoginError, ServerParamsError};
use crate::events::Events;
use crate::logins::Logins;
use crate::room::Room;
use crate::sending::Sending;

/// One client: one app, one login at a time, many rooms. Cheap to clone.
///
/// When its link is lost, the engine reconnects, resumes its session, joins its rooms again and
/// resends unacknowledged messages by itself.
///
/// The engine is closed when its last clone and its last [`Room`] are dropped.
#[derive(Clone, Debug)]
pub struct Engine {
    engine: contract::Engine,
    logins: Arc<Logins>,
}

impl Engine {
    pub(crate) fn new(engine: contract::Engine, logins: Arc<Logins>) -> Self {
        Self { engine, logins }
    }

    /// Opens the stream of events. There is one stream at a time: an earlier one ends, and this one
    /// takes over its unread events. Without a stream, events are discarded.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(&self.engine)
    }

    // Login.

    /// Logs in, and waits for the answer. While the server cannot be reached, it retries without
    /// end: use a time-out, or read the reason from [`Event::Warning`](crate::Event::Warning).
    ///
    /// With a [token provider](crate::Builder::token_provider), a refused token is replaced once
    /// before this fails.
    ///
    /// If this future is dropped, the login continues; [`logout`](Self::logout) ends it.
    ///
    /// # Errors
    ///
    /// Invalid token or user id; already logged in or logging in; refused; ended before the answer;
    /// engine closed.
    pub async fn login(
        &self,
        token: impl AsRef<str>,
        uid: impl AsRef<str>,
    ) -> Result<(), LoginError> {
        let watch = self.engine.log_in(token.as_ref(), uid.as_ref())?;
        self.logins.answer(watch).await
    }

    /// Like [`login`](Self::login), with a token of the
    /// [token provider](crate::Builder::token_provider).
    ///
    /// If this future is dropped while the provider is asked, nobody is logged in. Once the engine
    /// has the token, the login goes on.
    ///
    /// # Errors
    ///
    /// Those of [`login`](Self::login); no provider; the provider failed.
    pub async fn login_as(&self, uid: impl AsRef<str>) -> Result<(), LoginError> {
        let uid = uid.as_ref();
        if !self.logins.has_provider() {
            return Err(LoginError::NoTokenProvider);
        }
        UserId::check(uid).map_err(|_| LoginError::InvalidArgument)?;
        self.logins.log_in(&self.engine, uid).await
    }

    /// Logs out. Open messages get their results, then
    /// [`Event::LoggedOut`](crate::Event::LoggedOut) follows. A login that waits for another token
    /// ends without an event.
    pub fn logout(&self) {
        self.engine.logout();
    }

    /// Sets another token for the present login. The engine uses it for its next login to the
    /// server, such as after a long time without a link. If the last token was refused, the engine
    /// logs in at once. An expired token never ends a live login. Without a login this does
    /// nothing, also while [`login_as`](Self::login_as) waits for its provider.
    ///
    /// An application with a [token provider](crate::Builder::token_provider) need not call this.
    pub fn update_token(&self, token: impl AsRef<str>) {
        self.engine.watch_login().update_token(token.as_ref());
    }

    /// The user who is logged in or logging in, or whose token was refused. `None` without a login,
    /// and while [`login_as`](Self::login_as) waits for its provider.
    #[must_use]
    pub fn uid(&self) -> Option<UserId> {
        self.engine.watch_login().look().uid().cloned()
    }

    /// The state of the login.
    #[must_use]
    pub fn login_status(&self) -> LoginStatus {
        self.engine.watch_login().status()
    }

    // Messages.

    /// Sends text or bytes to a user, reliably and in order. The message is sent when this returns.
    /// Await the result: `Ok` means that the user's engine has the message.
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

    /// Like [`send`](Self::send), with a choice of reliability and order. `Ok` of an unreliable
    /// message means that the server handed it to the receiver's connection.
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

    /// Returns whether a user is online. The status is [`Unreachable`](OnlineStatus::Unreachable)
    /// without a login, without an answer for 10 s, or over the rate of 10 queries a second. It is
    /// [`Offline`](OnlineStatus::Offline) for an invalid user id.
    pub async fn online_status(&self, uid: impl AsRef<str>) -> OnlineStatus {
        self.engine.get_peer_online_status(uid.as_ref()).await
    }

    // The app's own server.

    /// Sets the URL to which messages for the app server are posted, and the signature in these
    /// posts. They last for the login, also through lost links and restarts of the RTS server.
    ///
    /// # Errors
    ///
    /// Not logged in; refused; not answered; engine closed. A refusal leaves earlier params in
    /// force.
    pub async fn set_server_params(
        &self,
        signature: impl AsRef<str>,
        url: impl AsRef<str>,
    ) -> Result<(), ServerParamsError> {
        if self.engine.is_destroyed() {
            return Err(ServerParamsError::EngineClosed);
        }
        error::server_params(self.engine.set_server_params(signature.as_ref(), url.as_ref()).await)
    }

    /// Sends text or bytes to the app server. The message is sent when this returns. Await the
    /// answer of the app server, of up to 64 KiB. Messages to the app server may overtake each
    /// other.
    pub fn send_to_server(&self, payload: impl Into<Payload>) -> Sending<ServerAnswer> {
        Sending::new(match payload.into() {
            Payload::Text(text) => self.engine.send_server_message(text),
            Payload::Binary(bytes) => self.engine.send_server_binary_message(bytes),
        })
    }

    // Rooms.

    /// Joins a room, and waits for the answer. Without a link it waits as long as the login lives.
    /// If this future is dropped, the engine leaves the room.
    ///
    /// # Errors
    ///
    /// Not logged in; invalid room id; in too many rooms; already in the room or joining it (then
    /// [`room`](Self::room) returns it); refused; cancelled by the end of the login; engine closed.
    pub async fn join(&self, room_id: impl AsRef<str>) -> Result<Room, JoinError> {
        let room_id = room_id.as_ref();
        let mut watch = self.engine.watch_login();
        let login = watch.look();
        match login.status() {
            LoginStatus::LoggedIn => {}
            LoginStatus::Destroyed => return Err(JoinError::EngineClosed),
            _ => return Err(JoinError::NotLoggedIn),
        }
        let over = async {
            while watch.look().id() == login.id() {
                watch.changed().await;
            }
            Err(JoinError::Cancelled)
        };
        or(Room::join(self.handle(room_id)?), over).await
    }

    /// The room with this id, if the engine is in it or joins it.
    #[must_use]
    pub fn room(&self, room_id: impl AsRef<str>) -> Option<Room> {
        let room = self.engine.room(room_id.as_ref())?;
        let is_member = matches!(room.membership(), Membership::Joining | Membership::Joined);
        is_member.then(|| Room::new(room))
    }

    /// The handle of a room. A room that the engine is not in keeps its handle until there are too
    /// many handles.
    fn handle(&self, room_id: &str) -> Result<contract::Room, CreateRoomError> {
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

    /// Changes one of the engine's times, from 10 ms to an hour, in whole milliseconds. On a closed
    /// engine this does nothing.
    ///
    /// # Errors
    ///
    /// The time is out of this range. Then nothing changes.
    pub fn set_timing(&self, timing: Timing, time: Duration) -> Result<(), TimingError> {
        self.engine.set_timing(timing, time)
    }

    /// Sets a tag that joins send to the app's back end. An empty tag clears it. On a closed engine
    /// this does nothing.
    ///
    /// # Errors
    ///
    /// Invalid characters; the engine is in a room.
    pub fn set_business_id(&self, id: impl AsRef<str>) -> Result<(), BusinessIdError> {
        self.engine.set_business_id(id.as_ref())
    }

    // The connection.

    /// Whether a login is live and its link is up. This also shows short breaks, for which there is
    /// no event.
    #[must_use]
    pub fn is_online(&self) -> bool {
        self.engine.is_online()
    }

    /// How the last link ended; `None` before a link has ended.
    #[must_use]
    pub fn last_disconnect(&self) -> Option<Disconnect> {
        self.engine.last_disconnect()
    }

    /// Why the last attempt to connect failed, without secrets. `None` while a login has its link.
    ///
    /// ```
    /// # fn is_refused(engine: &rts_client::Engine) -> bool {
    /// use rts_client::{LinkError, LinkFailure, NoLink};
    ///
    /// let Some(LinkFailure::NoLink(why)) = engine.last_link_error() else { return false };
    /// match why.downcast_ref::<NoLink>().map(NoLink::error) {
    ///     Some(LinkError::Connect { error, .. }) => {
    ///         error.kind() == std::io::ErrorKind::ConnectionRefused
    ///     }
    ///     _ => false,
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn last_link_error(&self) -> Option<LinkFailure> {
        self.engine.last_link_error()
    }

    /// Reports to the engine that the device has another network: it checks its link, or
    /// reconnects at once.
    pub fn network_changed(&self) {
        self.engine.network_changed();
    }

    /// Logs out, closes the engine for good, and waits until its last bytes are written. If this
    /// future is dropped after its first poll, the engine is closed all the same.
    pub async fn close(&self) {
        self.engine.destroy();
        self.engine.closed().await;
    }

    /// This engine with the calls, callbacks and numbers of the contract.
    #[must_use]
    pub fn contract(&self) -> &contract::Engine {
        &self.engine
    }
}

/// For engines that were made elsewhere, such as by a test kit. They have no token provider.
impl From<contract::Engine> for Engine {
    fn from(engine: contract::Engine) -> Self {
        Self::new(engine, Arc::new(Logins::new(None)))
    }
}
