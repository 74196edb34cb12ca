//! What ends when: handles, runtimes, links, shards. And what must not end when something else does.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{APP_ID, Client, TestServer, in_time, unlimited};
use rts_proto::server::Config;
use rts_proto::{CloseCode, Disconnect};
use rts_transport_tokio::{
    Engine, Event, EventHandler, LoginCode, MessageConfig, OnlineStatus, Payload, SendCode, UserId,
    connect,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const RELIABLE: MessageConfig = MessageConfig::ReliableOrdered;

#[tokio::test]
async fn dropping_the_handles_logs_out_and_closes_the_connection() {
    let server = TestServer::start().await;
    let Client { engine, events } = server.log_in("alice").await;
    assert_eq!(server.shard.stats().links, 1);
    drop(events);
    drop(engine);
    in_time(server.shard.closed()).await;
    let stats = server.shard.stats();
    assert_eq!((stats.links, stats.sessions), (0, 0), "a logout ends the session at once");
}

#[tokio::test]
async fn the_events_alone_keep_no_engine() {
    let server = TestServer::start().await;
    let Client { engine, mut events } = server.log_in("alice").await;
    drop(engine);
    let rest = async { while events.next().await.is_some() {} };
    in_time(rest).await;
}

#[tokio::test]
async fn after_closed_the_last_words_are_written() {
    let server = TestServer::start().await;
    let mut bob = server.log_in("bob").await;
    let alice = server.log_in("alice").await;
    for number in 0..100 {
        alice.engine.send_message("bob", number.to_string(), RELIABLE).expect("a receiver");
    }
    alice.engine.destroy();
    in_time(alice.engine.closed()).await;
    for number in 0..100 {
        assert_eq!(bob.message().await.1, number.to_string().as_bytes());
    }
}

#[test]
fn an_engine_ends_with_its_runtime() {
    let runtime = || tokio::runtime::Runtime::new().expect("a runtime");
    let first = runtime();
    let (client, sent, _server) = first.block_on(async {
        let server = TestServer::start().await;
        let client = server.log_in("alice").await;
        server.log_in("bob").await;
        let sent = client.engine.send_message("bob", "hi", RELIABLE).expect("a receiver");
        (client, sent, server)
    });
    drop(first);
    runtime().block_on(async {
        let Client { engine, mut events } = client;
        in_time(sent).await;
        in_time(async { while events.next().await.is_some() {} }).await;
        assert!(engine.is_destroyed());
    });
}

#[tokio::test]
async fn shutdown_tells_every_client_and_ends_the_serving() {
    let server = TestServer::start().await;
    let clients = [server.log_in("alice").await, server.log_in("bob").await];
    server.shard.shutdown(Duration::from_secs(3_600));
    in_time(server.serving).await.expect("it did not panic");
    assert_eq!(server.shard.stats().links, 0);
    for client in clients {
        let Some(Disconnect::ByPeer { code, .. }) = client.engine.last_disconnect() else {
            panic!("not told: {:?}", client.engine.last_disconnect());
        };
        assert_eq!(code, CloseCode::Shutdown);
    }
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn an_engine_comes_back_to_a_server_that_was_started_again() {
    let server = TestServer::start().await;
    let mut alice = server.log_in("alice").await;
    server.shard.shutdown(Duration::ZERO);
    in_time(server.serving).await.expect("it did not panic");
    let _again = TestServer::start_with(unlimited(), &server.address.to_string()).await;
    assert_eq!(alice.status("alice").await, OnlineStatus::Online);
}

#[tokio::test]
async fn a_link_that_says_nothing_is_closed_when_its_time_is_over() {
    let config = Config { login_deadline: Duration::from_millis(20), ..unlimited() };
    let server = TestServer::start_with(config, "127.0.0.1:0").await;
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    let mut answer = Vec::new();
    in_time(stream.read_to_end(&mut answer)).await.expect("no reset");
    assert!(!answer.is_empty(), "a Close frame");
    drop(stream);
    in_time(server.shard.closed()).await;
}

#[tokio::test]
async fn serving_can_stop_and_go_on_while_links_stay() {
    let server = TestServer::start().await;
    let mut alice = server.log_in("alice").await;
    server.serving.abort();
    assert!(in_time(server.serving).await.is_err());
    assert_eq!(alice.status("alice").await, OnlineStatus::Online);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let shard = server.shard.clone();
    tokio::spawn(async move { shard.serve(listener).await });
    let (engine, events) =
        connect(&format!("rts://{address}"), APP_ID, "{}").expect("good arguments");
    let mut bob = Client { engine, events };
    assert_eq!(bob.log_in("token", "bob").await, LoginCode::Ok);
    alice.engine.send_message("bob", "there you are", RELIABLE).expect("a receiver");
    assert_eq!(bob.message().await.1, b"there you are");
}

#[tokio::test]
async fn a_peer_that_speaks_nonsense_is_told_and_closed() {
    let server = TestServer::start().await;
    let mut alice = server.log_in("alice").await;
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    // More than is read before the error is found: none of it may turn the close into a reset.
    let (mut reader, mut writer) = stream.split();
    let writing = async {
        // The server stops reading at some time.
        let _ = writer.write_all(&[0xFF; 100_000]).await;
        let _ = writer.shutdown().await;
    };
    let mut answer = Vec::new();
    let reading = async { reader.read_to_end(&mut answer).await.expect("no reset") };
    in_time(async { tokio::join!(writing, reading) }).await;
    assert!(!answer.is_empty(), "a Close frame");
    assert_eq!(alice.status("alice").await, OnlineStatus::Online);
}

#[tokio::test]
async fn links_over_the_limit_are_closed_at_once() {
    let server = TestServer::start().await;
    let alice = server.log_in("alice").await;
    server.shard.set_links_max(1);
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    let mut answer = Vec::new();
    let _ = in_time(stream.read_to_end(&mut answer)).await;
    assert_eq!(answer, b"");
    drop(alice);
    in_time(server.shard.closed()).await;
    server.log_in("bob").await;
}

#[tokio::test]
async fn an_authenticator_that_panics_refuses_one_login_and_harms_no_other() {
    let server = TestServer::start().await;
    let mut alice = server.log_in("alice").await;
    let (engine, events) = connect(&server.url(), APP_ID, "{}").expect("good arguments");
    let mut client = Client { engine, events };
    assert_eq!(client.log_in("panic", "bob").await, LoginCode::ServerError);
    assert_eq!(alice.status("alice").await, OnlineStatus::Online);
    assert_eq!(client.log_in("token", "bob").await, LoginCode::Ok);
}

#[tokio::test]
async fn the_shard_knows_who_is_online() {
    let server = TestServer::start().await;
    let _alice = server.log_in("alice").await;
    let app_id = rts_transport_tokio::AppId::new(APP_ID).expect("a good id");
    let status = |uid| server.shard.online_status(&app_id, &UserId::new(uid).expect("a good id"));
    assert_eq!((status("alice"), status("bob")), (OnlineStatus::Online, OnlineStatus::Offline));
}

/// Answers each message, and panics at one of them.
struct Echo {
    engine: Engine,
    heard: Arc<Mutex<Vec<String>>>,
}

impl EventHandler for Echo {
    fn on_message_received(&mut self, from: &UserId, payload: &Payload) {
        let Payload::Text(text) = payload else { return };
        self.heard.lock().expect("nobody panics with it").push(text.as_str().to_owned());
        assert_ne!(text.as_str(), "panic", "a handler that panics, on purpose");
        let answer = self.engine.send_message(from.as_str(), text.clone(), RELIABLE);
        drop(answer.expect("a receiver"));
    }
}

#[tokio::test]
async fn a_handler_answers_from_within_and_survives_its_panic() {
    let server = TestServer::start().await;
    let mut alice = server.log_in("alice").await;
    let Client { engine, .. } = server.log_in("echo").await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    engine.set_event_handler(Echo { engine: engine.clone(), heard: Arc::clone(&heard) });
    for text in ["one", "panic", "two"] {
        let sent = alice.engine.send_message("echo", text, RELIABLE).expect("a receiver");
        assert_eq!(in_time(sent).await, SendCode::Ok);
    }
    assert_eq!(alice.message().await.1, b"one");
    assert_eq!(alice.message().await.1, b"two");
    assert_eq!(*heard.lock().expect("nobody panics with it"), ["one", "panic", "two"]);
    engine.destroy();
    in_time(engine.closed()).await;
}

#[tokio::test]
async fn an_engine_with_nobody_to_connect_to_can_be_destroyed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let (engine, mut events) =
        connect(&format!("rts://{address}"), APP_ID, "{}").expect("good arguments");
    engine.login("token", "alice").expect("not logged in");
    let connecting = in_time(events.next()).await;
    assert!(matches!(connecting, Some(Event::ConnectionStateChanged(_))));
    engine.destroy();
    in_time(engine.closed()).await;
}
