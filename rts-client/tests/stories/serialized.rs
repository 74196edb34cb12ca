//! Events and errors as JSON.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rts_client::{
    ConnectionState, Event, JoinError, JoinType, LeaveReason, LoginError, LogoutReason, MessageId,
    Payload, Reason, Reply, RoomEvent, RoomId, RoomState, SendError, ServerParamsError, UserId,
    WarningCode,
};
use serde::Serialize;

fn json(value: impl Serialize) -> String {
    serde_json::to_string(&value).expect("serializable")
}

fn alice() -> UserId {
    UserId::new("alice").expect("a user id")
}

#[test]
fn events_have_one_form_in_json() {
    let elapsed = Duration::from_micros(1_500_999);
    let (id, binary) = (MessageId(3), || Payload::binary(vec![0, 255, 16]));
    let offline = SendError::NotDelivered(Reason::ReceiverOffline);
    for (event, expected) in [
        (
            Event::Connection(ConnectionState::Connected),
            r#"{"type":"connection","state":{"code":3,"name":"connected"}}"#,
        ),
        (
            Event::LoginResult { uid: alice(), result: Ok(()), elapsed },
            r#"{"type":"login_result","uid":"alice","result":{"code":0,"name":"ok"},"elapsed_ms":1500}"#,
        ),
        (
            Event::LoginResult { uid: alice(), result: Err(LoginError::Failed), elapsed },
            r#"{"type":"login_result","uid":"alice","result":{"code":-1001,"name":"failed","message":"the login failed: log in again"},"elapsed_ms":1500}"#,
        ),
        (Event::MessagesMayBeMissing, r#"{"type":"messages_may_be_missing"}"#),
        (
            Event::LoggedOut(LogoutReason::PutOut),
            r#"{"type":"logged_out","reason":{"code":2,"name":"put_out"}}"#,
        ),
        (
            Event::Message { from: alice(), payload: "hi".into() },
            r#"{"type":"message","from":"alice","payload":{"text":"hi"}}"#,
        ),
        (
            Event::Message { from: alice(), payload: binary() },
            r#"{"type":"message","from":"alice","payload":{"base64":"AP8Q"}}"#,
        ),
        (
            Event::SendResult { id, result: Ok(()) },
            r#"{"type":"send_result","id":3,"result":{"code":0,"name":"ok"}}"#,
        ),
        (
            Event::SendResult { id, result: Err(offline) },
            r#"{"type":"send_result","id":3,"result":{"code":4,"name":"receiver_offline","message":"not delivered: the receiver is not logged in"}}"#,
        ),
        (
            Event::ServerSendResult { id, result: Ok(Reply::new(vec![0, 255, 16])) },
            r#"{"type":"server_send_result","id":3,"result":{"code":0,"name":"ok"},"reply":{"base64":"AP8Q"}}"#,
        ),
        (
            Event::ServerSendResult { id, result: Err(SendError::BadAnswer) },
            r#"{"type":"server_send_result","id":3,"result":{"code":18,"name":"bad_answer","message":"the app server has the message, but its answer is invalid"}}"#,
        ),
        (
            Event::Warning { code: WarningCode::LinkFailed, message: "no link".to_owned() },
            r#"{"type":"warning","warning":{"code":5,"name":"link_failed","message":"no link"}}"#,
        ),
    ] {
        assert_eq!(json(event), expected);
    }
    for (event, expected) in [
        (
            RoomEvent::Joined { how: JoinType::Resumed, elapsed },
            r#"{"type":"joined","how":{"code":1,"name":"resumed"},"elapsed_ms":1500}"#,
        ),
        (
            RoomEvent::StateChanged(RoomState::Kicked),
            r#"{"type":"state_changed","state":{"code":-1006,"name":"kicked"}}"#,
        ),
        (RoomEvent::Left, r#"{"type":"left"}"#),
        (
            RoomEvent::Message { from: alice(), payload: "hi".into() },
            r#"{"type":"message","from":"alice","payload":{"text":"hi"}}"#,
        ),
        (
            RoomEvent::UserMessage { from: alice(), payload: binary() },
            r#"{"type":"user_message","from":"alice","payload":{"base64":"AP8Q"}}"#,
        ),
        (
            RoomEvent::SendResult { id, result: Ok(()) },
            r#"{"type":"send_result","id":3,"result":{"code":200,"name":"ok"}}"#,
        ),
        (
            RoomEvent::SendResult { id, result: Err(SendError::TimedOut) },
            r#"{"type":"send_result","id":3,"result":{"code":1,"name":"timed_out","message":"no answer in time: the message may have been delivered or not"}}"#,
        ),
        (RoomEvent::UserJoined(alice()), r#"{"type":"user_joined","uid":"alice"}"#),
        (
            RoomEvent::UserLeft { uid: alice(), reason: LeaveReason::Dropped },
            r#"{"type":"user_left","uid":"alice","reason":{"code":1,"name":"dropped"}}"#,
        ),
    ] {
        assert_eq!(json(&event), expected);
        let room = RoomId::new("lobby").expect("a room id");
        let within = format!(r#"{{"type":"room","room":"lobby","event":{expected}}}"#);
        assert_eq!(json(Event::Room { room, event }), within);
    }
}

/// `LinkFailed` as `link_failed`.
fn snake_case(variant: &impl std::fmt::Debug) -> String {
    let variant = format!("{variant:?}");
    let letters = variant.char_indices().map(|(at, letter)| match letter.is_uppercase() {
        true if at > 0 => format!("_{}", letter.to_ascii_lowercase()),
        _ => letter.to_ascii_lowercase().to_string(),
    });
    letters.collect()
}

#[test]
fn names_are_those_of_the_variants_in_snake_case() {
    let assert_named = |json: String, variant: String| {
        assert!(json.contains(&format!(r#""name":"{variant}""#)), "{json}: {variant}");
    };
    for state in ConnectionState::ALL {
        assert_named(json(Event::Connection(*state)), snake_case(state));
    }
    for reason in LogoutReason::ALL {
        assert_named(json(Event::LoggedOut(*reason)), snake_case(reason));
    }
    for code in WarningCode::ALL {
        let warning = json(Event::Warning { code: *code, message: String::new() });
        assert_named(warning, snake_case(code));
    }
    for how in [JoinType::First, JoinType::Resumed, JoinType::Anew] {
        let joined = json(RoomEvent::Joined { how, elapsed: Duration::ZERO });
        assert_named(joined, snake_case(&how));
    }
    for state in RoomState::ALL {
        assert_named(json(RoomEvent::StateChanged(*state)), snake_case(state));
    }
    for reason in LeaveReason::ALL {
        let left = json(RoomEvent::UserLeft { uid: alice(), reason: *reason });
        assert_named(left, snake_case(reason));
    }
}

#[test]
fn errors_are_code_name_and_message() {
    let failed = LoginError::TokenProvider(Arc::new(io::Error::other("no network")));
    for (error, expected) in [
        (
            json(LoginError::TokenRefused),
            r#"{"code":-1000,"name":"token_refused","message":"the server refuses the token: it is invalid, expired, revoked, or for another user"}"#,
        ),
        (
            json(failed),
            r#"{"code":null,"name":"token_provider","message":"the token provider failed"}"#,
        ),
        (
            json(JoinError::UserBanned),
            r#"{"code":-1026,"name":"user_banned","message":"the user is banned from this room, or from all rooms"}"#,
        ),
        (
            json(JoinError::Cancelled),
            r#"{"code":null,"name":"cancelled","message":"the room was left, or the login ended, before the join was answered"}"#,
        ),
        (
            json(ServerParamsError::OverRate),
            r#"{"code":5,"name":"over_rate","message":"over the rate, or too many calls have no answer yet"}"#,
        ),
    ] {
        assert_eq!(error, expected);
    }
}
