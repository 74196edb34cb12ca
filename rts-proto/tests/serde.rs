//! The feature `serde`: a written value is read back as an equal value. A value that no constructor
//! accepts is refused.
#![cfg(feature = "serde")]

use std::fmt::Debug;
use std::time::Duration;

use rts_proto::client::{CreateRoomError, Event, JoinType, RoomEvent, WarningCode};
use rts_proto::server::{
    Deliveries, Entered, Entry, JoinPermit, JoinRefusal, MemberEnd, Moved, MovedMember, Names,
    NodeNumber, Outcome, SessionNumber, ShardId,
};
use rts_proto::{
    AppId, BroadcastCode, BusinessId, ConnectionState, Instant, LeaveReason, LoginCode,
    LogoutReason, MessageConfig, MessageId, OnlineStatus, Payload, Reply, RoomId, RoomKey,
    RoomState, SendCode, ServerParamsCode, Text, UserId,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, from_value, json, to_value};

fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T, written: Value) {
    assert_eq!(to_value(&value).expect("it can be written"), written);
    assert_eq!(from_value::<T>(written).expect("it can be read"), value);
}

fn refusal<T: DeserializeOwned + Debug>(written: Value) -> String {
    from_value::<T>(written).expect_err("it is invalid").to_string()
}

fn alice() -> UserId {
    UserId::new("alice").expect("a valid id")
}

#[test]
fn id_is_its_text_and_invalid_ids_are_refused() {
    check(alice(), json!("alice"));
    check(RoomId::new("lobby").expect("a valid id"), json!("lobby"));
    check(BusinessId::new("shop").expect("a valid id"), json!("shop"));
    check(MessageId(7), json!(7));
    assert_eq!(refusal::<UserId>(json!("")), "the user id is empty");
    assert_eq!(refusal::<AppId>(json!("short")), "the app id has 5 bytes, exactly 24 are needed");
    assert!(refusal::<RoomId>(json!("a.b")).starts_with("the room id has a character"));
    assert!(refusal::<BusinessId>(json!("b".repeat(129))).contains("at most 128"));
}

#[test]
fn code_is_the_contracts_number_and_others_are_refused() {
    for code in RoomState::ALL {
        check(*code, json!(code.code()));
    }
    check(SendCode::NotLoggedIn, json!(105));
    check(MessageConfig::UnreliableUnordered, json!(2));
    check(WarningCode::LinkFailed, json!(5));
    assert_eq!(refusal::<SendCode>(json!(7)), "7 is no SendCode");
}

#[test]
fn serialized_payload_has_its_kind() {
    check(Text::from("hé"), json!("hé"));
    check(Payload::text("hi"), json!({"text": "hi"}));
    check(Payload::binary(vec![0, 255]), json!({"binary": [0, 255]}));
    check(Reply::new(vec![1]), json!([1]));
}

#[test]
fn every_event_is_read_back() {
    let elapsed = Duration::from_millis(1_500);
    let written = json!({"login_result":
        {"uid": "alice", "code": -1000, "elapsed": {"secs": 1, "nanos": 500_000_000}}});
    check(Event::LoginResult { uid: alice(), code: LoginCode::InvalidToken, elapsed }, written);
    check(
        Event::PeerOnlineStatus { uid: "any text?".into(), status: OnlineStatus::Offline },
        json!({"peer_online_status": {"uid": "any text?", "status": 0}}),
    );
    let room = |event| Event::Room {
        key: RoomKey(3),
        room: RoomId::new("lobby").expect("a valid id"),
        event,
    };
    check(
        room(RoomEvent::UserLeft { uid: alice(), reason: LeaveReason::Dropped }),
        json!({"room": {"key": 3, "room": "lobby",
            "event": {"user_left": {"uid": "alice", "reason": 1}}}}),
    );
    let (id, from, payload) = (MessageId(1), alice(), Payload::text("hi"));
    let events = [
        Event::ConnectionStateChanged(ConnectionState::Lost),
        Event::Logout(LogoutReason::Displaced),
        Event::MessageReceived { from: from.clone(), payload: payload.clone() },
        Event::MessageSendResult { id, code: SendCode::Timeout },
        Event::ServerParamsSetResult(ServerParamsCode::Ok),
        Event::ServerMessageSendResult { id, code: SendCode::Ok, reply: Reply::default() },
        Event::CreateRoomFailed { room: "a.b".into(), error: CreateRoomError::BadRoom },
        Event::Warning { code: WarningCode::BadParameter, message: "why".into() },
        room(RoomEvent::Joined { uid: alice(), how: JoinType::Anew, elapsed }),
        room(RoomEvent::StateChanged { uid: None, state: RoomState::Kicked }),
        room(RoomEvent::Left),
        room(RoomEvent::MessageReceived { from: from.clone(), payload: payload.clone() }),
        room(RoomEvent::UserMessageReceived { from, payload }),
        room(RoomEvent::MessageSendResult { id, code: BroadcastCode::Ok }),
        room(RoomEvent::UserJoined(alice())),
    ];
    for event in events {
        let written = to_value(&event).expect("it can be written");
        check(event, written);
    }
}

#[test]
fn entry_of_a_shard_is_read_back_and_invalid_parts_are_refused() {
    let session = SessionNumber::from_number(5).expect("not zero");
    let room = || RoomId::new("lobby").expect("a valid id");
    let mut deliveries = Deliveries::default();
    deliveries.push(session, MessageId(7), MessageConfig::ReliableOrdered, &alice(), &[1, 2]);
    check(ShardId::new(63).expect("a valid number"), json!(63));
    let last_node = NodeNumber::new(63).expect("a valid number");
    check(ShardId::of_node(last_node, 63).expect("a valid number"), json!(4_095));
    check(
        Entry::Deliver(deliveries),
        json!({"deliver":
            [{"session": 5, "id": 7, "config": 0, "to": "alice", "frame": [1, 2]}]}),
    );
    check(
        Entry::Outcomes(vec![(session, Outcome::Send(SendCode::Ok, MessageId(7)))]),
        json!({"outcomes": [[5, {"send": [0, 7]}]]}),
    );
    check(
        Entry::Gone {
            room: room(),
            session,
            uid: alice(),
            end: MemberEnd::WaitsUntil(Instant::from_millis(3)),
        },
        json!({"gone": {"room": "lobby", "session": 5, "uid": "alice",
            "end": {"waits_until": 3_000}}}),
    );
    check(
        Entry::Joined {
            room: room(),
            session,
            ticket: 1,
            entered: Entered::Back,
            names: Names { names: vec![alice()], has_no_notices: true },
            is_charged: true,
        },
        json!({"joined": {"room": "lobby", "session": 5, "ticket": 1,
            "entered": "back", "names": {"names": ["alice"], "has_no_notices": true},
            "is_charged": true}}),
    );
    check(JoinPermit::Refused(JoinRefusal::RoomFull), json!({"refused": "room_full"}));
    assert_eq!(refusal::<ShardId>(json!(4_096)), "no such shard");
    let nothing = refusal::<SessionNumber>(json!(0));
    assert!(nothing.contains("nonzero"), "{nothing}");
    check(
        Entry::Moved(Box::new(Moved::Members {
            room: room(),
            used: 3,
            members: vec![(alice(), MovedMember::Here(session))],
        })),
        json!({"moved": {"members":
            {"room": "lobby", "used": 3, "members": [["alice", {"here": 5}]]}}}),
    );
    let nobody = json!({"orphan": {"room": "lobby", "uid": "", "waits": true}});
    assert_eq!(refusal::<Entry>(nobody), "the user id is empty");
}
