//! A shard on a port of its own, and engines that talk to it over real sockets.
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rts_proto::server::{Config, Credentials, Server, Verdict};
use rts_transport_tokio::{
    Authenticate, Engine, Event, Events, LoginCode, OnlineStatus, Room, RoomEvent, Shard, connect,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const APP_ID: &str = "123456781234567812345678";

/// So long that only a test that hangs gets there.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes every token but two.
#[derive(Default)]
pub(crate) struct Doorman {
    claims: AtomicU64,
}

impl Authenticate for Doorman {
    fn authenticate(&self, credentials: &Credentials) -> Verdict {
        match &credentials.token[..] {
            b"bad" => Verdict::Refuse(LoginCode::InvalidToken),
            b"panic" => panic!("an authenticator that panics, on purpose"),
            _ => Verdict::Accept { claim: self.claims.fetch_add(1, Ordering::Relaxed) + 1 },
        }
    }
}

pub(crate) struct TestServer {
    pub(crate) shard: Shard,
    pub(crate) address: SocketAddr,
    pub(crate) serving: JoinHandle<()>,
}

impl TestServer {
    /// Without limits of rate.
    pub(crate) async fn start() -> Self {
        Self::start_with(unlimited(), "127.0.0.1:0").await
    }

    pub(crate) async fn start_with(config: Config, listen: &str) -> Self {
        let shard = Shard::new(Server::new(config, 1), Arc::new(Doorman::default()));
        let listener = TcpListener::bind(listen).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let serving = tokio::spawn({
            let shard = shard.clone();
            async move { shard.serve(listener).await }
        });
        Self { shard, address, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("rts://{}", self.address)
    }

    pub(crate) async fn log_in(&self, uid: &str) -> Client {
        let (engine, events) = connect(&self.url(), APP_ID, "{}").expect("good arguments");
        let mut client = Client { engine, events };
        assert_eq!(client.log_in("token", uid).await, LoginCode::Ok);
        client
    }
}

pub(crate) fn unlimited() -> Config {
    Config {
        sends_per_second: 0,
        broadcasts_per_second: 0,
        status_queries_per_second: 0,
        room_broadcasts_per_second: 0,
        large_room_broadcasts_per_second: 0,
        ..Config::default()
    }
}

/// An engine with its events.
pub(crate) struct Client {
    pub(crate) engine: Engine,
    pub(crate) events: Events,
}

impl Client {
    pub(crate) async fn log_in(&mut self, token: &str, uid: &str) -> LoginCode {
        self.engine.login(token, uid).expect("not logged in");
        self.wait_for(|event| match event {
            Event::LoginResult { code, .. } => Some(code),
            _ => None,
        })
        .await
    }

    /// The first event that `pick` takes; others are dropped.
    pub(crate) async fn wait_for<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let event = self.events.next().await.expect("the engine lives");
                if let Some(picked) = pick(event) {
                    return picked;
                }
            }
        };
        in_time(waiting).await
    }

    /// The next message of a user: its sender and its bytes.
    pub(crate) async fn message(&mut self) -> (String, Vec<u8>) {
        self.wait_for(|event| match event {
            Event::MessageReceived { from, payload } => Some((from.to_string(), bytes_of(payload))),
            _ => None,
        })
        .await
    }

    pub(crate) async fn join(&mut self, id: &str) -> Room {
        let room = self.engine.create_room(id).expect("a good id");
        room.join().expect("not joined");
        let is_joined = |event: &RoomEvent| matches!(event, RoomEvent::Joined { .. });
        self.wait_for(|event| match event {
            Event::Room { event, .. } if is_joined(&event) => Some(()),
            _ => None,
        })
        .await;
        room
    }

    /// Asks the server something, and so knows that it has read all that was sent before.
    pub(crate) async fn status(&mut self, of: &str) -> OnlineStatus {
        self.engine.get_peer_online_status(of);
        self.wait_for(|event| match event {
            Event::PeerOnlineStatus { status, .. } => Some(status),
            _ => None,
        })
        .await
    }
}

pub(crate) fn bytes_of(payload: rts_transport_tokio::Payload) -> Vec<u8> {
    match payload {
        rts_transport_tokio::Payload::Text(text) => text.into_bytes().to_vec(),
        rts_transport_tokio::Payload::Binary(bytes) => bytes.to_vec(),
    }
}

/// Ends a test that hangs.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("this test hangs")
}
