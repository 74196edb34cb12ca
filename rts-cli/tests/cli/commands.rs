//! Other commands, as people and scripts run them.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{APP_ID, Server, ended, rts, token};
use serde_json::{Value, json};
use tempfile::TempDir;

const VECTOR: &str = "001123456781234567812345678FwBOYbwAAPFTZYBCVWUAAAUAYWxpY2UAACAAG1qGMriGfbjy1d8zUi8hKfCURsZMSP2v8KhktaEFlUo=";

fn stdout(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn demo_succeeds() {
    let output = rts(&["demo"]);
    assert!(output.status.success(), "{}", stdout(&output));
}

#[test]
fn token_matches_the_vector() {
    let args =
        "--nonce 12345678 --issued-at 1700000000 --expire-at 1700086400 --uid alice --app-id";
    let mut args: Vec<&str> = args.split(' ').collect();
    args.push(APP_ID);
    args.splice(0..0, ["token", "new"]);
    // The key may be in the environment, which other users of the machine cannot read.
    let mut command = Command::new(env!("CARGO_BIN_EXE_rts"));
    let output = command.args(&args).env("RTS_APP_KEY", "app key").output().expect("rts runs");
    assert_eq!(stdout(&output).trim(), VECTOR);
    args.extend(["--app-key", "app key"]);
    assert_eq!(stdout(&rts(&args)).trim(), VECTOR);
}

#[test]
fn inspect_exits_with_zero_only_for_valid_token() {
    for (args, code, says) in [
        (&["--app-key", "app key", "--now", "1700086400"][..], 0, "valid"),
        (&["--app-key", "app key", "--now", "1700086401"], 2, "expired"),
        (&["--app-key", "another", "--now", "1700000000"], 2, "not valid"),
        (&[], 2, "not verified"),
        (&["--json"], 2, "\"user_id\":\"alice\""),
    ] {
        let output = rts(&[&["token", "inspect", VECTOR], args].concat());
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert!(stdout(&output).contains(says), "{args:?}: {}", stdout(&output));
    }
}

#[test]
fn token_for_any_room_is_minted_shown_and_logs_in() {
    let server = Server::start();
    let long = "r".repeat(200);
    for (room, shown, is_warned) in [
        ("lobby", "lobby", false),
        ("*", "*", false),
        ("a b\n/\u{e9}", "a b\\n/\u{e9}", true),
        (&long, &long, true),
    ] {
        let key = "development key, known to all";
        let new = ["token", "new", "--app-id", APP_ID, "--app-key", key, "--uid", "alice"];
        let minted = rts(&[&new[..], &["--room", room]].concat());
        assert!(minted.status.success(), "{room:?}");
        assert_eq!(!minted.stderr.is_empty(), is_warned, "{room:?}");
        let token = stdout(&minted).trim().to_owned();

        let inspected = rts(&["token", "inspect", "--app-key", key, &token]);
        assert_eq!(inspected.status.code(), Some(0), "{room:?}");
        let line = format!("room id     {shown}\n");
        assert!(stdout(&inspected).contains(&line), "{}", stdout(&inspected));
        let inspected = rts(&["token", "inspect", "--json", "--app-key", key, &token]);
        let fields: Value = serde_json::from_str(&stdout(&inspected)).expect("JSON");
        assert_eq!(fields["room_id"], room);

        let mut alice = server.engine();
        assert_eq!(alice.call("login", json!({"token": token, "uid": "alice"})), json!(0));
        assert_eq!(alice.until("onLoginResult")["code"], 0, "{room:?}");
    }
}

#[test]
fn unlimited_token_needs_its_own_option() {
    let new = ["token", "new", "--app-id", APP_ID, "--app-key", "k", "--uid", "alice"];
    let with = |args: &[&str]| rts(&[&new[..], args].concat());
    assert_eq!(with(&["--expire-at", "0"]).status.code(), Some(2));
    assert_eq!(with(&["--never-expires", "--ttl", "9"]).status.code(), Some(2));
    let wrong = with(&["--ttl", "1h"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("seconds, such as 3600"), "{wrong:?}");
    let token = stdout(&with(&["--never-expires"]));
    let inspected = rts(&["token", "inspect", "--json", token.trim()]);
    let fields: Value = serde_json::from_str(&stdout(&inspected)).expect("JSON");
    assert_eq!(fields["expire_at"], 0);
}

#[test]
fn startup_errors_name_their_place() {
    let server = Server::start();
    let taken = server.url.strip_prefix("rts://").expect("plain TCP");
    let output = rts(&["serve", "--dev", "--listen", taken]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&format!("listen on {taken}: the port is in use")), "{said}");

    let folder = TempDir::new().expect("a folder");
    let (config, none) = (folder.path().join("rts.toml"), folder.path().join("none"));
    let app = format!("[apps.{APP_ID}]\nkeys = [\"k\"]\n");
    let secure = |certificate: &Path| {
        format!(
            "[[listen]]\nurl = \"rtss://127.0.0.1:0\"\ncertificate = {certificate:?}\nkey = {none:?}\n{app}"
        )
    };
    let starts = |path: &Path| {
        let output = rts(&["serve", "--config", path.to_str().expect("UTF-8")]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = starts(&none);
    assert_eq!(said.matches(none.to_str().expect("UTF-8")).count(), 1, "{said}");
    for (text, what) in [
        (secure(&none), "listen, entry 1: the certificate file "),
        (secure(&config), "the key file "),
        (format!("lisen = 1\n{app}"), "lisen"),
    ] {
        std::fs::write(&config, text).expect("a file");
        let said = starts(&config);
        assert!(said.contains(what) && !said.ends_with("\n\n"), "{what}: {said}");
    }
    let output = rts(&[
        "send",
        "--url",
        "rtss://localhost:1",
        "--ca",
        config.to_str().expect("UTF-8"),
        "--uid",
        "alice",
        "--token",
        "any",
        "--to",
        "bob",
        "hi",
    ]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains(config.to_str().expect("UTF-8")) && said.contains("no certificate"),
        "{said}"
    );
}

#[test]
fn send_prints_result_and_explains_bad_token() {
    let server = Server::start();
    let mut bob = server.user("bob");
    let send = |token: &str, to: &str| {
        rts(&["send", "--url", &server.url, "--uid", "alice", "--token", token, "--to", to, "hi"])
    };
    let good = token("alice", "0");
    assert_eq!(send(&good, "bob").status.code(), Some(0));
    assert_eq!(bob.until("onMessageReceived")["message"], "hi");
    let output = send(&good, "nobody");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("result: the receiver is not logged in (4)"));
    assert_eq!(output.stderr, b"rts: the receiver is not logged in (4)\n");
    let output = send(&good, "#lobby");
    assert!(stdout(&output).contains("result: no user can have this id (3)"));
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(why.contains("\"#lobby\": the user id has") && why.contains("`rts chat`"), "{why}");
    let output = send(&token("alice", "1"), "bob");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has expired"));
}

#[test]
fn send_reports_a_login_that_ends_meanwhile() {
    let server = Server::start();
    let openapi = server.openapi();
    let admin = ["admin", "--url", &openapi];
    let bob = server.user("bob");
    // Stopped, bob acknowledges nothing, so no result arrives.
    bob.signal("-STOP");
    let token = token("alice", "0");
    let send = Command::new(env!("CARGO_BIN_EXE_rts"))
        .args(["send", "--url", &server.url, "--token", &token, "--to", "bob", "hi"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rts runs");
    let is_open = || {
        let stats = rts(&[&admin[..], &["stats"]].concat());
        !stdout(&stats).contains("unacknowledged bytes  0\n")
    };
    while !is_open() {}
    assert!(rts(&[&admin[..], &["revoke", "--user", "alice"]].concat()).status.success());
    let output = ended(send);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("rts: the login was refused: the token is invalid"), "{said}");
}

#[test]
fn error_has_no_repetition() {
    let output = rts(&["engine", "--url", "rts://127.0.0.1:1", "--app-id", "short"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(error.matches("exactly 24").count(), 1, "{error}");
}

#[test]
fn invalid_log_level_is_refused() {
    let rts = || Command::new(env!("CARGO_BIN_EXE_rts"));
    let run =
        |level: &str| rts().args(["serve", "--example-config"]).env("RTS_LOG", level).output();
    assert_eq!(run("info").expect("rts runs").status.code(), Some(0));
    assert_eq!(run("warn,rts_server=debug").expect("rts runs").status.code(), Some(0));
    for wrong in ["rts=loud=er", "inof", "warn,debgu"] {
        let output = run(wrong).expect("rts runs");
        assert_eq!(output.status.code(), Some(2), "{wrong}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("RTS_LOG"));
    }
}

#[test]
fn unreachable_server_is_reported_at_once() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("rts://{}", nobody.local_addr().expect("a bound socket"));
    drop(nobody);
    let commands: [&[&str]; 3] = [&["chat"], &["listen"], &["send", "--to", "bob", "hi"]];
    for command in commands {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rts"))
            .args(command)
            .args(["--url", &url, "--uid", "alice", "--token", "any"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("rts runs");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("text");
        assert!(line.contains("the connection was refused"), "{line}");
        assert!(line.ends_with("trying again\n"), "the engine keeps trying: {line}");
        child.kill().expect("a running process");
        child.wait().expect("an exit status");
    }
}

#[test]
fn empty_proxy_variable_is_ignored_and_invalid_one_reported() {
    let server = Server::start();
    let send = |proxy| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rts"));
        command.args(["send", "--url", &server.url, "--dev", "alice", "--to", "alice", "hi"]);
        command.env("RTS_PROXY", proxy).output().expect("rts runs")
    };
    assert_eq!(send("").status.code(), Some(0));
    let wrong = send("localhost:1");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("this is not a proxy"));
}
