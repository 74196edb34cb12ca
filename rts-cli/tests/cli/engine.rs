//! The contract, through `rts engine` only: calls, return codes, callbacks.

mod document;
mod lines;
mod rooms;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::{Server, token};

fn text(uid: &str, message: &str) -> Value {
    json!({"uid": uid, "message": message, "config": 0})
}

#[test]
fn messages_arrive_with_one_result_each() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.user("alice"), server.user("bob"));
    assert_eq!(alice.call("sendMessage", text("bob", "hi")), json!(1));
    let got = json!({"on": "onMessageReceived", "uid": "alice", "message": "hi"});
    assert_eq!(bob.until("onMessageReceived"), got);
    let result = json!({"on": "onMessageSendResult", "msgid": 1, "code": 0});
    assert_eq!(alice.until("onMessageSendResult"), result);

    let base64 = BASE64_STANDARD.encode([0, 255, 7]);
    for config in [0, 1, 2] {
        let call = json!({"uid": "bob", "base64": base64, "config": config});
        let id = alice.call("sendBinaryMessage", call);
        let got = bob.until("onBinaryMessageReceived");
        assert_eq!((&got["uid"], &got["base64"]), (&json!("alice"), &json!(base64)));
        let result = alice.until("onMessageSendResult");
        assert_eq!((&result["msgid"], &result["code"]), (&id, &json!(0)));
    }
}

#[test]
fn failed_sends_have_a_code() {
    let server = Server::start();
    let mut alice = server.engine();
    assert_eq!(alice.call("sendMessage", text("", "x")), json!(-2));
    assert_eq!(alice.call("sendMessage", text("bob", "x")), json!(1));
    assert_eq!(alice.until("onMessageSendResult")["code"], json!(105));
    alice.log_in("alice");
    for (to, code) in [("nobody", 4), ("bad uid!", 3)] {
        alice.call("sendMessage", text(to, "x"));
        assert_eq!(alice.until("onMessageSendResult")["code"], json!(code), "{to}");
    }
    // A return of -2 takes no message id.
    assert_eq!(alice.call("sendMessage", text("nobody", "x")), json!(4));
}

#[test]
fn message_size_is_bounded() {
    let server = Server::start();
    let mut alice = server.user("alice");
    for (bytes, code) in [(65_536, 0), (65_537, 103), (0, 0)] {
        alice.call("sendMessage", text("alice", &"x".repeat(bytes)));
        assert_eq!(alice.until("onMessageSendResult")["code"], json!(code), "{bytes}");
    }
    let received = alice.end();
    assert!(
        received.iter().all(|line| line["on"] != "onMessageSendResult"),
        "each message has one result"
    );
}

#[test]
fn login_returns_and_calls_back_as_in_contract() {
    let server = Server::start();
    let mut alice = server.engine();
    let good = token("alice", "0");
    for (uid, token) in [("alice", ""), ("", &*good), ("a b", &*good)] {
        assert_eq!(alice.call("login", json!({"token": token, "uid": uid})), json!(-1));
    }
    let expired = json!({"token": token("alice", "1"), "uid": "alice"});
    assert_eq!(alice.call("login", expired), json!(0));
    assert_eq!(alice.until("onLoginResult")["code"], json!(-1000));
    assert_eq!(alice.call("updateLoginToken", json!({"token": good})), Value::Null);
    assert_eq!(alice.until("onLoginResult")["code"], json!(0));
    assert_eq!(alice.call("login", json!({"token": good, "uid": "alice"})), json!(-2));
    assert_eq!(alice.call("logout", json!({})), Value::Null);
    assert_eq!(alice.next(), json!({"on": "onLogout", "reason": 0}));
    alice.call("sendMessage", text("bob", "x"));
    assert_eq!(alice.next()["code"], json!(105));
}

#[test]
fn the_newest_login_wins_and_the_older_one_stays_out() {
    let server = Server::start();
    let mut first = server.user("alice");
    let mut second = server.user("alice");
    assert_eq!(first.until("onLogout")["reason"], json!(1));
    second.call("getPeerOnlineStatus", json!({"uid": "alice"}));
    assert_eq!(second.until("onGetPeerOnlineStatus")["status"], json!(1));
    assert!(second.end().iter().any(|line| *line == json!({"on": "onLogout", "reason": 0})));
    assert_eq!(first.end(), Vec::<Value>::new());
}

