//! Output without a reader, and signals.

use std::fs::File;
use std::io::{BufRead as _, BufReader, PipeReader, Read as _, Write as _, pipe};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Instant;

use serde_json::json;
use tempfile::TempDir;

use crate::support::{APP_ID, APP_KEY, Engine, PATIENCE, Server, token};

/// The capacity of a pipe on Linux.
const PIPE_BYTES: usize = 65_536;
const BEARER: &str = "the-bearer-key-of-this-test";

/// Waits for the end of a process.
fn end(mut child: Child) -> Option<i32> {
    let (ended, ends) = channel();
    std::thread::spawn(move || {
        let _ = ended.send(child.wait());
    });
    let status = ends.recv_timeout(PATIENCE).expect("an exit status").expect("a child process");
    status.code()
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().expect("kill runs").success());
}

/// A server with standard output and error at these files, on ports that were free a moment before.
struct Mute {
    /// `None` once its end is awaited.
    child: Option<Child>,
    url: String,
    openapi: String,
    _folder: TempDir,
}

impl Mute {
    fn start(out: Stdio, err: Stdio) -> Self {
        let free = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.local_addr().expect("a bound socket").to_string()
        };
        let (at, openapi) = (free(), free());
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("rts.toml");
        let config = format!(
            "listen = {at:?}\n[apps.{APP_ID}]\nkeys = [{APP_KEY:?}]\n[openapi]\nlisten = {openapi:?}\n\
             [[openapi.bearer_keys]]\nname = \"b\"\nkey = {BEARER:?}\napps = [{APP_ID:?}]\n"
        );
        std::fs::write(&path, config).expect("a file");
        let child = Command::new(env!("CARGO_BIN_EXE_rts"))
            .arg("serve")
            .arg("--config")
            .arg(&path)
            .env("RTS_LOG", "debug")
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .expect("the server starts");
        let mute =
            Self { child: Some(child), url: format!("rts://{at}"), openapi, _folder: folder };
        let begun = Instant::now();
        while TcpStream::connect(&at).is_err() {
            assert!(begun.elapsed() < PATIENCE, "it does not listen");
        }
        mute
    }

    /// Sends alice a message through the OpenAPI.
    fn push(&self, message: &str) -> String {
        let body = json!({"AppId": APP_ID, "From": "system", "To": "alice", "Message": message});
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.openapi).expect("a listening server");
        let head = format!(
            "POST /?Action=SendUnicast&Version=2023-07-20 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Authorization: Bearer {BEARER}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).expect("an open connection");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// Asserts that the server works, and ends with success.
    fn works_and_ends(mut self) {
        let mut alice = Engine::start(&self.url, &[]);
        alice.log_in("alice");
        for number in 0..3 {
            let message = format!("message {number}");
            let answer = self.push(&message);
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert_eq!(alice.until("onMessageReceived")["message"], message);
        }
        let mut bob = Engine::start(&self.url, &[]);
        bob.log_in("bob");
        let child = self.child.take().expect("a running process");
        signal(&child, "-TERM");
        assert_eq!(end(child), Some(0));
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn unread_pipe() -> (PipeReader, [Stdio; 2]) {
    let (reader, writer) = pipe().expect("a pipe");
    let both = [writer.try_clone().expect("a file").into(), writer.into()];
    (reader, both)
}

#[test]
fn server_continues_after_log_reader_ends() {
    let (reader, [out, err]) = unread_pipe();
    drop(reader);
    Mute::start(out, err).works_and_ends();
}

#[test]
fn server_continues_while_log_reader_blocks() {
    let (reader, mut writer) = pipe().expect("a pipe");
    writer.write_all(&[b'x'; PIPE_BYTES]).expect("it has room");
    let out = writer.try_clone().expect("a file");
    Mute::start(out.into(), writer.into()).works_and_ends();
    drop(reader);
}

#[test]
fn server_continues_with_full_log_disk() {
    let full = || File::options().write(true).open("/dev/full").expect("this test needs Linux");
    Mute::start(full().into(), full().into()).works_and_ends();
}

#[test]
fn every_command_ends_quietly_without_a_reader() {
    let token = token("alice", "0");
    let commands: [&[&str]; 5] = [
        &["demo"],
        &["serve", "--example-config"],
        &["serve", "--help"],
        &["token", "new", "--app-id", APP_ID, "--app-key", APP_KEY, "--uid", "a"],
        &["token", "inspect", &token],
    ];
    for command in commands {
        let (reader, [out, err]) = unread_pipe();
        drop(reader);
        let mut child = Command::new(env!("CARGO_BIN_EXE_rts"))
            .args(command)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(Stdio::piped())
            .spawn()
            .expect("rts runs");
        let mut said = String::new();
        let stderr = child.stderr.as_mut().expect("a pipe");
        stderr.read_to_string(&mut said).expect("text");
        assert_eq!((said.as_str(), end(child)), ("", Some(0)), "{command:?}");
        drop(err);
    }
}

#[test]
fn closed_standard_error_does_not_change_the_exit_code() {
    for (command, code) in [(&["token", "inspect", "x"][..], 2), (&["engine", "--url"], 2)] {
        let (reader, [out, err]) = unread_pipe();
        drop(reader);
        let child = Command::new(env!("CARGO_BIN_EXE_rts"))
            .args(command)
            .stdout(Stdio::null())
            .stderr(err)
            .spawn()
            .expect("rts runs");
        drop(out);
        assert_eq!(end(child), Some(code), "{command:?}");
    }
}

#[test]
fn full_disk_is_a_reported_failure() {
    let full = File::options().write(true).open("/dev/full").expect("this test needs Linux");
    let output = Command::new(env!("CARGO_BIN_EXE_rts"))
        .args(["serve", "--example-config"])
        .stdout(full)
        .output()
        .expect("rts runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));
}

/// A development server that has printed its first line.
fn development(program: &str, before: &[&str]) -> Child {
    let mut child = Command::new(program)
        .args(before)
        .args(["serve", "--dev", "--listen", "127.0.0.1:0"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts");
    let mut line = String::new();
    let out = child.stdout.as_mut().expect("a pipe");
    BufReader::new(out).read_line(&mut line).expect("text");
    assert!(line.starts_with("listening on "), "{line}");
    child
}

#[test]
fn server_stopped_as_soon_as_it_listens_ends_normally() {
    for name in ["-TERM", "-INT", "-HUP"] {
        for _ in 0..5 {
            let child = development(env!("CARGO_BIN_EXE_rts"), &[]);
            signal(&child, name);
            assert_eq!(end(child), Some(0), "{name}");
        }
    }
}

#[test]
fn unrelated_signals_do_not_end_a_server() {
    let mut child = development(env!("CARGO_BIN_EXE_rts"), &[]);
    for name in ["-USR1", "-USR2", "-XFSZ", "-PIPE"] {
        signal(&child, name);
    }
    assert_eq!(child.try_wait().expect("a child process"), None);
    signal(&child, "-TERM");
    assert_eq!(end(child), Some(0));
}

#[test]
fn unrelated_signals_do_not_end_an_engine() {
    let server = Server::start();
    let mut alice = server.user("alice");
    for name in ["-USR1", "-USR2", "-XFSZ"] {
        alice.signal(name);
        let hi = json!({"uid": "alice", "message": name, "config": 0});
        assert!(alice.call("sendMessage", hi).is_number());
        assert_eq!(alice.until("onMessageReceived")["message"], name);
    }
}

#[test]
fn nohup_server_outlives_its_terminal() {
    let mut child = development("nohup", &[env!("CARGO_BIN_EXE_rts")]);
    signal(&child, "-HUP");
    signal(&child, "-USR1");
    assert_eq!(child.try_wait().expect("a child process"), None);
    signal(&child, "-TERM");
    assert_eq!(end(child), Some(0));
}
