//! The log of an engine, up to its own level (`logLevel`). It never contains the payload of a
//! message.

use rts_proto::client::{Event, LogLevel, RoomEvent};
use rts_proto::{ConnectionState, LoginCode};

/// The line is for an application that takes no events, and so gets no more of them.
const NOT_READ: &str =
    "the link is not read until events are taken: too many wait; take them, or drop `Events`";

/// A line of the log. It is written while no lock is held, since subscribers of the log may run the
/// application's code.
pub(crate) struct Line {
    level: LogLevel,
    text: String,
}

impl Line {
    /// `None` when the engine's log level excludes the line, or the event is never logged.
    pub(crate) fn new(wanted: LogLevel, event: &Event) -> Option<Self> {
        if wanted == LogLevel::Off {
            return None;
        }
        let (level, text) = words(event)?;
        (level <= wanted).then_some(Self { level, text })
    }

    /// The line for a link that is no longer read.
    pub(crate) fn not_read(wanted: LogLevel) -> Option<Self> {
        let (level, text) = (LogLevel::Warn, String::from(NOT_READ));
        (level <= wanted).then_some(Self { level, text })
    }

    pub(crate) fn write(self) {
        let text = self.text;
        match self.level {
            LogLevel::Off => {}
            LogLevel::Error => tracing::error!("{text}"),
            LogLevel::Warn => tracing::warn!("{text}"),
            LogLevel::Info => tracing::info!("{text}"),
            LogLevel::Debug => tracing::debug!("{text}"),
        }
    }
}

fn words(event: &Event) -> Option<(LogLevel, String)> {
    Some(match event {
        Event::LoginResult { uid, code, .. } => {
            let is_ok = *code == LoginCode::Ok;
            let level = if is_ok { LogLevel::Info } else { LogLevel::Error };
            (level, format!("login of {uid}: {code}"))
        }
        Event::Logout(reason) => (LogLevel::Info, format!("the login is over: {reason}")),
        Event::ConnectionStateChanged(state) => {
            let level = match state {
                ConnectionState::Failed => LogLevel::Error,
                ConnectionState::Disconnected
                | ConnectionState::Reconnecting
                | ConnectionState::Lost => LogLevel::Warn,
                ConnectionState::Connecting
                | ConnectionState::Connected
                | ConnectionState::Reconnected => LogLevel::Info,
            };
            (level, format!("connection: {state}"))
        }
        Event::CreateRoomFailed { error, .. } => (LogLevel::Warn, format!("no room: {error}")),
        Event::Warning { message, .. } => (LogLevel::Warn, message.clone()),
        Event::Room { room, event, .. } => return room_words(room.as_str(), event),
        Event::MessageSendResult { id, code } => {
            (LogLevel::Debug, format!("message {}: {code}", id.0))
        }
        Event::ServerMessageSendResult { id, code, .. } => {
            (LogLevel::Debug, format!("message {} to the app's server: {code}", id.0))
        }
        Event::ServerParamsSetResult(code) => (LogLevel::Debug, format!("server params: {code}")),
        Event::PeerOnlineStatus { .. } | Event::MessageReceived { .. } => return None,
    })
}

fn room_words(room: &str, event: &RoomEvent) -> Option<(LogLevel, String)> {
    Some(match event {
        RoomEvent::Joined { .. } => (LogLevel::Info, format!("room {room}: joined")),
        RoomEvent::Left => (LogLevel::Info, format!("room {room}: left")),
        RoomEvent::StateChanged { state, .. } => (LogLevel::Warn, format!("room {room}: {state}")),
        RoomEvent::MessageSendResult { id, code } => {
            (LogLevel::Debug, format!("room {room}: message {}: {code}", id.0))
        }
        RoomEvent::MessageReceived { .. }
        | RoomEvent::UserMessageReceived { .. }
        | RoomEvent::UserJoined(_)
        | RoomEvent::UserLeft { .. } => return None,
    })
}
