//! The contract over real sockets: login, messages, rooms, handlers.

use std::sync::{Arc, Mutex};

use rts_driver::client::*;

use crate::ground::{Client, Ground, RELIABLE, TestServer, bytes_of};
use crate::way::Way;

pub(crate) async fn messages_go_both_ways_with_results<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let (mut alice, mut bob) = (server.log_in("alice").await, server.log_in("bob").await);
    let sent = alice.engine.send_message("bob", "hello", RELIABLE).expect("a receiver");
    assert_eq!(sent.id(), MessageId(1));
    assert_eq!(sent.await, SendCode::Ok);
    assert_eq!(bob.message().await, ("alice".into(), b"hello".to_vec()));

    let unreliable = MessageConfig::UnreliableOrdered;
    let sent = bob.engine.send_binary_message("alice", vec![0, 255], unreliable);
    assert_eq!(sent.expect("a receiver").await, SendCode::Ok);
    assert_eq!(alice.message().await, ("bob".into(), vec![0, 255]));

    let nobody = alice.engine.send_message("carol", "hello?", RELIABLE).expect("a receiver");
    assert_eq!(nobody.await, SendCode::ReceiverNotLoggedIn);
    assert_eq!(alice.status("bob").await, OnlineStatus::Online);
    assert_eq!(alice.status("carol").await, OnlineStatus::Offline);
}

pub(crate) async fn a_rooms_members_hear_each_other<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let (mut alice, mut bob) = (server.log_in("alice").await, server.log_in("bob").await);
    let room = alice.join("room").await;
    let _room_of_bob = bob.join("room").await;
    alice.room_event(|event| matches!(event, RoomEvent::UserJoined(_)).then_some(())).await;
    let sent = room.send_message("hello all").expect("a room");
    assert_eq!(sent.await, BroadcastCode::Ok);
    let received = bob.room_event(|event| match event {
        RoomEvent::MessageReceived { from, payload } => Some((from.to_string(), bytes_of(payload))),
        _ => None,
    });
    assert_eq!(received.await, ("alice".into(), b"hello all".to_vec()));
    room.leave();
    alice.room_event(|event| (event == RoomEvent::Left).then_some(())).await;
    bob.room_event(|event| matches!(event, RoomEvent::UserLeft { .. }).then_some(())).await;
    assert_eq!(server.node.stats().rooms, 1);
}

pub(crate) async fn a_second_login_of_a_user_displaces_the_first<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let mut first = server.log_in("alice").await;
    let mut second = server.log_in("alice").await;
    assert_eq!(first.logged_out().await, LogoutReason::Displaced);
    assert_eq!(second.status("alice").await, OnlineStatus::Online);
}

pub(crate) async fn fresh_token_logs_in_after_refusal<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let mut client = server.serving.client();
    assert_eq!(client.log_in("bad", "alice").await, LoginCode::InvalidToken);
    client.engine.update_login_token("good");
    assert_eq!(client.login_result().await, LoginCode::Ok);
}

pub(crate) async fn logout_ends_the_session_at_once<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let (mut alice, mut bob) = (server.log_in("alice").await, server.log_in("bob").await);
    bob.engine.logout();
    assert_eq!(bob.logged_out().await, LogoutReason::Own);
    // The logout travels on another link than this query, so it may arrive later.
    while alice.status("bob").await != OnlineStatus::Offline {}
    assert_eq!(bob.log_in("token", "bob").await, LoginCode::Ok);
    assert_eq!(alice.status("bob").await, OnlineStatus::Online);
}

/// Answers each message, and panics at one of them.
struct Echo {
    engine: Engine,
    received: Arc<Mutex<Vec<String>>>,
}

impl EventHandler for Echo {
    fn on_message_received(&mut self, from: &UserId, payload: &Payload) {
        let Payload::Text(text) = payload else { return };
        self.received.lock().expect("nobody panics with it").push(text.as_str().to_owned());
        assert_ne!(text.as_str(), "panic", "a handler that panics, on purpose");
        let answer = self.engine.send_message(from.as_str(), text.clone(), RELIABLE);
        drop(answer.expect("a receiver"));
    }
}

pub(crate) async fn handler_may_send_and_survives_its_panic<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let mut alice = server.log_in("alice").await;
    let Client { engine, .. } = server.log_in("echo").await;
    let received = Arc::new(Mutex::new(Vec::new()));
    engine.set_event_handler(Echo { engine: engine.clone(), received: Arc::clone(&received) });
    for text in ["one", "panic", "two"] {
        let sent = alice.engine.send_message("echo", text, RELIABLE).expect("a receiver");
        assert_eq!(sent.await, SendCode::Ok);
    }
    assert_eq!(alice.message().await.1, b"one");
    assert_eq!(alice.message().await.1, b"two");
    assert_eq!(*received.lock().expect("nobody panics with it"), ["one", "panic", "two"]);
    engine.destroy();
    engine.closed().await;
}
