//! Links that end badly, and engines that reconnect.

use std::time::Duration;

use rts_driver::client::*;
use rts_tests::without_rates;
use smol::future::zip;
use smol::net::TcpListener;

use crate::ground::{ANY_PORT, Client, Ground, RELIABLE, Serving, TestServer, client, client_of};
use crate::relay::Relay;
use crate::way::Way;

/// Timings of an engine that reconnects quickly.
const PATIENT_FOR_10_MS: &str = r#"{"backoffMaxMs":10,"probeTimeoutMs":10}"#;

/// Alice, connected through a relay, and bob, connected directly.
async fn alice_behind_a_relay<G: Ground>(server: &TestServer<G>) -> (Relay, Client, Client) {
    let relay = Relay::to(server.serving.address).await;
    let bob = server.log_in("bob").await;
    let mut alice = client::<G>(server.serving.way, relay.address(), PATIENT_FOR_10_MS);
    assert_eq!(alice.log_in("token", "alice").await, LoginCode::Ok);
    (relay, alice, bob)
}

/// Exchanges messages, which shows that the link is up again.
async fn greet(alice: &mut Client, bob: &mut Client) {
    let sent = alice.engine.send_message("bob", "hello", RELIABLE).expect("a receiver");
    assert_eq!(bob.message().await.1, b"hello");
    assert_eq!(sent.await, SendCode::Ok);
    let sent = bob.engine.send_message("alice", "welcome back", RELIABLE).expect("a receiver");
    assert_eq!(alice.message().await.1, b"welcome back");
    assert_eq!(sent.await, SendCode::Ok);
}

/// Breaks frames, handshakes and acknowledgements at every byte while alice and bob write to each
/// other.
pub(crate) async fn link_cut_at_any_byte_loses_nothing<G: Ground>(way: Way) {
    const TEXT: &str = "some text, so that a frame is often broken in the middle ";
    let server = TestServer::<G>::start(way).await;
    let (relay, mut alice, mut bob) = alice_behind_a_relay(&server).await;
    relay.cut_after((1..60).map(|step| step * 11).collect());
    relay.cut();

    let engines = (alice.engine.clone(), bob.engine.clone());
    let mut sent = 0_u32;
    let sending = async {
        while !relay.has_no_more_cuts() {
            let text = format!("{TEXT}{sent}");
            let there = engines.0.send_message("bob", text.clone(), RELIABLE).expect("a receiver");
            let back = engines.1.send_message("alice", text, RELIABLE).expect("a receiver");
            assert_eq!(zip(there, back).await, (SendCode::Ok, SendCode::Ok));
            sent += 1;
        }
        let there = engines.0.send_message("bob", "end", RELIABLE).expect("a receiver");
        let back = engines.1.send_message("alice", "end", RELIABLE).expect("a receiver");
        assert_eq!(zip(there, back).await, (SendCode::Ok, SendCode::Ok));
    };
    let (there, back) = (hear_out(&mut bob), hear_out(&mut alice));
    let ((), received) = zip(sending, zip(there, back)).await;
    let expected: Vec<String> = (0..sent).map(|number| format!("{TEXT}{number}")).collect();
    assert_eq!(received.0, expected, "what bob received");
    assert_eq!(received.1, expected, "what alice received");
}

/// All messages before the text "end".
async fn hear_out(client: &mut Client) -> Vec<String> {
    let mut received = Vec::new();
    loop {
        let text = String::from_utf8(client.message().await.1).expect("text was sent");
        if text == "end" {
            return received;
        }
        received.push(text);
    }
}

pub(crate) async fn link_half_closed_by_server_is_replaced<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let (relay, mut alice, mut bob) = alice_behind_a_relay(&server).await;
    relay.end_downstream();
    greet(&mut alice, &mut bob).await;
    assert_eq!(relay.accepted(), 2);
}

pub(crate) async fn link_half_closed_by_client_is_replaced<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let (relay, mut alice, mut bob) = alice_behind_a_relay(&server).await;
    relay.end_upstream();
    greet(&mut alice, &mut bob).await;
    assert_eq!(relay.accepted(), 2);
}

/// A phone leaves a wireless network: bytes vanish without a notice.
pub(crate) async fn changed_network_replaces_the_link<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let (relay, mut alice, mut bob) = alice_behind_a_relay(&server).await;
    alice.engine.network_changed();
    greet(&mut alice, &mut bob).await;
    relay.stall();
    alice.engine.network_changed();
    greet(&mut alice, &mut bob).await;
    assert!(relay.accepted() >= 2, "the dead link cannot have carried it");
}

pub(crate) async fn a_server_that_moved_is_found_at_its_new_address<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let (relay, mut alice, mut bob) = alice_behind_a_relay(&server).await;
    let _room = alice.join("room").await;
    server.serving.stop().await;
    let moved = Serving::<G>::start(way, &server.node, ANY_PORT).await;
    assert_ne!(moved.address, server.serving.address);
    relay.retarget(moved.address);
    relay.cut();
    greet(&mut alice, &mut bob).await;
    assert_eq!(server.node.stats().sessions, 2, "the session went on");
}

pub(crate) async fn a_server_that_was_started_again_is_found<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let mut alice = server.log_in("alice").await;
    server.node.shutdown(Duration::ZERO);
    server.serving.ended().await;
    let address = server.serving.address.to_string();
    let _again = TestServer::<G>::start_with(way, without_rates(), &address).await;
    assert_eq!(alice.status("alice").await, OnlineStatus::Online);
}

/// One address is of no server, and one server drains: it takes no links, and closes those that it
/// has.
pub(crate) async fn client_of_several_servers_goes_to_one_that_takes_it<G: Ground>(way: Way) {
    let unused = TcpListener::bind(ANY_PORT).await.expect("a free port");
    let nobody = unused.local_addr().expect("it is bound");
    drop(unused);
    let servers = [TestServer::<G>::start(way).await, TestServer::<G>::start(way).await];
    let addresses = [nobody, servers[0].serving.address, servers[1].serving.address];
    let mut alice = client_of::<G>(way, &addresses, PATIENT_FOR_10_MS);
    assert_eq!(alice.log_in("token", "alice").await, LoginCode::Ok);
    for _ in 0..4 {
        let (left, other) = match servers[0].node.stats().links {
            0 => (&servers[1], &servers[0]),
            _ => (&servers[0], &servers[1]),
        };
        assert_eq!(left.node.drain(9, Duration::ZERO), 1);
        assert_eq!(alice.status("alice").await, OnlineStatus::Online);
        let links = [left, other].map(|server| server.node.stats().links);
        assert_eq!(links, [0, 1]);
        left.node.reopen();
    }
}
