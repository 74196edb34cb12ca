//! Futures that are dropped at each of their waits.

use rts_driver::client::*;
use rts_tests::give_up;
use smol::future::{yield_now, zip};
use smol::net::TcpStream;

use crate::ground::{ANY_PORT, Client, Ground, RELIABLE, Serving, Side, TestServer, until};
use crate::way::Way;

pub(crate) async fn dropped_waits_for_events_and_results_lose_nothing<G: Ground>(way: Way) {
    const COUNT: usize = 300;
    let server = TestServer::<G>::start(way).await;
    let (alice, mut bob) = (server.log_in("alice").await, server.log_in("bob").await);
    let sending = async {
        for number in 0..COUNT {
            let text = number.to_string();
            let mut sent = alice.engine.send_message("bob", text, RELIABLE).expect("bob");
            let code = loop {
                if let Some(code) = give_up(&mut sent, 1 + number % 2).await {
                    break code;
                }
            };
            assert_eq!(code, SendCode::Ok);
        }
    };
    let receiving = async {
        let mut number = 0;
        while number < COUNT {
            let event = give_up(bob.events.next(), 1 + number % 2).await;
            if let Some(Some(Event::MessageReceived { payload, .. })) = event {
                assert_eq!(payload, Payload::text(number.to_string()));
                number += 1;
            }
        }
    };
    zip(sending, receiving).await;
}

pub(crate) async fn dropped_wait_for_the_engines_end_can_be_repeated<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let Client { engine, .. } = server.log_in("alice").await;
    assert_eq!(give_up(engine.closed(), 1).await, None, "it was not destroyed");
    engine.destroy();
    while give_up(engine.closed(), 1).await.is_none() {}
    engine.closed().await;
    server.node.closed().await;
}

/// The future is dropped before its first link, between two links, and while it waits for the last
/// link to close.
pub(crate) async fn dropped_serve_future_keeps_links<G: Ground>(way: Way) {
    const KNOCKS: usize = 3;
    let server = TestServer::<G>::start(way).await;
    let mut alice = server.log_in("alice").await;
    for at in 1..=KNOCKS + 1 {
        let listener = G::Server::bind(ANY_PORT);
        let address = G::Server::local_addr(&listener);
        let mut knocks = Vec::new();
        for _ in 0..KNOCKS {
            knocks.push(TcpStream::connect(address).await.expect("it listens"));
        }
        // One wait may accept several links, and the wait after the last link never ends.
        let knocking = async {
            for _ in 0..at {
                knocks.push(TcpStream::connect(address).await.expect("it listens"));
                yield_now().await;
            }
        };
        smol::future::or(
            async {
                give_up(server.node.serve(listener, way.acceptor()), at).await;
            },
            async {
                knocking.await;
                std::future::pending::<()>().await;
            },
        )
        .await;
        assert_eq!(alice.status("alice").await, OnlineStatus::Online);
        drop(knocks);
        until(|| server.node.stats().links == 1).await;
    }
    let again = Serving::<G>::start(way, &server.node, ANY_PORT).await;
    let mut bob = again.log_in("bob").await;
    assert_eq!(bob.status("alice").await, OnlineStatus::Online);
}

pub(crate) async fn dropped_wait_for_the_shards_end_can_be_repeated<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let alice = server.log_in("alice").await;
    assert_eq!(give_up(server.node.closed(), 1).await, None, "alice is there");
    drop(alice);
    while give_up(server.node.closed(), 1).await.is_none() {}
    server.node.closed().await;
}
