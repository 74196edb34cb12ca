//! `rts listen`: its reports about the link, and its end.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use crate::support::{APP_ID, APP_KEY, Server, ended, rts, signal, token};
use serde_json::json;
use tempfile::TempDir;

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A listener that has logged in as bob, and its further lines on standard error.
fn listener(url: &str, args: &[&str]) -> (Child, BufReader<ChildStderr>) {
    let mut listener = Command::new(env!("CARGO_BIN_EXE_rts"))
        .args(["listen", "--url", url, "--token", &token("bob", "0")])
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rts runs");
    let mut errors = BufReader::new(listener.stderr.take().expect("a pipe"));
    let mut line = String::new();
    errors.read_line(&mut line).expect("text");
    assert_eq!(line, "listening as bob\n");
    (listener, errors)
}

/// Asserts that the listener fails with this last line, and returns its output.
fn fails((listener, mut errors): (Child, BufReader<ChildStderr>), why: &str) -> String {
    let output = ended(listener);
    let mut rest = String::new();
    errors.read_to_string(&mut rest).expect("text");
    assert_eq!(output.status.code(), Some(1), "{rest}");
    assert_eq!(rest.lines().last(), Some(why), "{rest}");
    stdout(&output)
}

#[test]
fn revoked_listener_fails_with_the_reason() {
    let server = Server::start();
    let openapi = server.openapi();
    let why = "rts: the login was refused: the token is invalid, expired, or for another user or \
               app (-1000)";
    for (args, said) in [(&[][..], "  login: "), (&["--json"], r#""code":-1000,"#)] {
        let listener = listener(&server.url, args);
        let revoke = ["admin", "--url", &openapi, "revoke", "--user", "bob"];
        assert!(rts(&revoke).status.success());
        let printed = fails(listener, why);
        assert!(printed.contains(said), "{printed}");
        let lift = [&revoke[..], &["--issued-before", "0"]].concat();
        assert!(rts(&lift).status.success());
    }
}

#[test]
fn listener_refused_after_restart_fails_with_the_reason() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("rts.toml");
    let start = |listen: &str, reserved: &str| {
        let config = format!(
            "listen = {listen:?}\nreserved_uids = [{reserved:?}]\n\
             [apps.{APP_ID}]\nkeys = [{APP_KEY:?}]\n"
        );
        std::fs::write(&path, config).expect("a file");
        Server::start_with(&["--config", path.to_str().expect("UTF-8")])
    };
    for args in [&[][..], &["--json"]] {
        let server = start("127.0.0.1:0", "mallory");
        let url = server.url.clone();
        let listener = listener(&url, args);
        server.kill();
        let _again = start(url.strip_prefix("rts://").expect("plain TCP"), "bob");
        let why = "rts: the login was refused: the server refuses this user id (-1002)";
        fails(listener, why);
    }
}

#[test]
fn unread_listener_ends_without_an_error() {
    let server = Server::start();
    let token = token("bob", "0");
    let mut listener = Command::new(env!("CARGO_BIN_EXE_rts"))
        .args(["listen", "--json", "--url", &server.url, "--uid", "bob", "--token", &token])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rts runs");
    let mut said = BufReader::new(listener.stderr.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("text");
    assert_eq!(line, "listening as bob\n");
    drop(listener.stdout.take());
    let mut alice = server.user("alice");
    alice.call("sendMessage", json!({"uid": "bob", "message": "hi"}));
    assert_eq!(listener.wait().expect("an exit status").code(), Some(0));
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("text");
    assert_eq!(rest, "");
}

#[test]
fn displaced_listener_fails_with_the_reason() {
    let server = Server::start();
    let token = token("bob", "0");
    let listener = Command::new(env!("CARGO_BIN_EXE_rts"))
        .args(["listen", "--json", "--url", &server.url, "--uid", "bob", "--token", &token])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rts runs");
    let mut alice = server.user("alice");
    // Waits until the listener is logged in.
    while alice.status_of("bob") != json!(1) {}
    let _successor = server.user("bob");
    let output = ended(listener);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains(r#"{"on":"onLogout","reason":1}"#), "{}", stdout(&output));
    assert!(String::from_utf8_lossy(&output.stderr).contains("displaced by another login"));
}

#[test]
fn stopped_listener_logs_out() {
    let server = Server::start();
    let token = token("bob", "0");
    let mut alice = server.user("alice");
    for name in ["-INT", "-TERM", "-HUP"] {
        let mut listener = Command::new(env!("CARGO_BIN_EXE_rts"))
            .args(["listen", "--url", &server.url, "--uid", "bob", "--token", &token])
            .stderr(Stdio::piped())
            .spawn()
            .expect("rts runs");
        let mut said = BufReader::new(listener.stderr.take().expect("a pipe"));
        said.read_line(&mut String::new()).expect("text");
        signal(name, listener.id());
        assert_eq!(listener.wait().expect("an exit status").code(), Some(0), "{name}");
        assert_eq!(alice.status_of("bob"), json!(0), "{name}");
    }
}

#[test]
fn listener_reports_its_absence_and_possible_losses() {
    let folder = TempDir::new().expect("a folder");
    let server = Server::start_without_rates(folder.path());
    let url = server.url.clone();
    let mut listener = Command::new(env!("CARGO_BIN_EXE_rts"))
        .args(["listen", "--url", &url, "--room", "lobby", "--token", &token("bob", "0")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("rts runs");
    let mut errors = BufReader::new(listener.stderr.take().expect("a pipe")).lines();
    let mut said = BufReader::new(listener.stdout.take().expect("a pipe")).lines();
    let mut next_error_line = |of: &str| {
        let mut lines = errors.by_ref().map_while(Result::ok);
        lines.find(|line| line.contains(of)).expect("it says so")
    };
    next_error_line("listening as bob");
    let mut next_said = || said.next().expect("a line").expect("text");
    assert_eq!(next_said(), "[lobby] joined");
    server.kill();
    assert!(next_error_line("disconnected").ends_with("the connection broke; reconnecting"));
    let _again = Server::restart_without_rates(folder.path(), &url);
    let back = next_error_line("back after ");
    assert!(back.ends_with("what was sent meanwhile may be missing (resumed: false)"), "{back}");
    // Failed attempts are reported as warnings.
    let joined = std::iter::repeat_with(next_said).find(|line| line.starts_with("[lobby]"));
    let expected = "[lobby] joined again: what was said there meanwhile is missing";
    assert_eq!(joined.as_deref(), Some(expected));
    listener.kill().expect("a running process");
    listener.wait().expect("an exit status");
}
