//! Rooms through `rts engine`.

use serde_json::{Value, json};

use crate::support::Server;

#[test]
fn broadcast_reaches_all_members_except_the_sender() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.user("alice"), server.user("bob"));
    alice.join("room");
    bob.join("room");
    let here = json!({"on": "onUserJoined", "room": "room", "uid": "bob"});
    assert_eq!(alice.until("onUserJoined"), here);
    let call = json!({"room": "room", "message": "hello"});
    assert_eq!(alice.call("sendRoomMessage", call), json!(1));
    let result = json!({"on": "onRoomMessageSendResult", "room": "room", "msgid": 1, "code": 200});
    assert_eq!(alice.until("onRoomMessageSendResult"), result);
    let got =
        json!({"on": "onRoomMessageReceived", "room": "room", "uid": "alice", "message": "hello"});
    assert_eq!(bob.until("onRoomMessageReceived"), got);
    bob.call("sendRoomBinaryMessage", json!({"room": "room", "base64": "AAE="}));
    assert_eq!(alice.until("onRoomBinaryMessageReceived")["base64"], json!("AAE="));
    bob.call("leaveRoom", json!({"room": "room"}));
    bob.until("onLeaveRoom");
    let gone = json!({"on": "onUserLeave", "room": "room", "uid": "bob", "reason": 0});
    assert_eq!(alice.until("onUserLeave"), gone);
    let rest = alice.end();
    assert!(rest.iter().all(|line| line["on"] != "onRoomMessageReceived"), "no echo");
}

#[test]
fn room_calls_return_codes_of_the_contract() {
    let server = Server::start();
    let mut alice = server.engine();
    for room in ["", "a.b", &"x".repeat(129)] {
        assert_eq!(alice.call("createRoom", json!({"room": room})), Value::Null);
        assert_eq!(alice.until("onCreateRoomStateChanged")["code"], json!(-1007));
    }
    let room = json!({"room": "room"});
    assert_eq!(alice.call("createRoom", room.clone()), json!("room"));
    assert_eq!(alice.call("createRoom", room.clone()), Value::Null);
    assert_eq!(alice.until("onCreateRoomStateChanged")["code"], json!(-1013));
    assert_eq!(alice.call("joinRoom", room.clone()), json!(0));
    assert_eq!(alice.until("onRoomStateChanged")["state"], json!(-1001));
    let message = json!({"room": "room", "message": "x"});
    assert_eq!(alice.call("sendRoomMessage", message.clone()), json!(1));
    assert_eq!(alice.until("onRoomMessageSendResult")["code"], json!(100));
    alice.log_in("alice");
    assert_eq!(alice.call("joinRoom", room.clone()), json!(0));
    let joined = alice.until("onRoomStateChanged");
    let extra: Value = serde_json::from_str(joined["extra"].as_str().expect("text")).expect("JSON");
    assert_eq!((&joined["state"], &extra["join_type"]), (&json!(0), &json!(0)));
    assert_eq!(alice.call("joinRoom", room.clone()), json!(-2));
    assert_eq!(alice.call("setBusinessId", json!({"businessId": "b"})), json!(-6001));
    assert_eq!(alice.call("setBusinessId", json!({"businessId": "b!"})), json!(-6002));
    assert_eq!(alice.call("destroyRoom", room.clone()), Value::Null);
    assert_eq!(alice.call("setBusinessId", json!({"businessId": "b"})), json!(0));
    assert_eq!(alice.call("joinRoom", room.clone()), json!(-3));
    assert_eq!(alice.call("sendRoomMessage", message), json!(-3));
    assert_eq!(alice.call("createRoom", room), json!("room"));
}

#[test]
fn room_is_left_once_and_can_be_joined_again() {
    let server = Server::start();
    let mut alice = server.user("alice");
    alice.join("room");
    let room = json!({"room": "room"});
    alice.call("leaveRoom", room.clone());
    alice.call("leaveRoom", room.clone());
    // While the room is being left, a join is accepted and carried out afterwards.
    assert_eq!(alice.call("joinRoom", room.clone()), json!(0));
    assert_eq!(alice.until("onLeaveRoom")["room"], json!("room"));
    assert_eq!(alice.next()["state"], json!(0));
    let large = json!({"room": "room", "message": "x".repeat(65_537)});
    assert_eq!(alice.call("sendRoomMessage", large), json!(1));
    assert_eq!(alice.until("onRoomMessageSendResult")["code"], json!(103));
    let largest = json!({"room": "room", "message": "x".repeat(65_536)});
    assert_eq!(alice.call("sendRoomMessage", largest), json!(2));
    assert_eq!(alice.until("onRoomMessageSendResult")["code"], json!(200), "alone in the room");
}

#[test]
fn destroyed_room_has_no_callbacks() {
    let server = Server::start();
    let mut alice = server.user("alice");
    alice.join("room");
    for number in 1..=20 {
        let say =
            json!({"ref": number, "call": "sendRoomMessage", "room": "room", "message": "hi"});
        alice.write(say.to_string());
    }
    alice.write(json!({"ref": "gone", "call": "destroyRoom", "room": "room"}).to_string());
    while alice.read()["ref"] != "gone" {}
    assert_eq!(alice.call("createRoom", json!({"room": "room"})), json!("room"));
    // When this query is answered, the server has answered all earlier requests.
    alice.call("getPeerOnlineStatus", json!({"uid": "alice"}));
    loop {
        let line = alice.next();
        assert_ne!(line["room"], "room", "{line}");
        if line["on"] == "onGetPeerOnlineStatus" {
            break;
        }
    }
}

#[test]
fn handles_are_local_and_one_room_too_many_fails() {
    let server = Server::start();
    let mut alice = server.user("alice");
    for number in 0..129 {
        let room = json!({"room": format!("room-{number}")});
        assert_eq!(alice.call("createRoom", room.clone()), room["room"]);
        assert_eq!(alice.call("joinRoom", room.clone()), json!(0));
        let state = alice.until("onRoomStateChanged");
        let expected = if number < 128 { 0 } else { -1_001 };
        assert_eq!((&state["room"], &state["state"]), (&room["room"], &json!(expected)));
    }
}
