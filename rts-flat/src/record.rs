//! [`Record`]: an event in one shape.

use std::fmt;
use std::time::Duration;

use rts_proto::client::{Event, RoomEvent};
use rts_proto::{Payload, RoomKey};

use crate::table::EventKind;

/// An event in one shape, for borders to other languages. The [kind](EventKind::fields) says which
/// fields have a meaning; the others are 0 or empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The kind of the event.
    pub kind: EventKind,
    /// A state, result, reason or status.
    pub code: i32,
    /// The id of a message, or milliseconds.
    pub number: i64,
    /// The key of the room handle; 0 if the event is not of a room handle.
    pub room: u64,
    /// The id of the room.
    pub room_id: String,
    /// The id of the user.
    pub uid: String,
    /// The payload, UTF-8 if the event's field is [text](crate::Field::Text).
    pub data: Vec<u8>,
}

impl Record {
    fn new(kind: EventKind) -> Self {
        let (room_id, uid, data) = (String::new(), String::new(), Vec::new());
        Self { kind, code: 0, number: 0, room: 0, room_id, uid, data }
    }

    fn with_code(self, code: impl Into<i64>) -> Self {
        // Every code of the contract is small.
        Self { code: i32::try_from(code.into()).unwrap_or(i32::MAX), ..self }
    }

    fn with_number(self, number: u64) -> Self {
        Self { number: i64::try_from(number).unwrap_or(i64::MAX), ..self }
    }

    fn with_uid(self, uid: &str) -> Self {
        Self { uid: uid.to_owned(), ..self }
    }

    fn with_data(self, data: &[u8]) -> Self {
        Self { data: data.to_owned(), ..self }
    }

    /// A message, which is text or bytes.
    fn of_message(text: EventKind, bytes: EventKind, from: &str, payload: &Payload) -> Self {
        let kind = match payload {
            Payload::Text(_) => text,
            Payload::Binary(_) => bytes,
        };
        Self::new(kind).with_uid(from).with_data(payload.as_bytes())
    }

    fn of_room_event(key: RoomKey, room_id: &str, event: &RoomEvent) -> Self {
        let record = match event {
            RoomEvent::Joined { uid, how, elapsed } => {
                let (join_type, elapsed) = (how.code(), millis(*elapsed));
                let resumed =
                    how.resumed().map_or_else(String::new, |is| format!(",\"resumed\":{is}"));
                let extra = format!("{{\"join_type\":{join_type},\"elapsed\":{elapsed}{resumed}}}");
                let record = Self::new(EventKind::RoomStateChanged);
                record.with_uid(uid.as_str()).with_data(extra.as_bytes())
            }
            RoomEvent::StateChanged { uid, state } => Self::new(EventKind::RoomStateChanged)
                .with_uid(uid.as_ref().map_or("", |uid| uid.as_str()))
                .with_code(state.code())
                .with_data(b"{}"),
            RoomEvent::Left => Self::new(EventKind::LeaveRoom),
            RoomEvent::MessageReceived { from, payload } => {
                let (text, bytes) =
                    (EventKind::RoomMessageReceived, EventKind::RoomBinaryMessageReceived);
                Self::of_message(text, bytes, from.as_str(), payload)
            }
            RoomEvent::UserMessageReceived { from, payload } => {
                let (text, bytes) =
                    (EventKind::UserMessageReceived, EventKind::UserBinaryMessageReceived);
                Self::of_message(text, bytes, from.as_str(), payload)
            }
            RoomEvent::MessageSendResult { id, code } => {
                let record = Self::new(EventKind::RoomMessageSendResult);
                record.with_number(id.0).with_code(code.code())
            }
            RoomEvent::UserJoined(uid) => Self::new(EventKind::UserJoined).with_uid(uid.as_str()),
            RoomEvent::UserLeft { uid, reason } => {
                Self::new(EventKind::UserLeave).with_uid(uid.as_str()).with_code(reason.code())
            }
        };
        Self { room: key.0, room_id: room_id.to_owned(), ..record }
    }
}

impl From<&Event> for Record {
    fn from(event: &Event) -> Self {
        match event {
            Event::ConnectionStateChanged(state) => {
                Self::new(EventKind::ConnectionStateChanged).with_code(state.code())
            }
            Event::LoginResult { uid, code, elapsed } => Self::new(EventKind::LoginResult)
                .with_uid(uid.as_str())
                .with_code(code.code())
                .with_number(millis(*elapsed)),
            Event::Logout(reason) => Self::new(EventKind::Logout).with_code(reason.code()),
            Event::PeerOnlineStatus { uid, status } => {
                Self::new(EventKind::PeerOnlineStatus).with_uid(uid).with_code(status.code())
            }
            Event::MessageReceived { from, payload } => {
                let (text, bytes) = (EventKind::MessageReceived, EventKind::BinaryMessageReceived);
                Self::of_message(text, bytes, from.as_str(), payload)
            }
            Event::MessageSendResult { id, code } => {
                let record = Self::new(EventKind::MessageSendResult);
                record.with_number(id.0).with_code(code.code())
            }
            Event::ServerParamsSetResult(code) => {
                Self::new(EventKind::ServerParamsSetResult).with_code(code.code())
            }
            Event::ServerMessageSendResult { id, code, reply } => {
                let record = Self::new(EventKind::ServerMessageSendResult);
                record.with_number(id.0).with_code(code.code()).with_data(reply)
            }
            Event::CreateRoomFailed { room, error } => {
                let record = Self::new(EventKind::CreateRoomFailed).with_code(error.code());
                Self { room_id: room.clone(), ..record }
            }
            Event::Room { key, room, event } => Self::of_room_event(*key, room.as_str(), event),
            Event::Warning { code, message } => {
                let record = Self::new(EventKind::Warning);
                record.with_code(code.code()).with_data(message.as_bytes())
            }
        }
    }
}

/// Shows of a payload its length only.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, code, number, room, room_id, uid, data } = self;
        f.debug_struct("Record")
            .field("kind", kind)
            .field("code", code)
            .field("number", number)
            .field("room", room)
            .field("room_id", room_id)
            .field("uid", uid)
            .field("data", &format_args!("{} bytes", data.len()))
            .finish()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
