//! Events of an engine.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use rts_driver::client as contract;
use rts_driver::client::{
    ConnectionState, JoinType, LeaveReason, LoginId, LoginWatch, LogoutReason, MessageId, Payload,
    Reply, RoomId, RoomState, UserId, WarningCode,
};

use crate::error::{self, LoginError, SendError};

/// An event of an engine. Events come in the order in which they happened.
///
/// # As JSON
///
/// With the feature `serde`, events and errors implement `Serialize`. This is their form in JSON:
///
/// ```json
/// {"type":"connection","state":{"code":3,"name":"connected"}}
/// {"type":"login_result","uid":"alice","result":{"code":0,"name":"ok"},"elapsed_ms":120}
/// {"type":"send_result","id":3,"result":{"code":4,"name":"receiver_offline","message":"..."}}
/// {"type":"room","room":"lobby","event":{"type":"message","from":"bob","payload":{"text":"hi"}}}
/// ```
///
/// - `type` is the name of the variant in snake_case. The other fields have the names of the Rust
///   fields. A value without a name in Rust has one here: `state`, `reason`, `warning` or `uid`.
/// - A code is an object. `code` is the contract's number, as in the JSON port. `name` is in
///   snake_case and distinguishes what has one number. Names and numbers never change.
/// - An error is a code with a `message` for people, which may change. Its `code` is null if the
///   contract has no number for it.
/// - A `result` is an error, or the contract's number for success with the name `ok`. The answer of
///   an app server is beside it, as `reply`.
/// - A time ends with `_ms` and is a whole number of milliseconds.
/// - A payload is `{"text":"..."}`, or `{"base64":"..."}` for bytes. A `reply` is bytes.
/// - Later versions add fields and types.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The state of the connection changed. There is no event for breaks shorter than 10 s.
    Connection(ConnectionState),
    /// A login was answered. Later, when the engine logs in again after a lost link, only a refusal
    /// has this event.
    ///
    /// With a [token provider](crate::Builder::token_provider), `TokenRefused` is not the end: the
    /// engine asks for another token, and another result follows. [`Engine::login`] returns the
    /// last one.
    ///
    /// [`Engine::login`]: crate::Engine::login
    LoginResult {
        /// Who logged in.
        uid: UserId,
        /// The result. A login whose token was refused waits for another token.
        result: Result<(), LoginError>,
        /// The time since the login began, or since the link was lost.
        elapsed: Duration,
    },
    /// The engine is back after a lost link, and its session could not be resumed: messages and
    /// broadcasts that were sent in the meantime may be missing. Without this event, none is. It
    /// comes before events that are still unread.
    MessagesMayBeMissing,
    /// The login is over.
    LoggedOut(LogoutReason),
    /// A message of another user, or of the app's back end.
    Message {
        /// The sender.
        from: UserId,
        /// Text or bytes.
        payload: Payload,
    },
    /// The result of a message to a user. [`Sending`](crate::Sending) returns it too.
    SendResult {
        /// The message's number.
        id: MessageId,
        /// The result.
        result: Result<(), SendError>,
    },
    /// The result of a message to the app server.
    ServerSendResult {
        /// The message's number.
        id: MessageId,
        /// The answer of the app server.
        result: Result<Reply, SendError>,
    },
    /// Something happened in a room.
    Room {
        /// The room.
        room: RoomId,
        /// The event.
        event: RoomEvent,
    },
    /// An input was ignored, or an attempt to connect failed. The engine retries.
    Warning {
        /// The kind of warning.
        code: WarningCode,
        /// A sentence for people.
        message: String,
    },
}

/// An event in a room.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RoomEvent {
    /// The engine is in the room: after a join, or after a break that had an event.
    Joined {
        /// Which of the two, and whether broadcasts may be missing.
        how: JoinType,
        /// The time since the join began, or since the link was lost.
        elapsed: Duration,
    },
    /// The membership changed. Unless [it is a warning](RoomState::is_warning), the engine is out.
    StateChanged(RoomState),
    /// The engine has left the room.
    Left,
    /// A broadcast of another member, or of the app's back end.
    Message {
        /// The sender.
        from: UserId,
        /// Text or bytes.
        payload: Payload,
    },
    /// A message of the app's back end to this member alone.
    UserMessage {
        /// A name that the back end gave itself.
        from: UserId,
        /// Text or bytes.
        payload: Payload,
    },
    /// The result of a broadcast. [`Sending`](crate::Sending) returns it too.
    SendResult {
        /// The broadcast's number.
        id: MessageId,
        /// The result.
        result: Result<(), SendError>,
    },
    /// A user is in the room. After a join this event comes for each earlier member, and later for
    /// each user who joins.
    UserJoined(UserId),
    /// A user is no longer in the room.
    UserLeft {
        /// The user.
        uid: UserId,
        /// The reason.
        reason: LeaveReason,
    },
}

