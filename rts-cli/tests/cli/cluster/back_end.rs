//! A back end asks any node, and reaches the users and rooms of all.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::nats_server::NatsServer;
use super::{BEARER_KEY, Node, three, until, until_whole};
use crate::support::{APP_ID, token};

/// Asks a node for an action. Returns its result.
fn ask(node: &Node, method: &str, target: &str, body: &str) -> Value {
    let address = node.openapi.strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Authorization: Bearer {BEARER_KEY}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (_, json) = answer.split_once("\r\n\r\n").expect("a body");
    let envelope: Value = serde_json::from_str(json).expect("JSON");
    assert!(envelope["ResponseMetadata"]["Error"].is_null(), "{target}: {envelope}");
    envelope["Result"].clone()
}

fn post(node: &Node, path: &str, mut fields: Value) -> Value {
    fields["AppId"] = json!(APP_ID);
    ask(node, "POST", path, &fields.to_string())
}

fn get(node: &Node, path: &str) -> Value {
    ask(node, "GET", &format!("{path}?AppId={APP_ID}"), "")
}

fn login_code(node: &Node, uid: &str) -> Value {
    let mut engine = node.server.engine();
    engine.call("login", json!({"token": token(uid, "0"), "uid": uid}));
    engine.until("onLoginResult")["code"].take()
}

#[test]
fn back_end_reaches_the_users_and_rooms_of_all_nodes() {
    let nats = NatsServer::start();
    let [a, b, c] = three(&nats);
    let (mut alice, mut bob) = (a.server.user("alice"), b.server.user("bob"));
    let mut carol = c.server.user("carol");
    for engine in [&mut alice, &mut bob, &mut carol] {
        engine.join("lobby");
    }
    for node in [&a, &b, &c] {
        let sent =
            post(node, "/v1/messages", json!({"From": "shop", "To": "carol", "Message": "hi"}));
        assert_eq!(sent["Receivers"], 1, "by node {}", node.name);
        assert_eq!(carol.until("onMessageReceived")["message"], "hi");

        let members = get(node, "/v1/rooms/lobby/members");
        assert_eq!(members["VisibleUserList"], json!(["alice", "bob", "carol"]));
        let stats = get(node, "/v1/stats");
        assert_eq!((&stats["Users"], &stats["Memberships"]), (&json!(3), &json!(3)), "{stats}");

        let path = "/v1/rooms/lobby/messages";
        assert_eq!(post(node, path, json!({"From": "shop", "Message": "all"}))["Receivers"], 3);
        for engine in [&mut alice, &mut bob, &mut carol] {
            assert_eq!(engine.until("onRoomMessageReceived")["message"], "all");
        }
    }
    post(&a, "/v1/users/carol/disconnect", json!({}));
    assert_eq!(carol.until("onLogout")["reason"], 2);
    until("carol has left the room", || {
        get(&b, "/v1/rooms/lobby/members")["VisibleUserList"] == json!(["alice", "bob"])
    });
}

#[test]
fn ban_is_kept_by_all_nodes_and_by_a_restart() {
    let nats = NatsServer::start();
    let [a, b, c] = three(&nats);
    let mut carol = c.server.user("carol");
    let ended = post(&a, "/v1/users/carol/ban", json!({}));
    assert_eq!(ended["Sessions"], 1);
    assert_eq!(carol.until("onLogout")["reason"], 2);
    let c = c.crash().start();
    until_whole(&[&a, &b, &c]);
    // One that was away learns of it when it joins.
    let away = c.crash();
    until_whole(&[&a, &b]);
    post(&b, "/v1/users/dave/ban", json!({}));
    let c = away.start();
    until_whole(&[&a, &b, &c]);
    until("node c refuses dave", || login_code(&c, "dave") == -1002);
    for node in [&a, &b, &c] {
        assert_eq!(login_code(node, "carol"), -1002, "at node {}", node.name);
    }
}

/// A restart must not bring back what was lifted meanwhile.
#[test]
fn ban_that_is_lifted_while_a_node_is_away_stays_lifted() {
    let nats = NatsServer::start();
    let [a, b, c] = three(&nats);
    for uid in ["carol", "dave"] {
        post(&a, &format!("/v1/users/{uid}/ban"), json!({}));
        until("node c has the ban", || login_code(&c, uid) == -1002);
    }
    let mut away = c.crash();
    until_whole(&[&a, &b]);
    post(&b, "/v1/users/carol/unban", json!({}));
    for round in ["first", "second"] {
        let c = away.start();
        until_whole(&[&a, &b, &c]);
        until("node c lets carol log in", || login_code(&c, "carol") == 0);
        for node in [&a, &b, &c] {
            assert_eq!(login_code(node, "carol"), 0, "{round}: at node {}", node.name);
            assert_eq!(login_code(node, "dave"), -1002, "{round}: at node {}", node.name);
        }
        away = c.crash();
        until_whole(&[&a, &b]);
    }
}
