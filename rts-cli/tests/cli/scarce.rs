//! When there is not enough for all: those who are there, and the back end, have what they need.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use crate::support::{PATIENCE, Server};

/// Files and sockets that the server may have open.
const FILES: u32 = 64;
/// More than that.
const STRANGERS: usize = 150;

/// What is left of a GET for `/health`.
fn health(openapi: &str) -> String {
    let at = openapi.strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(at).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is open");
    let request = format!("GET /health HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it is open");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_server_that_may_open_no_more_files_keeps_some_for_its_back_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let server = Server::start_with_files(FILES, File::create(&log).expect("a file").into());
    let openapi = server.openapi();
    let mut alice = server.user("alice");
    let mut strangers: Vec<_> = (0..STRANGERS).map(|_| server.connect()).collect();
    // The last one is accepted, and closed, so all were.
    let last = strangers.last_mut().expect("there are some");
    last.set_read_timeout(Some(PATIENCE)).expect("it is open");
    assert!(matches!(last.read(&mut [0]), Ok(0) | Err(_)), "there is no place for it");

    assert!(health(&openapi).starts_with("HTTP/1.1 200 "), "while all strangers are here");
    alice.call("sendMessage", json!({"uid": "alice", "message": "hi", "config": 0}));
    assert_eq!(alice.until("onMessageSendResult")["code"], json!(0));
    drop(strangers);
    let mut bob = server.user("bob");
    assert_eq!(bob.status_of("alice"), json!(1));
    let said = std::fs::read_to_string(log).expect("text");
    assert!(said.matches("cannot accept").count() <= 1, "{said}");
}
