//! The server's acknowledgements: with other frames, at once for much input, and at last alone
//! (§4.4).

use std::time::Duration;

use crate::support::{Shard, delivery, login, message};
use bytes::Bytes;
use rts_proto::server::Config;
use rts_proto::wire::Frame;
use rts_proto::{LinkId, MessageConfig, MessageId, Payload, RoomId, SendCode};

/// The number of §4.4: up to 500 ms are allowed, and the server uses half of it.
const ACK_DELAY: Duration = Duration::from_millis(250);
const ACK_FRAMES_MAX: u64 = 64;
const ACK_BYTES_MAX: usize = 131_072;

/// Alice and bob on their links. Bob acknowledges only when a test does so.
fn shard() -> (Shard, LinkId, LinkId) {
    let mut config = Config::default();
    config.sends_per_second = 0;
    let mut shard = Shard::new(config);
    let (alice, _) = shard.log_in(login("alice"));
    let (bob, _) = shard.log_in(login("bob"));
    (shard, alice, bob)
}

#[test]
fn acknowledgement_travels_with_a_result() {
    let (mut shard, alice, bob) = shard();
    shard.say(alice, message(1, "bob", "hi"));
    shard.tick();
    assert_eq!(shard.frames_to(bob), [delivery("alice", "hi")]);
    assert_eq!(shard.frames_to(alice), [], "it may wait");
    shard.say(bob, Frame::Ack { received: 1 });
    shard.tick();
    let result = Frame::SendResults { code: SendCode::Ok, ids: vec![MessageId(1)] };
    assert_eq!(shard.frames_to(alice), [Frame::Ack { received: 1 }, result]);
    shard.wait(ACK_DELAY);
    shard.tick();
    assert_eq!(shard.frames_to(alice), [], "it is acknowledged already");
}

/// These are answered at once, so the acknowledgement travels with the answer.
#[test]
fn acknowledgement_travels_with_answers() {
    let room = RoomId::new("room").expect("well formed");
    for question in [
        Frame::Join { room: room.clone(), ticket: 1, business_id: None },
        Frame::Leave { room, ticket: 1 },
        Frame::StatusQuery { query: 1, uid: Bytes::from_static(b"bob") },
    ] {
        let (mut shard, alice, _) = shard();
        shard.say(alice, question);
        let heard = shard.frames_to(alice);
        assert_eq!((heard.len(), &heard[0]), (2, &Frame::Ack { received: 1 }), "and the answer");
    }
}

#[test]
fn acknowledgement_alone_goes_after_its_delay() {
    let (mut shard, alice, _) = shard();
    shard.say(alice, message(1, "bob", "hi"));
    shard.tick();
    shard.wait(ACK_DELAY - Duration::from_micros(1));
    shard.tick();
    assert_eq!(shard.frames_to(alice), []);
    shard.wait(Duration::from_micros(1));
    shard.tick();
    assert_eq!(shard.frames_to(alice), [Frame::Ack { received: 1 }]);
}

#[test]
fn later_acknowledgement_waits_less_than_two_delays() {
    let (mut shard, alice, bob) = shard();
    shard.say(alice, message(1, "bob", "one"));
    shard.tick();
    shard.say(bob, Frame::Ack { received: 1 });
    shard.tick();
    assert_eq!(shard.frames_to(alice).len(), 2, "an acknowledgement and a result");
    shard.wait(ACK_DELAY / 2);
    shard.say(alice, message(2, "bob", "two"));
    shard.wait(ACK_DELAY / 2);
    shard.tick();
    assert_eq!(shard.frames_to(alice), []);
    shard.wait(ACK_DELAY);
    shard.tick();
    assert_eq!(shard.frames_to(alice), [Frame::Ack { received: 2 }]);
}

#[test]
fn acknowledges_64_frames_at_the_end_of_their_burst() {
    let (mut shard, alice, _) = shard();
    for id in 1..ACK_FRAMES_MAX {
        shard.say(alice, message(id, "bob", "hi"));
    }
    shard.tick();
    assert_eq!(shard.frames_to(alice), []);
    shard.say(alice, message(ACK_FRAMES_MAX, "bob", "hi"));
    shard.tick();
    assert_eq!(shard.frames_to(alice), [Frame::Ack { received: ACK_FRAMES_MAX }]);
}

#[test]
fn acknowledges_an_eighth_of_a_window_at_burst_end() {
    for (missing, answer) in [(1, vec![]), (0, vec![Frame::Ack { received: 4 }])] {
        let (mut shard, alice, _) = shard();
        let frame = |len: usize| Frame::Send {
            id: MessageId(1),
            to: Bytes::from_static(b"bob"),
            payload: Payload::binary(vec![0; len]),
            config: MessageConfig::ReliableOrdered,
        };
        let head = frame(ACK_BYTES_MAX / 4).encode().len() - ACK_BYTES_MAX / 4;
        for first in [true, false, false, false] {
            let shorter = if first { missing } else { 0 };
            shard.say(alice, frame(ACK_BYTES_MAX / 4 - head - shorter));
        }
        shard.tick();
        assert_eq!(shard.frames_to(alice), answer, "{missing} bytes are missing");
    }
}
