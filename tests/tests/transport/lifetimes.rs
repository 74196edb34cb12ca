//! The lifetimes of handles, links and shards, and which of them depend on each other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rts_driver::client::*;
use rts_driver::server::*;
use rts_proto::server::{Report, ShardId};
use rts_tests::without_rates;
use smol::future::zip;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use smol::net::{Shutdown, TcpListener, TcpStream};

use crate::ground::{
    ANY_PORT, APP_ID, Client, Ground, RELIABLE, Serving, TestServer, bytes_of, client,
};
use crate::way::Way;

pub(crate) async fn dropping_the_handles_logs_out_and_closes_the_connection<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let Client { engine, events } = server.log_in("alice").await;
    assert_eq!(server.node.stats().links, 1);
    drop(events);
    drop(engine);
    server.node.closed().await;
    let stats = server.node.stats();
    assert_eq!((stats.links, stats.sessions), (0, 0), "a logout ends the session at once");
}

pub(crate) async fn the_events_alone_keep_no_engine<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let Client { engine, mut events } = server.log_in("alice").await;
    drop(engine);
    while events.next().await.is_some() {}
    server.node.closed().await;
}

pub(crate) async fn a_room_alone_keeps_the_engine<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let mut alice = server.log_in("alice").await;
    let room = alice.join("room").await;
    drop(alice);
    assert_eq!(room.send_message("hello?").expect("a room").await, BroadcastCode::Ok);
    drop(room);
    server.node.closed().await;
}

pub(crate) async fn dropping_the_results_and_the_events_stops_nothing<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let mut bob = server.log_in("bob").await;
    let Client { engine, events } = server.log_in("alice").await;
    drop(events);
    for number in 0..10 {
        drop(engine.send_message("bob", number.to_string(), RELIABLE).expect("a receiver"));
    }
    for number in 0..10 {
        assert_eq!(bob.message().await.1, number.to_string().as_bytes());
    }
}

pub(crate) async fn frames_before_destroy_are_written<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let mut bob = server.log_in("bob").await;
    let alice = server.log_in("alice").await;
    for number in 0..100 {
        alice.engine.send_message("bob", number.to_string(), RELIABLE).expect("a receiver");
    }
    alice.engine.destroy();
    alice.engine.closed().await;
    for number in 0..100 {
        assert_eq!(bob.message().await.1, number.to_string().as_bytes());
    }
}

pub(crate) async fn engine_without_server_can_be_destroyed<G: Ground>(way: Way) {
    let listener = TcpListener::bind(ANY_PORT).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let Client { engine, mut events } = client::<G>(way, address, "{}");
    engine.login("token", "alice").expect("not logged in");
    assert!(matches!(events.next().await, Some(Event::ConnectionStateChanged(_))));
    engine.destroy();
    engine.closed().await;
}

pub(crate) async fn links_outlive_the_handles_of_their_shard<G: Ground>(way: Way) {
    let TestServer::<G> { node, serving } = TestServer::start(way).await;
    let mut alice = serving.log_in("alice").await;
    drop(node);
    serving.stop().await;
    assert_eq!(alice.status("alice").await, OnlineStatus::Online);
}

pub(crate) async fn serving_can_restart_while_links_stay<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let mut alice = server.log_in("alice").await;
    server.serving.stop().await;
    assert_eq!(alice.status("alice").await, OnlineStatus::Online);
    let again = Serving::<G>::start(way, &server.node, ANY_PORT).await;
    let mut bob = again.log_in("bob").await;
    alice.engine.send_message("bob", "there you are", RELIABLE).expect("a receiver");
    assert_eq!(bob.message().await.1, b"there you are");
}

pub(crate) async fn two_listeners_have_one_shard<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let other = Serving::<G>::start(way, &server.node, ANY_PORT).await;
    let (alice, mut bob) = (server.log_in("alice").await, other.log_in("bob").await);
    alice.engine.send_message("bob", "through the other door", RELIABLE).expect("a receiver");
    assert_eq!(bob.message().await.1, b"through the other door");
    server.node.shutdown(Duration::ZERO);
    zip(server.serving.ended(), other.ended()).await;
}

