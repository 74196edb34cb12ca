//! Large amounts of data, and slow applications.

use std::collections::VecDeque;

use rts_driver::client::*;
use smol::future::{or, zip};

use crate::ground::{Client, Ground, RELIABLE, TestServer};
use crate::way::Way;

const BIG: usize = 65_536;

/// Sends `count` of the largest messages, a few at a time, and checks that all arrive.
async fn send_big(engine: &Engine, to: &str, count: u8) {
    let mut open = VecDeque::new();
    for number in 0..count {
        if open.len() == 8 {
            assert_eq!(open.pop_front().expect("eight are open").await, SendCode::Ok);
        }
        let payload = vec![number; BIG];
        open.push_back(engine.send_binary_message(to, payload, RELIABLE).expect("a receiver"));
    }
    for sent in open {
        assert_eq!(sent.await, SendCode::Ok);
    }
}

async fn receive_big(client: &mut Client, count: u8) {
    for number in 0..count {
        let (_, payload) = client.message().await;
        assert!(payload == vec![number; BIG], "message {number} has other bytes");
    }
}

/// Far more than the sockets of both directions hold. A peer that stops reading while its writes
/// block would deadlock.
pub(crate) async fn big_messages_both_ways_at_once<G: Ground>(way: Way) {
    const COUNT: u8 = 100;
    let server = TestServer::<G>::start(way).await;
    let (mut alice, mut bob) = (server.log_in("alice").await, server.log_in("bob").await);
    let engines = (alice.engine.clone(), bob.engine.clone());
    let sending = zip(send_big(&engines.0, "bob", COUNT), send_big(&engines.1, "alice", COUNT));
    let receiving = zip(receive_big(&mut alice, COUNT), receive_big(&mut bob, COUNT));
    zip(sending, receiving).await;
}

pub(crate) async fn many_small_messages_arrive_once_and_in_order<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    // A task that awaits results and takes no events drops the events, or they would accumulate.
    let Client { engine: alice, .. } = server.log_in("alice").await;
    let mut bob = server.log_in("bob").await;
    let sending = async {
        for batch in 0..10 {
            let sends: Vec<_> = (0..500)
                .map(|n| alice.send_message("bob", (batch * 500 + n).to_string(), RELIABLE))
                .collect();
            for sent in sends {
                assert_eq!(sent.expect("a receiver").await, SendCode::Ok);
            }
        }
    };
    let receiving = async {
        for number in 0..5_000 {
            assert_eq!(bob.message().await.1, number.to_string().as_bytes());
        }
    };
    zip(sending, receiving).await;
}

/// An application that takes no events makes its engine stop reading. Then its session's window at
/// the server fills, and senders get error results. Accepted messages are neither lost nor
/// duplicated.
pub(crate) async fn a_slow_reader_slows_its_sender_and_loses_nothing<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let (mut alice, mut bob) = (server.log_in("alice").await, server.log_in("bob").await);
    let mut sends = Vec::new();
    for _ in 0..8 {
        for _ in 0..500 {
            let payload = vec![0; 1_024];
            sends.push(alice.engine.send_binary_message("bob", payload, RELIABLE).expect("bob"));
        }
        // Two queries, because the acknowledgements of the first make room only after its answer.
        alice.status("alice").await;
        alice.status("alice").await;
    }
    // Commands still work.
    bob.engine.send_message("alice", "still here", RELIABLE).expect("a receiver");
    assert_eq!(alice.message().await.1, b"still here");

    let (stop, stopped) = smol::channel::bounded::<()>(1);
    let reading = async {
        let mut received = 0;
        let count = async {
            loop {
                bob.message().await;
                received += 1;
            }
        };
        let stopped = async {
            let _ = stopped.recv().await;
        };
        or(count, stopped).await;
        received
    };
    let results = async {
        let (mut arrived, mut refused) = (0, 0);
        for sent in sends {
            match sent.await {
                SendCode::Ok => arrived += 1,
                // The receiver's window or the sender's backlog is full.
                SendCode::Broken | SendCode::OverRate => refused += 1,
                code => panic!("{code:?}"),
            }
        }
        stop.close();
        (arrived, refused)
    };
    // While its events are unread, an application gets no further results.
    let listening = async {
        let message = alice.message().await;
        panic!("nobody writes to alice: {message:?}");
    };
    let (received, (arrived, refused)) = zip(reading, or(results, listening)).await;
    assert_eq!(received, arrived);
    assert!(refused > 0, "no send was refused");
    assert!(arrived > 1_024, "what the engine holds for its application comes on top");
}
