//! What the log says of events: the level of each, its text, and its values.

use rts_proto::client::{Event, LogLevel, RoomEvent};
use rts_proto::limits::{OPEN_SEND_BYTES_MAX, OPEN_SENDS_MAX};
use rts_proto::{BroadcastCode, ConnectionState, LoginCode, RoomId, SendCode};

use super::line::Said;

/// `None` for what the engine does not decide: what others say and do.
pub(super) fn of_event(event: &Event, in_call: bool) -> Option<(LogLevel, Said)> {
    Some(match event {
        Event::LoginResult { uid, code, .. } => {
            let (level, text) = match code {
                LoginCode::Ok => (LogLevel::Info, "logged in"),
                _ => (LogLevel::Error, "login failed"),
            };
            let user = Some(uid.clone());
            (level, Said { text, user, code: Some(code.code().into()), ..why(code) })
        }
        Event::Logout(reason) => {
            let code = Some(reason.code().into());
            (LogLevel::Info, Said { text: "the login is over", code, ..why(reason) })
        }
        Event::ConnectionStateChanged(state) => {
            let code = Some(state.code().into());
            (level_of_state(*state), Said { text: "connection state", code, ..why(state) })
        }
        Event::CreateRoomFailed { room, error } => {
            let room = Some(room.clone());
            (LogLevel::Warn, Said { text: "no room", room, ..why(error) })
        }
        Event::Warning { code, message } => {
            let code = Some(code.code().into());
            (LogLevel::Warn, Said { text: "warning", code, ..why(message) })
        }
        Event::Room { room, event, .. } => return of_room_event(room, event, in_call),
        Event::MessageSendResult { id, code } => {
            (LogLevel::Debug, of_result("result of a message", id.0, *code, in_call))
        }
        Event::ServerMessageSendResult { id, code, .. } => {
            let text = "result of a message to the app server";
            (LogLevel::Debug, of_result(text, id.0, *code, in_call))
        }
        Event::ServerParamsSetResult(code) => {
            let (text, number) = ("result of setting server params", Some(code.code().into()));
            (LogLevel::Debug, Said { text, code: number, ..why(code) })
        }
        Event::PeerOnlineStatus { .. } | Event::MessageReceived { .. } => return None,
    })
}

fn of_room_event(room: &RoomId, event: &RoomEvent, in_call: bool) -> Option<(LogLevel, Said)> {
    let (level, said) = match event {
        RoomEvent::Joined { how, .. } => (
            LogLevel::Info,
            Said { text: "joined a room", resumed: how.resumed(), ..Said::default() },
        ),
        RoomEvent::Left => (LogLevel::Info, Said { text: "left a room", ..Said::default() }),
        RoomEvent::StateChanged { state, .. } => {
            let code = Some(state.code().into());
            (LogLevel::Warn, Said { text: "state of a room", code, ..why(state) })
        }
        RoomEvent::MessageSendResult { id, code } => {
            let (text, number) = ("result of a broadcast", Some(code.code().into()));
            let said = match code {
                BroadcastCode::OverRate if in_call => too_many(),
                code => why(code),
            };
            (LogLevel::Debug, Said { text, id: Some(id.0), code: number, ..said })
        }
        RoomEvent::MessageReceived { .. }
        | RoomEvent::UserMessageReceived { .. }
        | RoomEvent::UserJoined(_)
        | RoomEvent::UserLeft { .. } => return None,
    };
    Some((level, Said { room: Some(room.to_string()), ..said }))
}

/// An application that takes no events gets no more of them, and may wonder why.
pub(super) fn of_reading(is_read: bool) -> (LogLevel, Said) {
    match is_read {
        true => (LogLevel::Debug, Said { text: "the link is read again", ..Said::default() }),
        false => {
            let too_many = "too many events wait; take them, or drop `Events`";
            (LogLevel::Warn, Said { text: "the link is not read", ..why(&too_many) })
        }
    }
}

fn of_result(text: &'static str, id: u64, code: SendCode, in_call: bool) -> Said {
    let said = match code {
        SendCode::OverRate if in_call => too_many(),
        code => why(&code),
    };
    Said { text, id: Some(id), code: Some(code.code().into()), ..said }
}

/// Result 5 of the engine itself.
fn too_many() -> Said {
    let bytes = OPEN_SEND_BYTES_MAX / 1_048_576;
    why(&format_args!("{OPEN_SENDS_MAX} sends or {bytes} MiB have no result: slow down"))
}

fn why(cause: &dyn std::fmt::Display) -> Said {
    Said { why: Some(cause.to_string()), ..Said::default() }
}

fn level_of_state(state: ConnectionState) -> LogLevel {
    match state {
        ConnectionState::Failed => LogLevel::Error,
        ConnectionState::Disconnected | ConnectionState::Reconnecting | ConnectionState::Lost => {
            LogLevel::Warn
        }
        ConnectionState::Connecting | ConnectionState::Connected | ConnectionState::Reconnected => {
            LogLevel::Info
        }
    }
}
