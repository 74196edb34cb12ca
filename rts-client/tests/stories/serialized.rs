//! Events and errors as data.

use std::time::Duration;

use rts_client::{
    Event, JoinError, LoginError, MessageId, Reason, RoomEvent, RoomId, SendError, UserId,
};
use serde_json::json;

#[test]
fn events_and_errors_have_their_serialized_form() {
    let of = |event: &Event| serde_json::to_value(event).expect("serializable");
    let uid = UserId::new("alice").expect("a user id");
    assert_eq!(
        of(&Event::Message { from: uid.clone(), payload: "hi".into() }),
        json!({"message": {"from": "alice", "payload": {"text": "hi"}}}),
    );
    let error = SendError::NotDelivered(Reason::ReceiverOffline);
    let message = "not delivered: the receiver is not logged in";
    assert_eq!(
        of(&Event::SendResult { id: MessageId(3), result: Err(error) }),
        json!({"send_result": {"id": 3, "result": {"Err": {"code": 4, "message": message}}}}),
    );
    let room = RoomId::new("lobby").expect("a room id");
    assert_eq!(
        of(&Event::Room { room, event: RoomEvent::UserJoined(uid.clone()) }),
        json!({"room": {"room": "lobby", "event": {"user_joined": "alice"}}}),
    );
    let elapsed = Duration::from_millis(1_500);
    assert_eq!(
        of(&Event::LoginResult { uid, result: Ok(()), elapsed })["login_result"]["result"],
        json!({"Ok": null}),
    );
}

#[test]
fn an_error_without_a_number_has_the_code_null() {
    let code =
        |error| serde_json::to_value::<JoinError>(error).expect("serializable")["code"].clone();
    assert_eq!(code(JoinError::UserBanned), json!(-1026));
    assert_eq!(code(JoinError::Cancelled), json!(null));
    let error = serde_json::to_value(LoginError::TokenRefused).expect("serializable");
    assert_eq!(error["code"], json!(-1000));
}
