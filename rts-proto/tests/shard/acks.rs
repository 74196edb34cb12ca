//! When the server acknowledges: with what it has to say, when there is much, and in the end in any
//! case (§4.4).

use std::time::Duration;

use crate::support::{Shard, delivery, login, message};
use bytes::Bytes;
use rts_proto::server::Config;
use rts_proto::wire::Frame;
use rts_proto::{LinkId, MessageConfig, MessageId, Payload, RoomId, SendCode};

/// The numbers of §4.4: the delay may be 500 ms, and is half of that.
const ACK_DELAY: Duration = Duration::from_millis(250);
const ACK_FRAMES_MAX: u64 = 64;
const ACK_BYTES_MAX: usize = 131_072;

/// Alice on her link, and bob, who does not acknowledge by himself, on his.
fn shard() -> (Shard, LinkId, LinkId) {
    let mut shard = Shard::new(Config { sends_per_second: 0, ..Config::default() });
    let (alice, _) = shard.log_in(login("alice"));
    let (bob, _) = shard.log_in(login("bob"));
    (shard, alice, bob)
}

#[test]
fn an_acknowledgement_goes_along_with_the_result() {
    let (mut shard, alice, bob) = shard();
    shard.say(alice, message(1, "bob", "hi"));
    shard.tick();
    assert_eq!(shard.hear(bob), [delivery("alice", "hi")]);
    assert_eq!(shard.hear(alice), [], "nobody waits for it");
    shard.say(bob, Frame::Ack { received: 1 });
    shard.tick();
    let result = Frame::SendResults { code: SendCode::Ok, ids: vec![MessageId(1)] };
    assert_eq!(shard.hear(alice), [Frame::Ack { received: 1 }, result]);
    shard.wait(ACK_DELAY);
    shard.tick();
    assert_eq!(shard.hear(alice), [], "it was acknowledged before");
}

/// These are answered at once, so that there is company.
#[test]
fn an_acknowledgement_goes_along_with_the_answer_to_a_join_a_leave_and_a_query() {
    let room = RoomId::new("room").expect("well formed");
    for question in [
        Frame::Join { room: room.clone(), ticket: 1, business_id: None },
        Frame::Leave { room, ticket: 1 },
        Frame::StatusQuery { query: 1, uid: Bytes::from_static(b"bob") },
    ] {
        let (mut shard, alice, _) = shard();
        shard.say(alice, question);
        let heard = shard.hear(alice);
        assert_eq!((heard.len(), &heard[0]), (2, &Frame::Ack { received: 1 }), "and the answer");
    }
}

#[test]
fn without_company_it_goes_alone_after_a_delay_and_not_before() {
    let (mut shard, alice, _) = shard();
    shard.say(alice, message(1, "bob", "hi"));
    shard.tick();
    shard.wait(ACK_DELAY - Duration::from_micros(1));
    shard.tick();
    assert_eq!(shard.hear(alice), []);
    shard.wait(Duration::from_micros(1));
    shard.tick();
    assert_eq!(shard.hear(alice), [Frame::Ack { received: 1 }]);
}

#[test]
fn what_is_owed_anew_waits_anew_and_less_than_twice_as_long() {
    let (mut shard, alice, bob) = shard();
    shard.say(alice, message(1, "bob", "one"));
    shard.tick();
    shard.say(bob, Frame::Ack { received: 1 });
    shard.tick();
    assert_eq!(shard.hear(alice).len(), 2, "an acknowledgement and a result");
    shard.wait(ACK_DELAY / 2);
    shard.say(alice, message(2, "bob", "two"));
    shard.wait(ACK_DELAY / 2);
    shard.tick();
    assert_eq!(shard.hear(alice), []);
    shard.wait(ACK_DELAY);
    shard.tick();
    assert_eq!(shard.hear(alice), [Frame::Ack { received: 2 }]);
}

#[test]
fn so_many_frames_are_acknowledged_at_the_end_of_their_burst_and_one_less_is_not() {
    let (mut shard, alice, _) = shard();
    for id in 1..ACK_FRAMES_MAX {
        shard.say(alice, message(id, "bob", "hi"));
    }
    shard.tick();
    assert_eq!(shard.hear(alice), []);
    shard.say(alice, message(ACK_FRAMES_MAX, "bob", "hi"));
    shard.tick();
    assert_eq!(shard.hear(alice), [Frame::Ack { received: ACK_FRAMES_MAX }]);
}

#[test]
fn so_many_bytes_are_acknowledged_at_the_end_of_their_burst_and_one_less_is_not() {
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
        assert_eq!(shard.hear(alice), answer, "{missing} bytes are missing");
    }
}