/// The stream of an engine's events, from the call of [`Engine::events`](crate::Engine::events) on.
/// It ends when the engine is closed and the last event was read.
///
/// Read events promptly. While 1,024 events or 8 MiB of payloads are unread, the engine does not
/// read its link, which slows down the senders. After 10 s the link counts as dead, and the engine
/// reconnects when there is room again. Results that are awaited do not count as unread.
///
/// An application that needs no events does not open the stream, or drops it.
pub struct Events {
    events: contract::Events,
    login: LoginWatch,
    /// The login that was seen last, and its lost sessions.
    seen: (LoginId, u64),
}

impl Events {
    pub(crate) fn new(engine: &contract::Engine) -> Self {
        let mut login = engine.watch_login();
        let view = login.look();
        Self { events: engine.events(), login, seen: (view.id(), view.sessions_lost()) }
    }

    /// The next event; `None` at the end. Cancel safe: no event is lost.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll_event(context)).await
    }

    /// The next event, if there is one now.
    pub fn try_next(&mut self) -> Option<Event> {
        if self.has_lost_session() {
            return Some(Event::MessagesMayBeMissing);
        }
        loop {
            if let Some(event) = converted(self.events.try_next()?) {
                return Some(event);
            }
        }
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        while self.login.poll_changed(context).is_ready() {
            if self.has_lost_session() {
                return Poll::Ready(Some(Event::MessagesMayBeMissing));
            }
        }
        loop {
            match ready!(Pin::new(&mut self.events).poll_next(context)) {
                None => return Poll::Ready(None),
                Some(event) => {
                    if let Some(event) = converted(event) {
                        return Poll::Ready(Some(event));
                    }
                }
            }
        }
    }

    /// Whether the login has lost a session since the last call.
    fn has_lost_session(&mut self) -> bool {
        let view = self.login.look();
        let (login, lost) = std::mem::replace(&mut self.seen, (view.id(), view.sessions_lost()));
        let lost_before = if login == view.id() { lost } else { 0 };
        view.sessions_lost() > lost_before
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(context)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// The event for the application; `None` for answers that only the caller of a method gets.
fn converted(event: contract::Event) -> Option<Event> {
    Some(match event {
        contract::Event::ConnectionStateChanged(state) => Event::Connection(state),
        contract::Event::LoginResult { uid, code, elapsed } => {
            Event::LoginResult { uid, result: error::login(code), elapsed }
        }
        contract::Event::Logout(reason) => Event::LoggedOut(reason),
        contract::Event::MessageReceived { from, payload } => Event::Message { from, payload },
        contract::Event::MessageSendResult { id, code } => {
            Event::SendResult { id, result: error::sent(code) }
        }
        contract::Event::ServerMessageSendResult { id, code, reply } => {
            Event::ServerSendResult { id, result: error::sent(code).map(|()| reply) }
        }
        contract::Event::Room { room, event, .. } => {
            Event::Room { room, event: converted_room_event(event) }
        }
        contract::Event::Warning { code, message } => Event::Warning { code, message },
        contract::Event::PeerOnlineStatus { .. }
        | contract::Event::ServerParamsSetResult(_)
        | contract::Event::CreateRoomFailed { .. } => return None,
    })
}

fn converted_room_event(event: contract::RoomEvent) -> RoomEvent {
    match event {
        contract::RoomEvent::Joined { how, elapsed, .. } => RoomEvent::Joined { how, elapsed },
        contract::RoomEvent::StateChanged { state, .. } => RoomEvent::StateChanged(state),
        contract::RoomEvent::Left => RoomEvent::Left,
        contract::RoomEvent::MessageReceived { from, payload } => {
            RoomEvent::Message { from, payload }
        }
        contract::RoomEvent::UserMessageReceived { from, payload } => {
            RoomEvent::UserMessage { from, payload }
        }
        contract::RoomEvent::MessageSendResult { id, code } => {
            RoomEvent::SendResult { id, result: error::broadcast(code) }
        }
        contract::RoomEvent::UserJoined(uid) => RoomEvent::UserJoined(uid),
        contract::RoomEvent::UserLeft { uid, reason } => RoomEvent::UserLeft { uid, reason },
    }
}
