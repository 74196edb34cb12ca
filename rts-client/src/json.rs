//! Events and errors as data. [`Event`] documents the form.

mod names;

use std::fmt::Display;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rts_driver::client::{BroadcastCode, LoginCode, Payload, SendCode};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::error::{JoinError, LoginError, SendError, ServerParamsError};
use crate::events::{Event, RoomEvent};
use names::Name;

/// A code of the contract.
#[derive(Serialize)]
struct Code<N> {
    code: N,
    name: &'static str,
}

/// A code with a sentence for people.
#[derive(Serialize)]
struct Explained<N, M> {
    code: N,
    name: &'static str,
    message: M,
}

/// A result: a success with the contract's number for it, or an error.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'a, N, E> {
    Ok(Code<N>),
    Err(&'a E),
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Content<'a> {
    Text(&'a str),
    Base64(String),
}

fn outcome<N, T, E>(ok: N, result: &Result<T, E>) -> Outcome<'_, N, E> {
    match result {
        Ok(_) => Outcome::Ok(Code { code: ok, name: "ok" }),
        Err(error) => Outcome::Err(error),
    }
}

fn content(payload: &Payload) -> Content<'_> {
    match payload {
        Payload::Text(text) => Content::Text(text),
        Payload::Binary(bytes) => Content::Base64(BASE64_STANDARD.encode(bytes)),
    }
}

/// Whole milliseconds, as in the JSON port.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// See [`Event`](Event#as-json).
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        match self {
            Self::Connection(state) => {
                map.serialize_entry("type", "connection")?;
                map.serialize_entry("state", &Code { code: state.code(), name: state.name() })?;
            }
            Self::LoginResult { uid, result, elapsed } => {
                map.serialize_entry("type", "login_result")?;
                map.serialize_entry("uid", uid)?;
                map.serialize_entry("result", &outcome(LoginCode::Ok.code(), result))?;
                map.serialize_entry("elapsed_ms", &millis(*elapsed))?;
            }
            Self::MessagesMayBeMissing => {
                map.serialize_entry("type", "messages_may_be_missing")?;
            }
            Self::LoggedOut(reason) => {
                map.serialize_entry("type", "logged_out")?;
                map.serialize_entry("reason", &Code { code: reason.code(), name: reason.name() })?;
            }
            Self::Message { from, payload } => {
                map.serialize_entry("type", "message")?;
                map.serialize_entry("from", from)?;
                map.serialize_entry("payload", &content(payload))?;
            }
            Self::SendResult { id, result } => {
                map.serialize_entry("type", "send_result")?;
                map.serialize_entry("id", id)?;
                map.serialize_entry("result", &outcome(SendCode::Ok.code(), result))?;
            }
            Self::ServerSendResult { id, result } => {
                map.serialize_entry("type", "server_send_result")?;
                map.serialize_entry("id", id)?;
                map.serialize_entry("result", &outcome(SendCode::Ok.code(), result))?;
                if let Ok(reply) = result {
                    let reply = Content::Base64(BASE64_STANDARD.encode(&**reply));
                    map.serialize_entry("reply", &reply)?;
                }
            }
            Self::Room { room, event } => {
                map.serialize_entry("type", "room")?;
                map.serialize_entry("room", room)?;
                map.serialize_entry("event", event)?;
            }
            Self::Warning { code, message } => {
                map.serialize_entry("type", "warning")?;
                let warning = Explained { code: code.code(), name: code.name(), message };
                map.serialize_entry("warning", &warning)?;
            }
        }
        map.end()
    }
}

/// See [`Event`](Event#as-json).
#[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
impl Serialize for RoomEvent {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        match self {
            Self::Joined { how, elapsed } => {
                map.serialize_entry("type", "joined")?;
                map.serialize_entry("how", &Code { code: how.code(), name: how.name() })?;
                map.serialize_entry("elapsed_ms", &millis(*elapsed))?;
            }
            Self::StateChanged(state) => {
                map.serialize_entry("type", "state_changed")?;
                map.serialize_entry("state", &Code { code: state.code(), name: state.name() })?;
            }
            Self::Left => map.serialize_entry("type", "left")?,
            Self::Message { from, payload } => {
                map.serialize_entry("type", "message")?;
                map.serialize_entry("from", from)?;
                map.serialize_entry("payload", &content(payload))?;
            }
            Self::UserMessage { from, payload } => {
                map.serialize_entry("type", "user_message")?;
                map.serialize_entry("from", from)?;
                map.serialize_entry("payload", &content(payload))?;
            }
            Self::SendResult { id, result } => {
                map.serialize_entry("type", "send_result")?;
                map.serialize_entry("id", id)?;
                map.serialize_entry("result", &outcome(BroadcastCode::Ok.code(), result))?;
            }
            Self::UserJoined(uid) => {
                map.serialize_entry("type", "user_joined")?;
                map.serialize_entry("uid", uid)?;
            }
            Self::UserLeft { uid, reason } => {
                map.serialize_entry("type", "user_left")?;
                map.serialize_entry("uid", uid)?;
                map.serialize_entry("reason", &Code { code: reason.code(), name: reason.name() })?;
            }
        }
        map.end()
    }
}

fn explained<S: Serializer>(
    to: S,
    code: impl Serialize,
    error: &(impl Name + Display),
) -> Result<S::Ok, S::Error> {
    Explained { code, name: error.name(), message: format_args!("{error}") }.serialize(to)
}

macro_rules! explained {
    ($($error:ident)+) => {$(
        /// As `code`, the contract's number or null, `name`, and `message`: see
        /// [`Event`](Event#as-json).
        #[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
        impl Serialize for $error {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                explained(to, self.code(), self)
            }
        }
    )+};
}

explained!(SendError LoginError JoinError ServerParamsError);
