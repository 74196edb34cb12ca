//! Invalid lines of `rts engine`, and its log.

use std::io::{BufRead as _, BufReader, Write as _};

use serde_json::{Value, json};

use crate::support::{APP_ID, Server, token};

#[test]
fn invalid_call_gets_an_error_without_effect() {
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
fn malformed_line_is_answered_with_its_ref() {
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
    assert_eq!(answer["error"], format!("bad JSON: invalid UTF-8 from byte {}", at + 1));

    alice.write("\u{feff}{\"ref\":1,\"call\":\"getSdkVersion\"}\r");
    assert_eq!(alice.read(), json!({"ref": 1, "return": env!("CARGO_PKG_VERSION")}));
    // Nested deeper than JSON parsers allow. The answer must not break the parser of the caller.
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
fn too_long_line_is_answered_and_next_one_read() {
    let server = Server::start();
    let mut engine = server.engine();
    let long = "x".repeat(16 * 1_048_576);
    engine.write(format!(r#"{{"ref":"long","call":"getPeerOnlineStatus","uid":"{long}"}}"#));
    let answer = engine.read();
    assert_eq!(answer["ref"], json!("long"));
    assert_eq!(answer["error"], json!("the line has more than 16777216 bytes"));
    assert!(engine.call("getSdkVersion", json!({})).is_string());
}

#[test]
fn log_of_engine_has_its_own_level() {
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
        let mut input = child.stdin.take().expect("a pipe");
        writeln!(input, "{login}").expect("rts reads");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        while !lines.next().expect("a line").expect("text").contains("onLoginResult") {}
        drop(input);
        let output = child.wait_with_output().expect("rts ends");
        String::from_utf8(output.stderr).expect("text")
    };
    assert_eq!(alice("{}"), "");
    let said = alice(r#"{"logLevel":"info"}"#);
    assert!(
        said.contains(" INFO rts::engine::log: logged in engine=1 link=1 user=alice"),
        "{said}"
    );
    assert_eq!(alice(r#"{"logLevel":"error"}"#), "");
}
