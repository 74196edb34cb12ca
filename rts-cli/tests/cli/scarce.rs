//! Scarce resources: users who are logged in, and the back end, still get what they need.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _, pipe};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::channel;

use serde_json::json;

use crate::support::{PATIENCE, Server};

/// Most files and sockets of the server.
const FILES: u32 = 64;
/// More strangers than [`FILES`].
const STRANGERS: usize = 150;

/// The answer to `GET /health`.
fn health(openapi: &str) -> String {
    let at = openapi.strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(at).expect("a listening server");
    stream.set_read_timeout(Some(PATIENCE)).expect("an open connection");
    let request = format!("GET /health HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("an open connection");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// Waits until the server closes a connection that has no place.
fn wait_for_the_end(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).expect("an open connection");
    let end = stream.read(&mut [0]).or_else(|error| match error.kind() {
        ErrorKind::ConnectionReset => Ok(0),
        _ => Err(error),
    });
    assert_eq!(end.expect("the connection is closed in time"), 0);
}

#[test]
fn server_out_of_files_still_serves_its_back_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let server = Server::start_with_files(FILES, File::create(&log).expect("a file").into());
    let openapi = server.openapi();
    let mut alice = server.user("alice");
    let mut strangers: Vec<_> = (0..STRANGERS).map(|_| server.connect()).collect();
    // The last connection is accepted and closed, so all were.
    let last = strangers.last_mut().expect("there are some");
    wait_for_the_end(last);

    assert!(
        health(&openapi).starts_with("HTTP/1.1 200 "),
        "health works while all strangers are connected"
    );
    alice.call("sendMessage", json!({"uid": "alice", "message": "hi", "config": 0}));
    assert_eq!(alice.until("onMessageSendResult")["code"], json!(0));
    drop(strangers);
    let mut bob = server.user("bob");
    assert_eq!(bob.status_of("alice"), json!(1));
    let said = std::fs::read_to_string(log).expect("text");
    assert!(said.matches("cannot accept").count() <= 1, "{said}");
    // Logged at the default level, because the operator has to raise the limit.
    let mut full =
        said.lines().filter(|line| line.contains("link refused: connection limit reached"));
    let first = full.next().expect("a line");
    assert!(first.contains(" WARN ") && first.contains("LimitNOFILE"), "{said}");
}

/// Starts an app server that answers one post with 200. Returns its URL.
fn app_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/", listener.local_addr().expect("a bound socket"));
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a post");
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            let mut buffer = [0; 1_024];
            match stream.read(&mut buffer).expect("a request") {
                0 => panic!("a whole request"),
                length => request.extend_from_slice(&buffer[..length]),
            }
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .expect("an open connection");
    });
    url
}

#[test]
fn posts_continue_while_strangers_hold_the_openapi() {
    let server = Server::start_with_files(FILES, Stdio::null());
    let openapi = server.openapi();
    let openapi = openapi.strip_prefix("http://").expect("plain HTTP");
    let mut alice = server.user("alice");
    alice.call("setServerParams", json!({"signature": "s", "url": app_server()}));
    assert_eq!(alice.until("onServerParamsSetResult")["code"], json!(200));
    let _strangers: Vec<_> = (0..STRANGERS).map(|_| server.connect()).collect();
    let at_openapi = || TcpStream::connect(openapi).expect("a listening server");
    let mut at_openapi: Vec<_> = (0..STRANGERS).map(|_| at_openapi()).collect();
    let last = at_openapi.last_mut().expect("there are some");
    wait_for_the_end(last);
    alice.call("sendServerMessage", json!({"message": "hi"}));
    assert_eq!(alice.until("onServerMessageSendResult")["code"], json!(0));
}

#[test]
fn other_protocol_at_openapi_is_logged() {
    let (log, writes) = pipe().expect("a pipe");
    let server = Server::start_in(
        &["--dev", "--listen", "127.0.0.1:0"],
        &[("RTS_LOG", "info")],
        writes.into(),
    );
    let (say, hear) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            let _ = say.send(line);
        }
    });
    let openapi = server.openapi();
    let at = openapi.strip_prefix("http://").expect("plain HTTP");
    let hint = "headers of the PROXY protocol are not supported";
    for (first, says) in [
        (
            &b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n"[..],
            ["a header of the PROXY protocol came first", hint],
        ),
        (b"\x16\x03\x01\0\x05\r\n", ["TLS came", hint]),
        (
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            ["content-length", "a request that is not valid HTTP/1"],
        ),
    ] {
        let mut stream = TcpStream::connect(at).expect("a listening server");
        let address = stream.local_addr().expect("it is connected").to_string();
        stream.write_all(first).expect("an open connection");
        let line = loop {
            let line = hear.recv_timeout(PATIENCE).expect("a line about it");
            if line.contains(&address) {
                break line;
            }
        };
        for says in says {
            assert!(line.contains(says), "{line}");
        }
        assert_eq!(line.contains(hint), says.contains(&hint), "{line}");
    }
}
