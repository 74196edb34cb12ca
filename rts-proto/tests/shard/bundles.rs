//! The pieces in which the server sends the output of a burst, and their order.

use std::time::Duration;

use rts_proto::server::Config;
use rts_proto::wire::Frame;
use rts_proto::{CloseCode, LinkId, MessageConfig, MessageId, Payload};

use crate::support::{Shard, delivery, login, message, resume};

/// Frames up to this total length are one piece.
const BUNDLE_BYTES_MAX: usize = 16 * 1_024;

fn two() -> (Shard, LinkId, LinkId) {
    let mut shard = Shard::new(Config::default());
    let [(alice, _), (bob, _)] = ["alice", "bob"].map(|uid| shard.log_in(login(uid)));
    shard.pieces(alice);
    shard.pieces(bob);
    (shard, alice, bob)
}

#[test]
fn burst_goes_out_in_one_piece_at_its_end() {
    let (mut shard, alice, bob) = two();
    for (id, text) in [(1, "one"), (2, "two"), (3, "three")] {
        shard.say(alice, message(id, "bob", text));
    }
    assert_eq!(shard.pieces(bob).len(), 0, "the burst goes on");
    let expected = ["one", "two", "three"].map(|text| delivery("alice", text));
    assert_eq!(shard.frames_to(bob), expected);
    assert_eq!(shard.pieces(bob).len(), 1);
    shard.say(alice, message(4, "bob", "four"));
    assert_eq!(shard.frames_to(bob), [delivery("alice", "four")], "and nothing again");
}

#[test]
fn piece_has_at_most_16_kib() {
    for extra in [0, 1] {
        let (mut shard, alice, bob) = two();
        let delivered = |bytes| Frame::Delivery {
            from: login("alice").uid,
            payload: Payload::binary(vec![0; bytes]),
            config: MessageConfig::ReliableOrdered,
        };
        let half = BUNDLE_BYTES_MAX / 2;
        let payload = half - (delivered(half).encode().len() - half);
        for (id, bytes) in [(1, payload), (2, payload + extra)] {
            let payload = Payload::binary(vec![0; bytes]);
            let (to, config) = ("bob".into(), MessageConfig::ReliableOrdered);
            shard.say(alice, Frame::Send { id: MessageId(id), to, payload, config });
        }
        assert_eq!(shard.frames_to(bob), [delivered(payload), delivered(payload + extra)]);
        let lengths: Vec<usize> = shard.pieces(bob).iter().map(|piece| piece.len()).collect();
        match extra {
            0 => assert_eq!(lengths, [BUNDLE_BYTES_MAX]),
            _ => assert_eq!(lengths, [half, half + 1]),
        }
    }
}

#[test]
fn unsequenced_frames_do_not_overtake_the_window() {
    let (mut shard, alice, bob) = two();
    let unreliable = Frame::Send {
        id: MessageId(2),
        to: "bob".into(),
        payload: Payload::text("two"),
        config: MessageConfig::UnreliableOrdered,
    };
    shard.say(alice, message(1, "bob", "one"));
    shard.say(alice, unreliable);
    shard.say(alice, message(3, "bob", "three"));
    shard.say(bob, Frame::Ping);
    let two = Frame::Delivery {
        from: login("alice").uid,
        payload: Payload::text("two"),
        config: MessageConfig::UnreliableOrdered,
    };
    let expected = [delivery("alice", "one"), two, delivery("alice", "three"), Frame::Pong];
    assert_eq!(shard.frames_to(bob), expected);
}

#[test]
fn waiting_output_goes_to_the_link_of_a_resume() {
    let mut shard = Shard::new(Config::default());
    let (alice, _) = shard.log_in(login("alice"));
    let (first, accepted) = shard.log_in(login("bob"));
    let second = shard.link();
    shard.say(alice, message(1, "bob", "hi"));
    shard.say(second, Frame::Login(resume("bob", &accepted, 0)));
    assert_eq!(shard.frames_to(second)[1..], [delivery("alice", "hi")], "behind the answer");
    assert!(matches!(shard.frames_to(first)[..], [Frame::Close { .. }]), "and nothing before it");
}

#[test]
fn bundles_of_equal_length_are_not_mixed_up() {
    let mut shard = Shard::new(Config::default());
    let links = ["alice", "bob", "carol"].map(|uid| shard.log_in(login(uid)).0);
    let [alice, bob, carol] = links;
    let said = [("bob", "one"), ("carol", "six"), ("bob", "two"), ("carol", "ten")];
    for (id, (to, text)) in (1..).zip(said) {
        shard.say(alice, message(id, to, text));
    }
    assert_eq!(shard.frames_to(bob), ["one", "two"].map(|text| delivery("alice", text)));
    assert_eq!(shard.frames_to(carol), ["six", "ten"].map(|text| delivery("alice", text)));
}

#[test]
fn waiting_output_of_a_lost_link_goes_to_the_next() {
    let mut shard = Shard::new(Config::default());
    let (alice, _) = shard.log_in(login("alice"));
    let (first, accepted) = shard.log_in(login("bob"));
    shard.say(alice, message(1, "bob", "one"));
    shard.hang_up(first);
    shard.say(alice, message(2, "bob", "two"));
    assert_eq!(shard.frames_to(first), [], "it is lost");
    let second = shard.link();
    shard.say(second, Frame::Login(resume("bob", &accepted, 0)));
    let expected = ["one", "two"].map(|text| delivery("alice", text));
    assert_eq!(shard.frames_to(second)[1..], expected);
}

#[test]
fn waiting_output_goes_out_before_a_shutdown_close() {
    let (mut shard, alice, bob) = two();
    shard.say(alice, message(1, "bob", "hi"));
    shard.server.shutdown(shard.now, Duration::ZERO);
    let heard = shard.frames_to(bob);
    assert_eq!(heard[0], delivery("alice", "hi"));
    assert!(matches!(heard[1..], [Frame::Close { .. }]), "{heard:?}");
    assert_eq!(shard.closed(bob), Some(Some(CloseCode::Shutdown)));
}
