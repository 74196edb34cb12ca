//! Nodes that are killed, stopped and paused, and a nats-server that is gone for a while.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::nats_server::NatsServer;
use super::{Node, cluster, text, three, until, until_received, until_whole};
use crate::crowd::{Progress, talk};
use crate::support::{Engine, token};

#[test]
fn users_of_a_killed_node_come_back_elsewhere_and_the_node_joins_again() {
    let nats = NatsServer::start();
    let [a, b, c] = three(&nats);
    let (mut alice, bob) = (a.server.user("alice"), b.server.user("bob"));
    let b = b.crash();
    until("bob is offline", || alice.status_of("bob") == 0);
    until_whole(&[&a, &c]);
    drop(bob);
    let mut bob = c.server.user("bob");
    until_received(&mut alice, "bob");
    assert_eq!(bob.until("onMessageReceived")["uid"], "alice");
    let b = b.start();
    until_whole(&[&a, &b, &c]);
    let mut dave = b.server.user("dave");
    until_received(&mut bob, "dave");
    assert_eq!(dave.until("onMessageReceived")["uid"], "bob");
}

#[test]
fn node_that_is_told_to_stop_leaves_at_once() {
    let nats = NatsServer::start();
    let [a, mut b, c] = three(&nats);
    b.server.terminate();
    until_whole(&[&a, &c]);
    assert!(b.server.has_ended_well());
}

/// Eight seconds are more than a node may be silent. The others may remove it or not.
#[test]
fn user_has_one_session_when_its_node_was_paused() {
    let nats = NatsServer::start();
    let [a, b, c] = three(&nats);
    let (mut alice, mut bob) = (a.server.user("alice"), b.server.user("bob"));
    b.server.pause();
    // The fault itself, and no wait for something.
    std::thread::sleep(Duration::from_secs(8));
    let mut bob_elsewhere = c.server.engine();
    let login = json!({"token": token("bob", "0"), "uid": "bob"});
    bob_elsewhere.call("login", login);
    b.server.go_on();
    assert_eq!(bob_elsewhere.until("onLoginResult")["code"], 0);
    until_received(&mut alice, "bob");
    assert_eq!(bob_elsewhere.until("onMessageReceived")["uid"], "alice");
    // Its engine learns that it was displaced, when it comes back at the latest.
    assert_eq!(bob.until("onLogout")["reason"], 1);
}

#[test]
fn nothing_is_lost_when_nats_starts_again() {
    let mut nats = NatsServer::start();
    let [a, b, c] = three(&nats);
    let (mut alice, mut bob) = (a.server.user("alice"), b.server.user("bob"));
    let mut sent = 0;
    let mut send = |alice: &mut Engine, count: u64| {
        for _ in 0..count {
            sent += 1;
            alice.call("sendMessage", text("bob", &sent.to_string()));
        }
    };
    send(&mut alice, 20);
    nats.kill();
    send(&mut alice, 20);
    nats.start_again();
    send(&mut alice, 20);
    for number in 1..=60 {
        assert_eq!(bob.until("onMessageReceived")["message"], number.to_string());
    }
    for _ in 0..60 {
        assert_eq!(alice.until("onMessageSendResult")["code"], 0);
    }
    until_whole(&[&a, &b, &c]);
}

/// The nodes are frozen, end their sessions after 25 s, and found the cluster anew by themselves.
#[test]
fn cluster_comes_back_after_a_long_outage_of_nats() {
    let mut nats = NatsServer::start();
    let [a, b, c] = three(&nats);
    let mut alice = a.server.user("alice");
    let nodes = [&a, &b, &c];
    nats.kill();
    until("each node is frozen", || {
        nodes
            .iter()
            .all(|node| cluster(&node.openapi).is_some_and(|known| known["may_act"] == false))
    });
    until("each node has ended its sessions", || {
        nodes.iter().all(|node| cluster(&node.openapi).is_none_or(|known| known["view"].is_null()))
    });
    nats.start_again();
    until_whole(&nodes);
    let mut bob = b.server.user("bob");
    until_received(&mut bob, "alice");
    assert_eq!(alice.until("onMessageReceived")["uid"], "bob");
}

