//! Descriptions of events for people.

use rts_client::contract::{Event, JoinType, Payload, RoomEvent};

/// Describes an event. `None` for events that need no report.
pub(crate) fn describe(event: &Event) -> Option<String> {
    Some(match event {
        Event::MessageReceived { from, payload } => format!("{from}: {}", shown(payload)),
        Event::MessageSendResult { id, code } => format!("  #{id} result: {code}"),
        Event::PeerOnlineStatus { uid, status } => format!("{}: {status}", safe(uid)),
        Event::ConnectionStateChanged(state) => format!("  connection: {state}"),
        Event::LoginResult { code, .. } => format!("  login: {code}"),
        Event::Logout(reason) => format!("logged out: {reason}"),
        Event::ServerParamsSetResult(code) => format!("  server params: {code}"),
        Event::ServerMessageSendResult { id, code, reply } => {
            let reply = safe(&String::from_utf8_lossy(reply));
            format!("  #{id} result: {code}; answer of the app server: {reply}")
        }
        Event::CreateRoomFailed { error, .. } => format!("no room: {error}"),
        Event::Warning { message, .. } => format!("  warning: {}", safe(message)),
        Event::Room { room, event, .. } => match event {
            RoomEvent::Joined { how: JoinType::First, .. } => format!("[{room}] joined"),
            RoomEvent::Joined { how: JoinType::Resumed, .. } => {
                format!("[{room}] joined again: nothing is missing")
            }
            RoomEvent::Joined { how: JoinType::Anew, .. } => {
                format!("[{room}] joined again: what was said there meanwhile is missing")
            }
            RoomEvent::StateChanged { state, .. } => format!("[{room}] {state}"),
            RoomEvent::Left => format!("[{room}] left"),
            RoomEvent::MessageReceived { from, payload } => {
                format!("[{room}] {from}: {}", shown(payload))
            }
            RoomEvent::UserMessageReceived { from, payload } => {
                format!("[{room}] {from}, to you alone: {}", shown(payload))
            }
            RoomEvent::MessageSendResult { id, code } => format!("  [{room}] #{id} result: {code}"),
            RoomEvent::UserJoined(uid) => format!("[{room}] {uid} is here"),
            RoomEvent::UserLeft { uid, reason } => format!("[{room}] {uid} is gone: {reason}"),
        },
    })
}

pub(crate) fn shown(payload: &Payload) -> String {
    match payload.as_text() {
        Some(text) => safe(text),
        None => format!("({} bytes)", payload.len()),
    }
}

/// Replaces characters with which a text could control this terminal or reverse the text beside it.
pub(super) fn safe(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { '\u{FFFD}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rts_client::contract::{
        LoginCode, LogoutReason, MessageId, OnlineStatus, SendCode, ServerParamsCode, UserId,
    };
    use std::time::Duration;

    #[test]
    fn codes_have_meaning_and_number() {
        let uid = || UserId::new("bob").expect("well formed");
        let code = LoginCode::BadUserId;
        let login = Event::LoginResult { uid: uid(), code, elapsed: Duration::ZERO };
        let (id, status) = (MessageId(7), OnlineStatus::Unreachable);
        for (event, words) in [
            (login, "  login: the server refuses this user id (-1002)"),
            (
                Event::Logout(LogoutReason::PutOut),
                "logged out: the app's back end ended the session (2)",
            ),
            (
                Event::MessageSendResult { id, code: SendCode::ReceiverNotLoggedIn },
                "  #7 result: the receiver is not logged in (4)",
            ),
            (Event::ServerParamsSetResult(ServerParamsCode::Ok), "  server params: in force (200)"),
            (Event::PeerOnlineStatus { uid: "bob".to_owned(), status }, "bob: unreachable (2)"),
        ] {
            assert_eq!(describe(&event).as_deref(), Some(words));
        }
    }

    #[test]
    fn message_cannot_control_the_terminal() {
        let evil = "\x1b[2Jhi\r\nroot: \u{202E}yes\u{2066}\u{9b}1m";
        let shown = safe(evil);
        assert_eq!(shown.chars().filter(|c| *c == '\u{FFFD}').count(), 6);
        assert!(!shown.contains(['\x1b', '\r', '\n', '\u{202E}', '\u{2066}', '\u{9b}']));
        assert_eq!(safe("grüße, 你好 👩‍🔬"), "grüße, 你好 👩‍🔬");
    }
}
