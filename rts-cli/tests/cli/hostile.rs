//! Malicious peers against a server process. Each costs at most its stated bound, and other users
//! are not affected.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use rts_proto::limits::{FRAME_BYTES_MAX_BEFORE_LOGIN, LOGIN_DEADLINE};
use rts_proto::wire::{Decoder, Frame, Login, LoginAnswer, VERSION};
use rts_proto::{AppId, CloseCode, UserId};
use serde_json::json;

use crate::support::{APP_ID, Server, token};

/// Most memory of a link before login.
const BYTES_BEFORE_LOGIN_MAX: u64 = 16 * 1_024;

/// Reads until the server closes the stream. All bytes must be complete frames.
fn frames(stream: &mut TcpStream) -> Vec<Frame> {
    let mut decoder = Decoder::new();
    let mut buffer = [0; 4_096];
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("an open connection");
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => decoder.push(Bytes::copy_from_slice(&buffer[..count])),
            // The connection may be reset when the server closes it with unread input.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("the server does not end the stream: {error}"),
        }
    }
    let next = || decoder.next(FRAME_BYTES_MAX_BEFORE_LOGIN).expect("the server speaks well");
    std::iter::from_fn(next).collect()
}

fn close_code(frames: &[Frame]) -> Option<CloseCode> {
    match frames.last() {
        Some(Frame::Close { code, .. }) => Some(CloseCode::from_code(*code)),
        _ => None,
    }
}

pub(crate) fn hello_and_login(uid: &str) -> Vec<u8> {
    let login = Frame::Login(Login {
        app_id: AppId::new(APP_ID).expect("well formed"),
        uid: UserId::new(uid).expect("well formed"),
        token: token(uid, "0").into(),
        resume: None,
        claim: 0,
        engine: 0,
        attempt: 0,
    });
    [Frame::Hello { version: VERSION, features: 0 }.encode(), login.encode()].concat()
}

#[test]
fn invalid_frame_is_answered_with_its_close_code() {
    let server = Server::start();
    let mut alice = server.user("alice");
    let hello = Frame::Hello { version: VERSION, features: 0 }.encode();
    let newer = Frame::Hello { version: VERSION + 1, features: 0 }.encode();
    for (bytes, code) in [
        // Lengths of 4 GiB minus one, and 2^63.
        (&b"\xff\xff\xff\xff\x0f"[..], CloseCode::FrameTooLarge),
        (b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", CloseCode::FrameTooLarge),
        (&[0x80; 11], CloseCode::BadFrame),
        (b"\x00", CloseCode::BadFrame),
        (b"\x04\xff\xff\xff\xff", CloseCode::BadFrame),
        (&Frame::Ping.encode(), CloseCode::UnexpectedFrame),
        (&[&hello[..], &Frame::Ping.encode()].concat(), CloseCode::UnexpectedFrame),
        (&newer, CloseCode::UnsupportedVersion),
    ] {
        let mut peer = server.connect();
        peer.write_all(bytes).expect("an open connection");
        assert_eq!(close_code(&frames(&mut peer)), Some(code), "{bytes:?}");
    }
    assert_eq!(alice.status_of("alice"), json!(1));
}

#[test]
fn login_byte_by_byte_succeeds() {
    let server = Server::start();
    let mut peer = server.connect();
    peer.set_nodelay(true).expect("an open connection");
    for byte in hello_and_login("slow") {
        peer.write_all(&[byte]).expect("an open connection");
    }
    let mut alice = server.user("alice");
    while alice.status_of("slow") != json!(1) {}
    peer.write_all(&Frame::Logout.encode()).expect("an open connection");
    let frames = frames(&mut peer);
    let is_in = matches!(
        &frames[..],
        [Frame::Hello { .. }, Frame::LoginAnswer(LoginAnswer::Accepted(_)), ..]
    );
    assert!(is_in, "{frames:?}");
}

#[test]
fn ten_thousand_silent_links_are_bounded_and_time_out() {
    const LINKS: u64 = 10_000;
    rlimit::increase_nofile_limit(LINKS + 1_000).expect("this test needs as many open files");
    let server = Server::start();
    let mut alice = server.user("alice");
    let before = server.resident_bytes();
    let mut links: Vec<TcpStream> = (0..LINKS).map(|_| server.connect()).collect();
    // The last link is accepted, so all are.
    let last = links.last_mut().expect("there are some");
    last.write_all(&Frame::Hello { version: VERSION, features: 0 }.encode())
        .expect("an open connection");
    last.read_exact(&mut [0]).expect("the server's Hello");
    let cost = server.resident_bytes().saturating_sub(before);
    assert!(cost <= LINKS * BYTES_BEFORE_LOGIN_MAX, "{cost} bytes for {LINKS} links");

    let mut bob = server.user("bob");
    alice.call("sendMessage", json!({"uid": "bob", "message": "hi", "config": 0}));
    assert_eq!(bob.until("onMessageReceived")["message"], "hi");
    assert_eq!(alice.until("onMessageSendResult")["code"], json!(0));

    let code = close_code(&frames(&mut links[0]));
    assert_eq!(code, Some(CloseCode::LoginTimeout), "after {LOGIN_DEADLINE:?}");
}