/// Each send has one result, no message arrives twice or out of order, and those with result 0 have
/// arrived.
#[test]
fn messages_keep_their_promises_while_nodes_and_nats_fail() {
    const OF_NODE: usize = 2;
    const EACH: usize = 400;
    let mut nats = NatsServer::start();
    let [a, b, c] = three(&nats);
    let names: Vec<_> = (0..3 * OF_NODE).map(|number| format!("user{number}")).collect();
    let params = json!({"sendTimeoutMs": 12_000, "backoffMaxMs": 300}).to_string();
    let nodes = [&a, &b, &c].into_iter().cycle();
    let engines = names.iter().zip(nodes).map(|(name, node)| {
        let mut engine = Engine::start(&node.server.url, &["--params", &params]);
        engine.log_in(name);
        engine
    });
    let mut engines: Vec<_> = engines.collect();
    let seed = fastrand::u64(..);
    let (all, progress) = (names.len() * EACH, Progress::default());
    let account = std::thread::scope(|scope| {
        let talking = scope.spawn(|| talk(&mut engines, &names, EACH, seed, &progress));
        progress.wait_for(all / 5);
        let b = b.crash().start();
        progress.wait_for(2 * all / 5);
        pause(&c);
        progress.wait_for(3 * all / 5);
        nats.signal(Signal::STOP);
        // The fault itself, and no wait for something.
        std::thread::sleep(Duration::from_secs(3));
        nats.signal(Signal::CONT);
        progress.wait_for(4 * all / 5);
        nats.kill();
        nats.start_again();
        let account = talking.join().expect("a talker fails by itself");
        drop(b);
        account
    });
    println!("results {:?}", account.codes());
    account.assert_true(&format!("seed {seed}"));
    assert!(account.codes().get(&0).is_some_and(|delivered| *delivered > all / 4));
}

/// Stops a node for longer than the others wait for it.
fn pause(node: &Node) {
    node.server.pause();
    std::thread::sleep(Duration::from_secs(8));
    node.server.go_on();
}

/// The nodes are frozen meanwhile. None is removed, so each session is kept or resumed.
#[test]
fn sessions_and_messages_outlive_an_outage_of_nats() {
    let mut nats = NatsServer::start();
    let nodes = three(&nats);
    let views =
        || nodes.each_ref().map(|node| cluster(&node.openapi).map(|mut of| of["view"].take()));
    let params = json!({"sendTimeoutMs": 60_000}).to_string();
    let names = ["alice", "bob", "carol"];
    let mut engines = [0, 1, 2].map(|at| {
        let mut engine = Engine::start(&nodes[at].server.url, &["--params", &params]);
        engine.log_in(names[at]);
        engine.join("lobby");
        engine
    });
    let before = views();
    let mut sent = 0..;
    let mut send = |engines: &mut [Engine; 3]| {
        for number in sent.by_ref().take(20) {
            for (at, engine) in engines.iter_mut().enumerate() {
                engine.call("sendMessage", text(names[(at + 1) % 3], &number.to_string()));
            }
        }
    };
    send(&mut engines);
    nats.kill();
    send(&mut engines);
    // The fault itself, and no wait for something.
    std::thread::sleep(Duration::from_secs(10));
    let frozen =
        |node: &Node| cluster(&node.openapi).is_some_and(|known| known["may_act"] == false);
    assert!(nodes.iter().all(frozen));
    nats.start_again();
    send(&mut engines);
    for engine in &mut engines {
        let (mut received, mut results) = (0, 0);
        while received < 60 || results < 60 {
            let line = engine.next();
            match line["on"].as_str() {
                Some("onMessageReceived") => {
                    assert_eq!(line["message"], received.to_string());
                    received += 1;
                }
                Some("onMessageSendResult") => {
                    assert_eq!(line["code"], 0);
                    results += 1;
                }
                _ => assert!(!is_loss(&line), "{line}"),
            }
        }
    }
    until_whole(&nodes.each_ref());
    assert_eq!(views(), before);
}

/// Whether a callback tells that a session was lost.
fn is_loss(line: &Value) -> bool {
    let has_gap = |extra: &str| extra.contains("\"resumed\":false");
    line["on"] == "onLogout"
        || line["on"] == "onUserLeave"
        || line["extra"].as_str().is_some_and(has_gap)
}
