//! The future of an `rts-server` server is dropped at each of its waits.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rts_server::{Config, DEV_APP_ID, DEV_APP_KEY, OpenApi, Server};
use rts_tests::give_up;
use rts_token::{AppKey, Expiry, Token};
use rts_transport_tokio::{
    Engine, Event, Events, LoginCode, MessageConfig, OnlineStatus, SendCode, connect,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::yield_now;

/// A server waits fewer times than this before it ends.
const WAITS_MAX: usize = 1_000;
/// After alice's login the server runs for this number of turns, so that some drops fall there.
const WAITS_WITH_ALICE: usize = 20;
/// Any port.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The events of a server before it was dropped.
#[derive(Clone, Copy, Debug, Default)]
struct Lived {
    is_alice_in: bool,
    is_stopped: bool,
}

async fn alice_is_in(events: &mut Events) {
    loop {
        match events.next().await.expect("the engine goes on") {
            Event::LoginResult { code, .. } => return assert_eq!(code, LoginCode::Ok),
            _ => continue,
        }
    }
}

/// Whether the OpenAPI reports health.
async fn is_healthy(openapi: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(openapi).await else { return false };
    let request = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    let asked = stream.write_all(request).await;
    asked.is_ok()
        && stream.read_to_string(&mut answer).await.is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

/// Waits for the port to refuse connections: the task of a dropped future ends a little later.
async fn until_refused(address: SocketAddr) {
    while TcpStream::connect(address).await.is_ok() {
        yield_now().await;
    }
}

fn alice_at(links: SocketAddr) -> (Engine, Events) {
    let key = AppKey::new(DEV_APP_KEY).expect("a key");
    let token = Token::new(DEV_APP_ID, "alice", Expiry::Never).expect("a user").sign(&key);
    let engine = connect(&format!("rts://{links}"), DEV_APP_ID).expect("good arguments");
    let events = engine.events();
    engine.login(&token, "alice").expect("not logged in");
    (engine, events)
}

/// Runs a server that is dropped at its `at`th wait. Returns whether it ended before, and its
/// events.
async fn lives_until(at: usize) -> (bool, Lived) {
    let mut config = Config::development(LOOPBACK);
    config.openapi = Some(OpenApi::development(LOOPBACK));
    let server = Server::bind(&config).await.expect("loopback has ports");
    let (links, openapi) = (server.local_addr(), server.openapi_addr().expect("it has one"));
    let node = server.node();
    let (engine, mut events) = alice_at(links);
    let mut lived = Lived::default();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = give_up(server.run(async { drop(stopped.await) }), at);
    let living = async {
        alice_is_in(&mut events).await;
        lived.is_alice_in = true;
        for _ in 0..WAITS_WITH_ALICE {
            yield_now().await;
        }
        // A server that was dropped a moment ago does neither.
        lived.is_stopped = is_healthy(openapi).await && stop.send(()).is_ok();
        std::future::pending().await
    };
    let has_ended = smol::future::or(serving, living).await.is_some();

    until_refused(links).await;
    until_refused(openapi).await;
    if lived.is_alice_in && !lived.is_stopped {
        let sent = engine.send_message("alice", "hi", MessageConfig::ReliableOrdered);
        assert_eq!(sent.expect("a receiver").await, SendCode::Ok, "given up at wait {at}");
        let (app_id, alice) = (DEV_APP_ID.parse(), "alice".parse());
        let status = node.online_status(&app_id.expect("an app"), &alice.expect("a user"));
        assert_eq!(status, OnlineStatus::Online);
    }
    node.shutdown(Duration::ZERO);
    node.closed().await;
    assert_eq!(node.stats().links, 0, "given up at wait {at}");
    engine.destroy();
    engine.closed().await;
    (has_ended, lived)
}

#[test]
fn dropped_server_accepts_no_links_and_keeps_open_ones() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let mut stages = [0; 3];
        for at in 1..WAITS_MAX {
            let (has_ended, lived) = lives_until(at).await;
            stages[usize::from(lived.is_alice_in) + usize::from(lived.is_stopped)] += 1;
            if has_ended {
                assert!(stages.iter().all(|count| *count > 0), "{stages:?}");
                return;
            }
        }
        panic!("it waited {WAITS_MAX} times and did not end: {stages:?}");
    });
}
