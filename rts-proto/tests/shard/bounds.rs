//! The frames, lengths and deadlines of a link, in the protocol's own numbers. A test that took
//! them from the code's constants would move with them. Sections 1 and 2 of the protocol.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::server::{Config, Input};
use rts_proto::wire::{Frame, Login};
use rts_proto::{CloseCode, LinkId, MessageConfig, MessageId, Payload};

use crate::support::{HELLO, Shard, key, login};

fn shard() -> Shard {
    Shard::new(Config::default())
}

/// The length of a frame as it is on the wire.
fn length(mut len: usize) -> Bytes {
    let mut bytes = Vec::new();
    while len >= 0x80 {
        bytes.push(u8::try_from(len & 0x7F).expect("seven bits") | 0x80);
        len >>= 7;
    }
    bytes.push(u8::try_from(len).expect("seven bits"));
    bytes.into()
}

/// Sends bytes on a link. Returns the code with which it is closed.
fn closed_by(shard: &mut Shard, link: LinkId, bytes: Bytes) -> Option<CloseCode> {
    shard.say_bytes(link, bytes);
    shard.closed(link).flatten()
}

#[test]
fn client_frame_has_at_most_4096_then_66048_bytes() {
    // The length alone is enough to refuse the frame.
    for (len, code) in [(4_096, None), (4_097, Some(CloseCode::FrameTooLarge))] {
        let mut shard = shard();
        let greeting = LinkId(99);
        shard.input(Input::Accepted(greeting, key(99)));
        assert_eq!(closed_by(&mut shard, greeting, length(len)), code, "{len} bytes, first");
        let waiting = shard.link();
        assert_eq!(closed_by(&mut shard, waiting, length(len)), code, "{len} bytes, as a Login");
    }
    for (len, code) in [(66_048, None), (66_049, Some(CloseCode::FrameTooLarge))] {
        let mut shard = shard();
        let (link, _) = shard.log_in(login("alice"));
        assert_eq!(closed_by(&mut shard, link, length(len)), code, "{len} bytes, logged in");
    }
}

/// A `Send` with this payload and this number of bytes.
fn send(payload: Payload) -> Bytes {
    let to = Bytes::from_static(b"bob");
    Frame::Send { id: MessageId(1), to, payload, config: MessageConfig::ReliableOrdered }.encode()
}

#[test]
fn refuses_frames_with_invalid_values() {
    let send_of = |fields: &[u8]| {
        let body = [&[0x3A, u8::try_from(fields.len()).expect("short")], fields].concat();
        Bytes::from([&length(body.len())[..], &body].concat())
    };
    for (what, bytes, good) in [
        ("65,536 bytes", send(Payload::binary(vec![0; 65_536])), true),
        ("65,537 bytes", send(Payload::binary(vec![0; 65_537])), false),
        ("65,536 bytes of text", send(Payload::text("x".repeat(65_536))), true),
        ("65,537 bytes of text", send(Payload::text("x".repeat(65_537))), false),
        // To "b": a text, and one that is not UTF-8.
        ("text", send_of(b"\x12\x01b\x1a\x02\xc3\xa4"), true),
        ("no UTF-8", send_of(b"\x12\x01b\x1a\x02\xc3\x28"), false),
        // Config 2, and one outside the table.
        ("the last config", send_of(b"\x12\x01b\x1a\x01x\x28\x02"), true),
        ("an unknown config", send_of(b"\x12\x01b\x1a\x01x\x28\x03"), false),
        // A Join of the rooms "a-b" and "a.b".
        ("a room", Bytes::from_static(b"\x08\x82\x01\x05\x0a\x03a-b"), true),
        ("no room", Bytes::from_static(b"\x08\x82\x01\x05\x0a\x03a.b"), false),
        ("no protobuf", Bytes::from_static(b"\x04\x3a\x02\xff\xff"), false),
    ] {
        let mut shard = shard();
        let (link, _) = shard.log_in(login("alice"));
        let code = (!good).then_some(CloseCode::BadFrame);
        assert_eq!(closed_by(&mut shard, link, bytes), code, "{what}");
    }
}

#[test]
fn refuses_clients_of_another_version() {
    for version in [0, 2, u32::MAX] {
        let mut shard = shard();
        let link = LinkId(99);
        shard.input(Input::Accepted(link, key(99)));
        let hello = Frame::Hello { version, features: 0 }.encode();
        assert_eq!(closed_by(&mut shard, link, hello), Some(CloseCode::UnsupportedVersion));
    }
}

#[test]
fn login_deadline_is_5_seconds_after_accepting_a_link() {
    let moment = Duration::from_micros(1);
    for said in 0..3 {
        let mut shard = shard();
        shard.decides = false;
        let link = LinkId(99);
        shard.input(Input::Accepted(link, key(99)));
        // A late frame does not extend the deadline.
        shard.wait(Duration::from_secs(4));
        for frame in [HELLO, Frame::Login(login("alice"))].into_iter().take(said) {
            shard.say(link, frame);
        }
        shard.wait(Duration::from_secs(1) - moment);
        shard.tick();
        assert_eq!(shard.closed(link), None, "after {said} frames");
        shard.wait(moment);
        shard.tick();
        let code = Some(Some(CloseCode::LoginTimeout));
        assert_eq!(shard.closed(link), code, "after {said} frames");
    }
    // A login at the last moment is valid, and its session has the usual time.
    let mut shard = shard();
    let link = shard.link();
    shard.wait(Duration::from_secs(5) - moment);
    shard.say(link, Frame::Login(Login { claim: 0, ..login("alice") }));
    shard.wait(Duration::from_secs(20));
    shard.tick();
    assert_eq!(shard.closed(link), None);
}

#[test]
fn last_frame_of_a_closed_link_has_the_reason() {
    let mut shard = shard();
    let (link, _) = shard.log_in(login("alice"));
    shard.say(link, Frame::Pong);
    let heard = shard.frames_to(link);
    let Some(Frame::Close { code, reason, .. }) = heard.last() else { panic!("{heard:?}") };
    assert_eq!(CloseCode::from_code(*code), CloseCode::UnexpectedFrame);
    assert!(!reason.is_empty(), "in words too");
    assert_eq!(shard.closed(link), Some(Some(CloseCode::UnexpectedFrame)));
}