pub(crate) async fn silent_link_is_closed_at_its_deadline<G: Ground>(way: Way) {
    let mut config = without_rates();
    config.login_deadline = Duration::from_millis(20);
    let server = TestServer::<G>::start_with(way, config, ANY_PORT).await;
    let mut stream = TcpStream::connect(server.serving.address).await.expect("it listens");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("no reset");
    assert_eq!(answer.is_empty(), way.has_handshake(), "a Close frame, to who can read it");
    drop(stream);
    server.node.closed().await;
}

pub(crate) async fn invalid_bytes_get_a_close_frame<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let mut alice = server.log_in("alice").await;
    let mut reader = TcpStream::connect(server.serving.address).await.expect("it listens");
    let mut writer = reader.clone();
    // More bytes than are read before the error is found. They must not turn the close into a
    // reset.
    let writing = async {
        // The server stops reading at some point.
        let _ = writer.write_all(&[0xFF; 100_000]).await;
        let _ = writer.shutdown(Shutdown::Write);
    };
    let mut answer = Vec::new();
    let reading = async { reader.read_to_end(&mut answer).await.expect("no reset") };
    zip(writing, reading).await;
    assert!(!answer.is_empty(), "a Close frame");
    assert_eq!(alice.status("alice").await, OnlineStatus::Online);
}

pub(crate) async fn links_over_the_limit_are_closed_at_once<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let alice = server.log_in("alice").await;
    let mut limits = LinkLimits::default();
    limits.links_max = 1;
    server.node.set_link_limits(limits);
    let mut stream = TcpStream::connect(server.serving.address).await.expect("it listens");
    let mut answer = Vec::new();
    // The link may be reset or closed.
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!(answer, b"");
    drop(alice);
    server.node.closed().await;
    server.log_in("bob").await;
}

pub(crate) async fn panicking_authenticator_refuses_one_login_only<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let mut alice = server.log_in("alice").await;
    let mut client = server.serving.client();
    assert_eq!(client.log_in("panic", "bob").await, LoginCode::ServerError);
    assert_eq!(alice.status("alice").await, OnlineStatus::Online);
    assert_eq!(client.log_in("token", "bob").await, LoginCode::Ok);
}

/// A watcher must not panic. If it does, as a bug of the core would, only the link ends whose input
/// was being handled.
pub(crate) async fn panic_over_input_ends_only_its_link<G: Ground>(way: Way) {
    struct PanicsOnce(AtomicBool);
    impl Watch for PanicsOnce {
        fn happened(&self, _: ShardId, _: AppId, _: Report) {
            assert!(self.0.swap(true, Ordering::SeqCst), "a watcher that panics, on purpose");
        }
    }
    let reported_apps = [AppId::new(APP_ID).expect("a good id")].into();
    let mut config = without_rates();
    config.reported_apps = reported_apps;
    let server = TestServer::<G>::start_with(way, config, ANY_PORT).await;
    let mut alice = server.log_in("alice").await;
    let panics = Arc::new(PanicsOnce(AtomicBool::new(false)));
    server.node.watch(panics.clone());
    let bob = server.log_in("bob").await;
    assert!(panics.0.load(Ordering::SeqCst), "bob's login was reported");
    bob.engine.send_message("alice", "here again", RELIABLE).expect("a receiver");
    let message = alice.wait_for(|event| match event {
        Event::MessageReceived { payload, .. } => Some(bytes_of(payload)),
        Event::ConnectionStateChanged(state) => panic!("alice was harmed: {state:?}"),
        _ => None,
    });
    assert_eq!(message.await, b"here again");
}

pub(crate) async fn the_shard_knows_who_is_online<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let _alice = server.log_in("alice").await;
    let app_id = AppId::new(APP_ID).expect("a good id");
    let status = |uid| server.node.online_status(&app_id, &UserId::new(uid).expect("a good id"));
    assert_eq!((status("alice"), status("bob")), (OnlineStatus::Online, OnlineStatus::Offline));
}