#[test]
fn online_status_is_correct() {
    let server = Server::start();
    let mut alice = server.engine();
    for (logged_in, uid, status) in
        [(false, "alice", 2), (true, "alice", 1), (true, "bob", 0), (true, "bad uid", 0)]
    {
        if logged_in && uid == "alice" {
            alice.log_in("alice");
        }
        alice.call("getPeerOnlineStatus", json!({"uid": uid}));
        let answer = json!({"on": "onGetPeerOnlineStatus", "uid": uid, "status": status});
        assert_eq!(alice.until("onGetPeerOnlineStatus"), answer);
    }
}

#[test]
fn destroyed_engine_has_no_callbacks_and_refuses_calls() {
    let server = Server::start();
    let mut alice = server.user("alice");
    assert_eq!(alice.call("destroyRTS", json!({})), Value::Null);
    assert_eq!(alice.until("onLogout")["reason"], json!(0));
    assert_eq!(alice.call("sendMessage", text("bob", "x")), json!(-1));
    assert_eq!(alice.call("login", json!({"token": "t", "uid": "alice"})), json!(-3));
    assert_eq!(alice.call("createRoom", json!({"room": "room"})), Value::Null);
    assert_eq!(alice.end(), Vec::<Value>::new());
}

#[test]
fn calls_without_effect_succeed() {
    let server = Server::start();
    let mut alice = server.engine();
    alice.call("createRoom", json!({"room": "room"}));
    for (call, fields) in [
        ("logout", json!({})),
        ("updateLoginToken", json!({"token": "001"})),
        ("leaveRoom", json!({"room": "room"})),
        ("leaveRoom", json!({"room": "unknown"})),
        ("destroyRoom", json!({"room": "unknown"})),
    ] {
        assert_eq!(alice.call(call, fields), Value::Null, "{call}");
    }
    assert_eq!(alice.call("joinRoom", json!({"room": "unknown"})), json!(-3));
    assert_eq!(alice.call("getSdkVersion", json!({})), json!(env!("CARGO_PKG_VERSION")));
    assert_eq!(alice.end(), Vec::<Value>::new(), "nothing was called back");
}

#[test]
fn parameters_change_and_ignored_ones_are_reported() {
    let server = Server::start();
    let mut alice = server.engine();
    let params = json!({"params": {"sendTimeoutMs": 2_000, "colour": 1, "heartbeatMs": "x"}});
    assert_eq!(alice.call("setRuntimeParameters", params), Value::Null);
    for name in ["colour", "heartbeatMs"] {
        let warning = alice.until("onWarning");
        assert!(warning["message"].as_str().is_some_and(|text| text.contains(name)), "{warning}");
    }
    let as_text = json!({"params": "{\"sendTimeoutMs\": 3000}"});
    assert_eq!(alice.call("setRuntimeParameters", as_text), Value::Null);
    let error = alice.answer("setRuntimeParameters", json!({"params": "[]"}));
    assert!(error["error"].as_str().is_some_and(|text| text.contains("object")), "{error}");
    assert_eq!(alice.end(), Vec::<Value>::new());
}

#[test]
fn send_over_the_rate_is_refused_and_not_sent() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.user("alice"), server.user("bob"));
    // Written at once, so that no time passes between the calls.
    let call = r#"{"call":"sendMessage","uid":"bob","message":"x"}"#;
    alice.write([call; 300].join("\n"));
    let codes: Vec<Value> =
        (0..300).map(|_| alice.until("onMessageSendResult")["code"].take()).collect();
    let passed = codes.iter().filter(|code| **code == json!(0)).count();
    let refused = codes.iter().filter(|code| **code == json!(5)).count();
    assert_eq!(passed + refused, codes.len(), "{codes:?}");
    assert!(passed >= 100, "the burst of a full second passes: {passed}");
    assert!(refused > 0, "the rest is refused");
    for _ in 0..passed {
        bob.until("onMessageReceived");
    }
    assert!(bob.end().iter().all(|line| line["on"] != "onMessageReceived"));
}

#[test]
fn ninety_large_messages_at_once_all_arrive() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.user("alice"), server.user("bob"));
    let message = "x".repeat(65_536);
    for id in 1..=90 {
        let line = json!({"ref": id, "call": "sendMessage", "uid": "bob", "message": message});
        alice.write(line.to_string());
    }
    for id in 1..=90 {
        let result = alice.until("onMessageSendResult");
        assert_eq!((&result["msgid"], &result["code"]), (&json!(id), &json!(0)));
        assert_eq!(bob.until("onMessageReceived")["message"], message);
    }
}
