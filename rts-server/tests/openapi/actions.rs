//! Every action, and its effect on users.

use rts_openapi::Action;
use rts_transport_tokio::{Event, LeaveReason, Payload, RoomEvent};
use serde_json::json;

use crate::support::{APP_ID, SECRET, World, to_bob};

#[tokio::test]
async fn message_arrives_in_each_version_and_encoding() {
    let world = World::start().await;
    let mut bob = world.log_in("bob").await;
    for version in Action::SendUnicast.versions() {
        let answer = world.ask_version(Action::SendUnicast, version, to_bob()).await;
        assert_eq!(answer.result(), json!({"Message": "success", "Receivers": 1}));
        let metadata = &answer.json()["ResponseMetadata"];
        assert_eq!(
            (&metadata["Action"], &metadata["Version"]),
            (&json!("SendUnicast"), &json!(version))
        );
        assert_eq!(metadata["Service"], json!("rtc"));
        assert_eq!(metadata["RequestId"].as_str().map(str::len), Some(32));
        let Event::MessageReceived { from, payload } = bob.next().await else {
            panic!("a message")
        };
        assert_eq!((from.as_str(), payload), ("system", Payload::text("hi bob")));
    }
    let answer = world.ask_signed(SECRET, 0, to_bob()).await;
    assert_eq!(answer.result()["Receivers"], json!(1));
    assert_eq!(answer.json()["ResponseMetadata"]["Region"], json!("cn-north-1"));
    assert!(matches!(bob.next().await, Event::MessageReceived { .. }));

    let mut bytes = to_bob();
    bytes["Binary"] = json!(true);
    bytes["Message"] = json!("AP8=");
    world.ask(Action::SendUnicast, bytes).await.result();
    let Event::MessageReceived { payload, .. } = bob.next().await else { panic!("a message") };
    assert_eq!(payload, Payload::binary(vec![0, 255]));
}

#[tokio::test]
async fn absent_users_and_rooms_are_no_error() {
    let world = World::start().await;
    let room = json!({"AppId": APP_ID, "RoomId": "lobby", "From": "system", "To": ["bob"],
        "UserId": "bob", "Message": "hi"});
    for action in [Action::SendUnicast, Action::SendBroadcast, Action::BatchSendRoomUnicast] {
        let mut body = room.clone();
        if action == Action::SendUnicast {
            body["To"] = json!("bob");
        }
        let result = world.ask(action, body).await.result();
        assert_eq!(result, json!({"Message": "success", "Receivers": 0}));
    }
    for action in [Action::KickUser, Action::DismissRoom] {
        let result = world.ask(action, room.clone()).await.result();
        assert_eq!(result, json!({"Message": "success", "Members": 0}));
    }
    let query = json!({"AppId": APP_ID, "RoomId": "lobby"});
    let users = world.ask(Action::GetRoomOnlineUsers, query).await.result();
    assert_eq!(users, json!({"RoomExists": false}));
}

#[tokio::test]
async fn room_messages_reach_all_members_or_the_named_ones() {
    let world = World::start().await;
    let (mut alice, mut bob) = (world.log_in("alice").await, world.log_in("bob").await);
    let _rooms = (alice.join("lobby").await, bob.join("lobby").await);
    let body = json!({"AppId": APP_ID, "RoomId": "lobby", "From": "system", "Message": "hi all"});
    let result = world.ask(Action::SendBroadcast, body).await.result();
    assert_eq!(result["Receivers"], json!(2));
    for person in [&mut alice, &mut bob] {
        let heard = person.until(|event| matches!(event, RoomEvent::MessageReceived { .. })).await;
        let RoomEvent::MessageReceived { from, payload } = heard else { unreachable!() };
        assert_eq!((from.as_str(), payload), ("system", Payload::text("hi all")));
    }
    for (action, to) in [
        (Action::SendRoomUnicast, json!("bob")),
        (Action::BatchSendRoomUnicast, json!(["bob", "nobody"])),
    ] {
        let body = json!({"AppId": APP_ID, "RoomId": "lobby", "From": "system", "To": to,
            "Message": "hi you"});
        assert_eq!(world.ask(action, body).await.result()["Receivers"], json!(1));
        let heard = bob.until(|event| matches!(event, RoomEvent::UserMessageReceived { .. })).await;
        let RoomEvent::UserMessageReceived { from, payload } = heard else { unreachable!() };
        assert_eq!((from.as_str(), payload), ("system", Payload::text("hi you")));
    }
    assert!(!matches!(
        alice.events.try_next(),
        Some(Event::Room { event: RoomEvent::UserMessageReceived { .. }, .. })
    ));
}

