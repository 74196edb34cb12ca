//! The contract through `rts engine` alone: calls, return codes, callbacks.

use std::io::{BufRead as _, BufReader, Write as _};

use crate::support::{APP_ID, Engine, Server, token};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rts_proto::client::Parameters;
use serde_json::{Value, json};

fn text(uid: &str, message: &str) -> Value {
    json!({"uid": uid, "message": message, "config": 0})
}

#[test]
fn messages_reach_the_other_user_and_have_one_result_each() {
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
fn sends_that_cannot_work_say_why() {
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
    // -2 used up no id.
    assert_eq!(alice.call("sendMessage", text("nobody", "x")), json!(4));
}

#[test]
fn the_largest_message_passes_and_one_byte_more_is_refused() {
    let server = Server::start();
    let mut alice = server.user("alice");
    for (bytes, code) in [(65_536, 0), (65_537, 103), (0, 0)] {
        alice.call("sendMessage", text("alice", &"x".repeat(bytes)));
        assert_eq!(alice.until("onMessageSendResult")["code"], json!(code), "{bytes}");
    }
    let received = alice.end();
    assert!(received.iter().all(|line| line["on"] != "onMessageSendResult"), "one result each");
}

#[test]
fn login_returns_and_calls_back_as_the_contract_says() {
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
fn online_status_is_what_it_is() {
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
fn broadcasts_reach_every_other_member_and_not_the_sender() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.user("alice"), server.user("bob"));
    alice.join("room");
    bob.join("room");
    let here = json!({"on": "onUserJoined", "room": "room", "uid": "bob"});
    assert_eq!(alice.until("onUserJoined"), here);
    let call = json!({"room": "room", "message": "hello"});
    assert_eq!(alice.call("sendRoomMessage", call), json!(1));
    let result = json!({"on": "onRoomMessageSendResult", "room": "room", "msgid": 1, "code": 200});
    assert_eq!(alice.until("onRoomMessageSendResult"), result);
    let got =
        json!({"on": "onRoomMessageReceived", "room": "room", "uid": "alice", "message": "hello"});
    assert_eq!(bob.until("onRoomMessageReceived"), got);
    bob.call("sendRoomBinaryMessage", json!({"room": "room", "base64": "AAE="}));
    assert_eq!(alice.until("onRoomBinaryMessageReceived")["base64"], json!("AAE="));
    bob.call("leaveRoom", json!({"room": "room"}));
    bob.until("onLeaveRoom");
    let gone = json!({"on": "onUserLeave", "room": "room", "uid": "bob", "reason": 0});
    assert_eq!(alice.until("onUserLeave"), gone);
    let rest = alice.end();
    assert!(rest.iter().all(|line| line["on"] != "onRoomMessageReceived"), "no echo");
}

#[test]
fn room_calls_return_the_contracts_codes() {
    let server = Server::start();
    let mut alice = server.engine();
    for room in ["", "a.b", &"x".repeat(129)] {
        assert_eq!(alice.call("createRoom", json!({"room": room})), Value::Null);
        assert_eq!(alice.until("onCreateRoomStateChanged")["code"], json!(-1007));
    }
    let room = json!({"room": "room"});
    assert_eq!(alice.call("createRoom", room.clone()), json!("room"));
    assert_eq!(alice.call("createRoom", room.clone()), Value::Null);
    assert_eq!(alice.until("onCreateRoomStateChanged")["code"], json!(-1013));
    assert_eq!(alice.call("joinRoom", room.clone()), json!(0));
    assert_eq!(alice.until("onRoomStateChanged")["state"], json!(-1001));
    let message = json!({"room": "room", "message": "x"});
    assert_eq!(alice.call("sendRoomMessage", message.clone()), json!(1));
    assert_eq!(alice.until("onRoomMessageSendResult")["code"], json!(100));
    alice.log_in("alice");
    assert_eq!(alice.call("joinRoom", room.clone()), json!(0));
    let joined = alice.until("onRoomStateChanged");
    let extra: Value = serde_json::from_str(joined["extra"].as_str().expect("text")).expect("JSON");
    assert_eq!((&joined["state"], &extra["join_type"]), (&json!(0), &json!(0)));
    assert_eq!(alice.call("joinRoom", room.clone()), json!(-2));
    assert_eq!(alice.call("setBusinessId", json!({"businessId": "b"})), json!(-6001));
    assert_eq!(alice.call("setBusinessId", json!({"businessId": "b!"})), json!(-6002));
    assert_eq!(alice.call("destroyRoom", room.clone()), Value::Null);
    assert_eq!(alice.call("setBusinessId", json!({"businessId": "b"})), json!(0));
    assert_eq!(alice.call("joinRoom", room.clone()), json!(-3));
    assert_eq!(alice.call("sendRoomMessage", message), json!(-3));
    assert_eq!(alice.call("createRoom", room), json!("room"));
}

#[test]
fn a_destroyed_engine_calls_nothing_back_and_refuses() {
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
fn a_line_that_is_no_call_gets_an_error_and_changes_nothing() {
    let server = Server::start();
    let mut alice = server.engine();
    for (line, what) in [
        (&b"{"[..], "bad JSON"),
        (b"[]", "object"),
        (br#"{"ref":7}"#, "missing"),
        (b"", "bad JSON"),
        (b"\xff\xfe", "bad JSON"),
        (b"{\"call\":\"logout\xff\"}", "bad JSON"),
    ] {
        alice.write(line);
        let error = alice.read();
        assert!(error["error"].as_str().is_some_and(|error| error.contains(what)), "{error}");
    }
    for (call, fields, what) in [
        ("fly", json!({}), "unknown call"),
        ("login", json!({"uid": "a"}), "\"token\""),
        ("sendBinaryMessage", json!({"uid": "a", "base64": "?"}), "base64"),
    ] {
        let error = alice.answer(call, fields);
        assert!(error["error"].as_str().is_some_and(|error| error.contains(what)), "{error}");
    }
    assert_eq!(alice.end(), Vec::<Value>::new());
}

#[test]
fn calls_that_have_nothing_to_do_do_nothing() {
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
fn a_room_is_left_once_and_can_be_joined_again() {
    let server = Server::start();
    let mut alice = server.user("alice");
    alice.join("room");
    let room = json!({"room": "room"});
    alice.call("leaveRoom", room.clone());
    alice.call("leaveRoom", room.clone());
    // While leaving: accepted, and done afterwards.
    assert_eq!(alice.call("joinRoom", room.clone()), json!(0));
    assert_eq!(alice.until("onLeaveRoom")["room"], json!("room"));
    assert_eq!(alice.next()["state"], json!(0));
    let large = json!({"room": "room", "message": "x".repeat(65_537)});
    assert_eq!(alice.call("sendRoomMessage", large), json!(1));
    assert_eq!(alice.until("onRoomMessageSendResult")["code"], json!(103));
    let largest = json!({"room": "room", "message": "x".repeat(65_536)});
    assert_eq!(alice.call("sendRoomMessage", largest), json!(2));
    assert_eq!(alice.until("onRoomMessageSendResult")["code"], json!(200), "alone in the room");
}

#[test]
fn parameters_can_be_changed_and_what_is_ignored_is_said() {
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
fn over_the_rate_a_send_is_refused_and_goes_nowhere() {
    let server = Server::start();
    let (mut alice, mut bob) = (server.user("alice"), server.user("bob"));
    // All at once, so that no time passes in between.
    let call = r#"{"call":"sendMessage","uid":"bob","message":"x"}"#;
    alice.write([call; 300].join("\n"));
    let codes: Vec<Value> =
        (0..300).map(|_| alice.until("onMessageSendResult")["code"].take()).collect();
    let passed = codes.iter().filter(|code| **code == json!(0)).count();
    let refused = codes.iter().filter(|code| **code == json!(5)).count();
    assert_eq!(passed + refused, codes.len(), "{codes:?}");
    assert!(passed >= 100, "a full second's worth passes: {passed}");
    assert!(refused > 0, "the rest does not");
    for _ in 0..passed {
        bob.until("onMessageReceived");
    }
    assert!(bob.end().iter().all(|line| line["on"] != "onMessageReceived"));
}

/// The rows of a table of `docs/engine.md`: the words in backticks of each row's first two cells.
fn documented(heading: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/engine.md");
    let document = std::fs::read_to_string(path).expect("the document is there");
    let (_, below) = document.split_once(&format!("\n## {heading}\n")).expect(heading);
    let section = below.split("\n## ").next().unwrap_or(below);
    let rows = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .skip_while(|row| row.starts_with("| `on` "));
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    rows.map(|row| {
        let mut cells = row.split('|').skip(1);
        (words(cells.next().unwrap_or_default()), words(cells.next().unwrap_or_default()))
    })
    .collect()
}

#[test]
fn every_documented_call_is_one_and_needs_no_other_field() {
    let mut engine = Engine::start("rts://127.0.0.1:1", &[]);
    let calls = documented("Calls");
    assert!(calls.len() > 10, "{calls:?}");
    for (call, fields) in calls {
        let given =
            |field: String| (field.clone(), if field == "params" { json!({}) } else { json!("") });
        let fields: serde_json::Map<_, _> = fields.into_iter().map(given).collect();
        let answer = engine.answer(&call[0], Value::Object(fields));
        assert!(answer.get("error").is_none(), "{call:?}: {answer}");
    }
}

#[test]
fn the_documented_parameters_are_those_of_an_engine() {
    let keys = documented("Parameters").into_iter().flat_map(|(names, _)| names);
    let known = Parameters::KEYS.into_iter().chain([Parameters::LOG_LEVEL_KEY]);
    assert_eq!(keys.collect::<Vec<_>>(), known.collect::<Vec<_>>());
}

#[test]
fn every_callback_is_documented() {
    let documented = documented("Callbacks").into_iter().flat_map(|(names, _)| names);
    let mut documented: Vec<_> = documented.collect();
    documented.sort();
    let source = include_str!("../../src/commands/engine.rs");
    let quoted = source.split('"').skip(1).step_by(2);
    let is_callback = |text: &&str| text.starts_with("on") && text.len() > 2;
    let mut said: Vec<_> = quoted.filter(is_callback).map(str::to_owned).collect();
    said.sort();
    said.dedup();
    assert_eq!(documented, said);
}

#[test]
fn an_odd_line_is_answered_with_its_ref() {
    let server = Server::start();
    let mut alice = server.engine();
    let send = |message: &str| {
        format!(r#"{{"ref":"x","call":"sendMessage","uid":"bob","message":{message}}}"#)
    };
    for message in [r#""\ud83d""#, r#""\udc00x""#, "\"a\u{1}b\"", "[[[1]]]", "7", "null"] {
        alice.write(send(message));
        let answer = alice.read();
        assert_eq!(answer["ref"], "x", "{message}: {answer}");
        assert!(answer["error"].is_string(), "{message}: {answer}");
    }
    let deep = format!(r#""uid":{}{}"#, "[".repeat(5_000), "]".repeat(5_000));
    alice.write(format!(r#"{{"ref":"x","call":"sendMessage",{deep}}}"#));
    assert_eq!(alice.read()["ref"], "x");
    let mut line = send("\"@\"").into_bytes();
    let at = line.iter().position(|byte| *byte == b'@').expect("it is there");
    line[at] = 0xFF;
    alice.write(line);
    let answer = alice.read();
    assert_eq!(answer["ref"], "x");
    assert_eq!(answer["error"], format!("bad JSON: no UTF-8 from byte {}", at + 1));

    alice.write("\u{feff}{\"ref\":1,\"call\":\"getSdkVersion\"}\r");
    assert_eq!(alice.read(), json!({"ref": 1, "return": env!("CARGO_PKG_VERSION")}));
    // Deeper than readers of JSON follow: the answer is not to break them.
    alice.write(format!(
        r#"{{"ref":{}{},"call":"getSdkVersion"}}"#,
        "[".repeat(500),
        "]".repeat(500)
    ));
    let answer = alice.read();
    assert_eq!(answer["ref"], Value::Null);
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("nested")), "{answer}");
    assert_eq!(alice.end(), Vec::<Value>::new(), "nothing was sent");
}

#[test]
fn ninety_large_messages_written_at_once_all_get_through() {
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

#[test]
fn nothing_of_a_room_comes_after_its_destruction_was_answered() {
    let server = Server::start();
    let mut alice = server.user("alice");
    alice.join("room");
    for number in 1..=20 {
        let say =
            json!({"ref": number, "call": "sendRoomMessage", "room": "room", "message": "hi"});
        alice.write(say.to_string());
    }
    alice.write(json!({"ref": "gone", "call": "destroyRoom", "room": "room"}).to_string());
    while alice.read()["ref"] != "gone" {}
    assert_eq!(alice.call("createRoom", json!({"room": "room"})), json!("room"));
    // When this is answered, the server has answered what came before.
    alice.call("getPeerOnlineStatus", json!({"uid": "alice"}));
    loop {
        let line = alice.next();
        assert_ne!(line["room"], "room", "{line}");
        if line["on"] == "onGetPeerOnlineStatus" {
            break;
        }
    }
}

#[test]
fn handles_are_local_and_a_room_too_many_fails_to_join() {
    let server = Server::start();
    let mut alice = server.user("alice");
    for number in 0..129 {
        let room = json!({"room": format!("room-{number}")});
        assert_eq!(alice.call("createRoom", room.clone()), room["room"]);
        assert_eq!(alice.call("joinRoom", room.clone()), json!(0));
        let state = alice.until("onRoomStateChanged");
        let expected = if number < 128 { 0 } else { -1_001 };
        assert_eq!((&state["room"], &state["state"]), (&room["room"], &json!(expected)));
    }
}

#[test]
fn the_log_of_an_engine_has_a_level_of_its_own() {
    let server = Server::start();
    let alice = |params: &str| {
        let token = token("alice", "0");
        let login = json!({"call": "login", "token": token, "uid": "alice"}).to_string();
        let args = ["engine", "--url", &server.url, "--app-id", APP_ID, "--params", params];
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_rts"))
            .args(args)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("rts runs");
        let mut input = child.stdin.take().expect("it was piped");
        writeln!(input, "{login}").expect("rts reads");
        let mut lines = BufReader::new(child.stdout.take().expect("it was piped")).lines();
        while !lines.next().expect("a line").expect("text").contains("onLoginResult") {}
        drop(input);
        let output = child.wait_with_output().expect("rts ends");
        String::from_utf8(output.stderr).expect("text")
    };
    assert_eq!(alice("{}"), "");
    let said = alice(r#"{"logLevel":"info"}"#);
    assert!(said.contains("login of alice: logged in (0)"), "{said}");
    assert_eq!(alice(r#"{"logLevel":"error"}"#), "");
}
