//! `rts serve --dev --nodes N`, and `rts admin cluster`.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Engine, Server, rts};

fn dev_cluster() -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rts"));
    command.args(["serve", "--dev", "--nodes", "2", "--listen", "127.0.0.1:0"]);
    Server::printing(command, "nats-server on ")
}

/// The addresses in the line about a node.
fn addresses(line: &str) -> Vec<&str> {
    let words = line.split([' ', ',']).filter(|word| word.contains("://"));
    words.collect()
}

#[test]
fn users_of_development_nodes_reach_each_other() {
    let mut server = dev_cluster();
    assert!(server.url.starts_with("nats://127.0.0.1:"), "{}", server.url);
    let (a, b) = (server.next_line(), server.next_line());
    assert!(a.starts_with("node a, process ") && b.starts_with("node b, process "), "{a} {b}");
    let (a, b) = (addresses(&a), addresses(&b));
    let [alices, bobs] = ["alice", "bob"].map(|uid| {
        loop {
            let line = server.next_line();
            if line.contains(&format!(" --dev {uid} ")) {
                break line;
            }
        }
    });
    assert_eq!([addresses(&alices), addresses(&bobs)], [[a[0], b[0]]; 2]);
    let (mut alice, mut bob) = (Engine::start(a[0], &[]), Engine::start(b[0], &[]));
    alice.log_in("alice");
    bob.log_in("bob");
    alice.call("sendMessage", json!({"uid": "bob", "message": "hi"}));
    assert_eq!(bob.until("onMessageReceived")["message"], "hi");
    // More than a sender may send at once where there are rates.
    for _ in 0..1_000 {
        alice.call("sendMessage", json!({"uid": "bob", "message": "again"}));
    }
    for _ in 0..1_001 {
        assert_eq!(alice.until("onMessageSendResult")["code"], 0);
    }

    let shown = rts(&["admin", "--url", b[2], "cluster"]);
    let text = String::from_utf8(shown.stdout).expect("text");
    assert!(shown.status.success() && text.starts_with("node               b\n"), "{text}");
    let members = text.lines().skip_while(|line| !line.starts_with("member")).skip(1);
    let names: Vec<_> = members.filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names[..2], ["a", "b"], "{text}");
    let trunk = text.lines().last().expect("a line").split_whitespace();
    let [to, _entries, _bytes, congested, _silent, unit, ago] = trunk.collect::<Vec<_>>()[..]
    else {
        panic!("{text}");
    };
    assert_eq!([to, congested, unit, ago], ["a", "no", "ms", "ago"], "{text}");
    let shown = rts(&["admin", "--url", a[2], "--json", "cluster"]);
    let known: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!((&known["node"], &known["view"]["members"][1]["name"]), (&json!("a"), &json!("b")));
    server.terminate();
    assert!(server.has_ended_well());
}

#[test]
fn server_without_a_cluster_says_so() {
    let server = Server::start();
    let openapi = server.openapi();
    let shown = rts(&["admin", "--url", &openapi, "cluster"]);
    let text = String::from_utf8(shown.stderr).expect("text");
    assert_eq!(shown.status.code(), Some(1));
    assert!(text.contains("this server is in no cluster"), "{text}");
}

#[test]
fn development_nodes_are_for_this_machine() {
    let refused = rts(&["serve", "--dev", "--nodes", "2", "--listen", "0.0.0.0:0"]);
    let text = String::from_utf8(refused.stderr).expect("text");
    assert!(!refused.status.success() && text.contains("is no loopback address"), "{text}");
    for nodes in ["0", "9"] {
        let refused = rts(&["serve", "--dev", "--nodes", nodes]);
        assert_eq!(refused.status.code(), Some(2), "{nodes}");
    }
}
