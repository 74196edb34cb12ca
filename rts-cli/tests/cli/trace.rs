//! Recordings of a server and of an engine, made by real processes and read by `rts trace`.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Engine, Server, rts};

/// The lines that a successful `rts` prints.
fn lines(args: &[&str]) -> Vec<String> {
    let output = rts(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().expect("UTF-8").to_owned()
}

#[test]
fn what_a_server_and_an_engine_recorded_is_replayed_and_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let (of_server, of_alice) = (path(folder.path(), "server"), path(folder.path(), "alice"));
    let listen = ["--dev", "--listen", "127.0.0.1:0", "--trace", &of_server];
    let server = Server::start_with(&listen);
    let mut alice = Engine::start(&server.url, &["--trace", &of_alice]);
    alice.log_in("alice");
    let mut bob = server.user("bob");
    alice.join("lobby");
    for (text, code) in [("canary", 0), ("for nobody", 4)] {
        let to = if code == 0 { "bob" } else { "nobody" };
        alice.call("sendMessage", json!({"uid": to, "message": text}));
        assert_eq!(alice.until("onMessageSendResult")["code"], json!(code));
    }
    bob.until("onMessageReceived");
    alice.end();
    // A crash: nobody closes the server's file.
    server.kill();

    for (trace, what) in [(&of_server, "a server"), (&of_alice, "an engine of app 1234")] {
        let said = lines(&["trace", "replay", trace]);
        assert!(said[0].starts_with(what), "{said:?}");
        assert_eq!(said[1], "the same outputs, bit for bit");
        let bytes = std::fs::read(trace).expect("the trace");
        assert!(!bytes.windows(6).any(|window| window == b"canary"));
    }
    let story = lines(&["trace", "show", &of_alice, "--message", "1"]).concat();
    let begins = "message 1 to bob: sent, at the server, delivered, result 0 after ";
    let other = "message 1 to bob: sent, delivered, result 0 after ";
    assert!(story.starts_with(begins) || story.starts_with(other), "{story}");
    let stories = lines(&["trace", "show", &of_server, "--from", "alice", "--json"]);
    let stories: Vec<Value> =
        stories.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> = stories.iter().map(|story| (&story["to"], &story["result"])).collect();
    assert_eq!(told, [(&json!("bob"), &json!(0)), (&json!("nobody"), &json!(4))]);
    let timeline = lines(&["trace", "show", &of_alice]).join("\n");
    for what in ["call login as alice", "link 1 is up", "-> Login as alice", "call logout"] {
        assert_eq!(timeline.contains(what), what != "call logout", "{what}: {timeline}");
    }
}

#[test]
fn what_is_no_trace_or_would_be_overwritten_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(folder.path(), "file");
    std::fs::write(&file, "something else").expect("written");
    let error = rts(&["trace", "replay", &file]);
    assert_eq!(error.status.code(), Some(1));
    let error = String::from_utf8_lossy(&error.stderr).into_owned();
    assert!(error.contains("this is no trace"), "{error}");
    let error = rts(&["serve", "--dev", "--listen", "127.0.0.1:0", "--trace", &file]);
    assert_eq!(error.status.code(), Some(1));
    let error = String::from_utf8_lossy(&error.stderr).into_owned();
    assert!(error.contains("cannot be made") && error.contains("exists"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).expect("still there"), "something else");
    let missing = rts(&["trace", "show", &path(folder.path(), "missing")]);
    assert_eq!(missing.status.code(), Some(1));
}
