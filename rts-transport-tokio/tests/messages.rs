//! The contract over real sockets: login, messages, rooms.

mod common;

use common::{APP_ID, Client, TestServer, bytes_of, in_time};
use rts_transport_tokio::{
    BroadcastCode, ConnectError, Event, LoginCode, LogoutReason, MessageConfig, MessageId,
    OnlineStatus, RoomEvent, SendCode, connect,
};

const RELIABLE: MessageConfig = MessageConfig::ReliableOrdered;

#[tokio::test]
async fn messages_go_both_ways_and_each_has_its_result() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = (server.log_in("alice").await, server.log_in("bob").await);
    let sent = alice.engine.send_message("bob", "hello", RELIABLE).expect("a receiver");
    assert_eq!(sent.id(), MessageId(1));
    assert_eq!(in_time(sent).await, SendCode::Ok);
    assert_eq!(bob.message().await, ("alice".into(), b"hello".to_vec()));

    let unreliable = MessageConfig::UnreliableOrdered;
    let sent = bob.engine.send_binary_message("alice", vec![0, 255], unreliable);
    assert_eq!(in_time(sent.expect("a receiver")).await, SendCode::Ok);
    assert_eq!(alice.message().await, ("bob".into(), vec![0, 255]));

    let nobody = alice.engine.send_message("carol", "hello?", RELIABLE).expect("a receiver");
    assert_eq!(in_time(nobody).await, SendCode::ReceiverNotLoggedIn);
    assert_eq!(alice.status("bob").await, OnlineStatus::Online);
    assert_eq!(alice.status("carol").await, OnlineStatus::Offline);
}

#[tokio::test]
async fn a_rooms_members_hear_each_other() {
    let server = TestServer::start().await;
    let (mut alice, mut bob) = (server.log_in("alice").await, server.log_in("bob").await);
    let room = alice.join("room").await;
    let _room_of_bob = bob.join("room").await;
    alice.wait_for(|event| room_event(event, |e| matches!(e, RoomEvent::UserJoined(_)))).await;
    let sent = room.send_message("hello all").expect("a room");
    assert_eq!(in_time(sent).await, BroadcastCode::Ok);
    let heard = bob.wait_for(|event| match event {
        Event::Room { event: RoomEvent::MessageReceived { from, payload }, .. } => {
            Some((from.to_string(), bytes_of(payload)))
        }
        _ => None,
    });
    assert_eq!(heard.await, ("alice".into(), b"hello all".to_vec()));
    room.leave();
    alice.wait_for(|event| room_event(event, |e| *e == RoomEvent::Left)).await;
    bob.wait_for(|event| room_event(event, |e| matches!(e, RoomEvent::UserLeft { .. }))).await;
    assert_eq!(server.shard.stats().rooms, 1);
}

fn room_event(event: Event, wanted: impl Fn(&RoomEvent) -> bool) -> Option<()> {
    match event {
        Event::Room { event, .. } if wanted(&event) => Some(()),
        _ => None,
    }
}

#[tokio::test]
async fn a_second_login_of_a_user_displaces_the_first() {
    let server = TestServer::start().await;
    let mut first = server.log_in("alice").await;
    let mut second = server.log_in("alice").await;
    let reason = first.wait_for(|event| match event {
        Event::Logout(reason) => Some(reason),
        _ => None,
    });
    assert_eq!(reason.await, LogoutReason::Displaced);
    assert_eq!(second.status("alice").await, OnlineStatus::Online);
}

#[tokio::test]
async fn a_refused_token_is_said_and_a_better_one_logs_in() {
    let server = TestServer::start().await;
    let (engine, events) = connect(&server.url(), APP_ID, "{}").expect("good arguments");
    let mut client = Client { engine, events };
    assert_eq!(client.log_in("bad", "alice").await, LoginCode::InvalidToken);
    client.engine.update_login_token("good");
    let result = client.wait_for(|event| match event {
        Event::LoginResult { code, .. } => Some(code),
        _ => None,
    });
    assert_eq!(result.await, LoginCode::Ok);
}

#[tokio::test]
async fn logout_ends_the_session_at_once() {
    let server = TestServer::start().await;
    let mut alice = server.log_in("alice").await;
    let mut bob = server.log_in("bob").await;
    bob.engine.logout();
    let reason = bob.wait_for(|event| match event {
        Event::Logout(reason) => Some(reason),
        _ => None,
    });
    assert_eq!(reason.await, LogoutReason::Own);
    // The logout is on another link than this question, so it may take a moment.
    while alice.status("bob").await != OnlineStatus::Offline {}
    assert_eq!(bob.log_in("token", "bob").await, LoginCode::Ok);
    assert_eq!(alice.status("bob").await, OnlineStatus::Online);
}

#[tokio::test]
async fn wrong_arguments_are_errors_that_say_what_would_be_right() {
    let error = |address, app_id, parameters| match connect(address, app_id, parameters) {
        Ok(_) => panic!("accepted {address} {app_id} {parameters}"),
        Err(error) => error.to_string(),
    };
    assert!(error("http://a:1", APP_ID, "{}").contains("rts://127.0.0.1:7600"));
    assert!(error("rts://a:1", "short", "{}").contains("exactly 24"));
    assert!(error("rts://a:1", APP_ID, "7").contains("JSON object"));
}

#[test]
fn outside_a_runtime_there_is_no_engine() {
    let error = connect("rts://127.0.0.1:1", APP_ID, "{}").err();
    assert!(matches!(error, Some(ConnectError::NoRuntime)), "{error:?}");
}