#[tokio::test]
async fn users_are_put_out_banned_and_let_in_again() {
    let world = World::start().await;
    let (mut alice, mut bob) = (world.log_in("alice").await, world.log_in("bob").await);
    let alices = alice.join("lobby").await;
    let bobs = bob.join("lobby").await;
    let body = json!({"AppId": APP_ID, "RoomId": "lobby", "UserId": "bob"});

    let result = world.ask(Action::KickUser, body.clone()).await.result();
    assert_eq!(result, json!({"Message": "success", "Members": 1}));
    assert_eq!(bob.room_state().await, -1006);
    let left = alice.until(|event| matches!(event, RoomEvent::UserLeft { .. })).await;
    assert!(matches!(left, RoomEvent::UserLeft { reason: LeaveReason::Kicked, .. }));
    bobs.join().expect("accepted");
    assert_eq!(bob.room_state().await, 0);

    let mut banned = body.clone();
    banned["ForbiddenInterval"] = json!(600);
    let result = world.ask(Action::BanRoomUser, banned).await.result();
    assert_eq!(result, json!({"message": "success"}), "the contract has a lower-case key here");
    assert_eq!(bob.room_state().await, -1006);
    bobs.join().expect("accepted");
    assert_eq!(bob.room_state().await, -1026);
    world.ask(Action::BanRoomUser, body.clone()).await.result();
    bobs.join().expect("accepted");
    assert_eq!(bob.room_state().await, 0);

    let mut kicked = body.clone();
    kicked["ForbiddenInterval"] = json!(600);
    let result = world.ask(Action::KickUser, kicked).await.result();
    assert_eq!(result, json!({"Message": "success", "Members": 1}));
    assert_eq!(bob.room_state().await, -1006);
    bobs.join().expect("accepted");
    assert_eq!(bob.room_state().await, -1026);
    world.ask(Action::BanRoomUser, body).await.result();
    bobs.join().expect("accepted");
    assert_eq!(bob.room_state().await, 0);

    let room = json!({"AppId": APP_ID, "RoomId": "lobby"});
    let result = world.ask(Action::DismissRoom, room.clone()).await.result();
    assert_eq!(result, json!({"Message": "success", "Members": 2}));
    assert_eq!((alice.room_state().await, bob.room_state().await), (-1011, -1011));
    let mut banned = room.clone();
    banned["ForbiddenInterval"] = json!(600);
    world.ask(Action::BanRoomUser, banned).await.result();
    alices.join().expect("accepted");
    assert_eq!(alice.room_state().await, -1025);
}

#[tokio::test]
async fn lists_members_and_online_status() {
    let world = World::start().await;
    let (mut alice, mut bob) = (world.log_in("alice").await, world.log_in("bob").await);
    let _rooms = (bob.join("lobby").await, alice.join("lobby").await);
    let query = json!({"AppId": APP_ID, "RoomId": "lobby"});
    let users = world.ask(Action::GetRoomOnlineUsers, query).await.result();
    assert_eq!(
        users,
        json!({"RoomExists": true, "TotalUser": 2, "VisibleUserList": ["alice", "bob"],
            "TotalInvisibleUser": 0, "InvisibleUserList": []})
    );
    let body = json!({"AppId": APP_ID, "UserIds": ["bob", "nobody"]});
    let statuses = world.ask(Action::GetUserOnlineStatus, body).await.result();
    assert_eq!(
        statuses,
        json!({"Users": [{"UserId": "bob", "Status": 1}, {"UserId": "nobody", "Status": 0}]})
    );
}
