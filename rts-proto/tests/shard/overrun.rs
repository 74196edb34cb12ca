//! Members that do not read. Up to their bounds they miss no frame. Beyond them they get no frame
//! after the missing one. §6.8.

use rts_proto::limits::{SERVER_WINDOW_FRAMES_MAX, WINDOW_BYTES_MAX};
use rts_proto::server::Config;
use rts_proto::wire::Frame;
use rts_proto::{AppId, CloseCode, LinkId, MessageConfig, MessageId, Payload, RoomId};

use crate::support::{APP, Shard, delivery, login, message, user};

fn room() -> RoomId {
    RoomId::new("room").expect("well formed")
}

fn broadcast(id: u64, payload: Payload) -> Frame {
    Frame::Broadcast { id: MessageId(id), room: room(), payload }
}

fn room_delivery(payload: Payload) -> Frame {
    Frame::RoomDelivery { from: user("alice"), room: room(), payload }
}

/// Alice and bob in a room without rates. She has acknowledged everything, and he nothing: one
/// frame.
fn two() -> (Shard, LinkId, LinkId) {
    let mut config = Config::default();
    config.sends_per_second = 0;
    config.broadcasts_per_second = 0;
    config.room_broadcasts_per_second = 0;
    let mut shard = Shard::new(config);
    let [alice, bob] = ["alice", "bob"].map(|uid| shard.log_in(login(uid)).0);
    for link in [alice, bob] {
        shard.say(link, Frame::Join { room: room(), ticket: 1, business_id: None });
    }
    shard.frames_to(bob);
    // The answer to her join, and the notice of bob's.
    shard.say(alice, Frame::Ack { received: 2 });
    (shard, alice, bob)
}

/// Alice sends bob messages until his window has space for this number of bytes.
fn fill(shard: &mut Shard, alice: LinkId, bob: LinkId, free: usize) {
    let length = |bytes| {
        let payload = Payload::binary(vec![0; bytes]);
        let (from, config) = (user("alice"), MessageConfig::ReliableOrdered);
        Frame::Delivery { from, payload, config }.encode().len()
    };
    let mut missing = WINDOW_BYTES_MAX - free - shard.server.stats().window_bytes;
    while missing > 0 {
        // The head has the same length in all of these frames.
        let bytes = missing.min(50_000) - (length(20_000) - 20_000);
        let payload = Payload::binary(vec![0; bytes]);
        let (to, config) = ("bob".into(), MessageConfig::ReliableOrdered);
        shard.say(alice, Frame::Send { id: MessageId(1), to, payload, config });
        missing -= length(bytes);
    }
    shard.frames_to(bob);
}

/// A broadcast without space in bob's window.
fn lose(shard: &mut Shard, alice: LinkId, bob: LinkId) {
    fill(shard, alice, bob, 500);
    shard.say(alice, broadcast(2, Payload::binary(vec![1; 1_000])));
}

#[test]
fn member_accepts_one_mebibyte_in_one_piece() {
    let payload = Payload::binary(vec![1; 100]);
    let length = room_delivery(payload.clone()).encode().len();
    for missing in [0, 1] {
        let (mut shard, alice, bob) = two();
        fill(&mut shard, alice, bob, 3 * length - missing);
        for id in 2..5 {
            shard.say(alice, broadcast(id, payload.clone()));
        }
        let heard = shard.frames_to(bob);
        match missing {
            0 => assert_eq!(heard, vec![room_delivery(payload.clone()); 3]),
            _ => assert!(matches!(heard[..], [Frame::Close { .. }]), "{heard:?}"),
        }
        let closed = (missing > 0).then_some(Some(CloseCode::SlowConsumer));
        assert_eq!(shard.closed(bob), closed);
    }
}

#[test]
fn member_accepts_4096_frames_in_pieces() {
    for extra in [0, 1] {
        let (mut shard, alice, bob) = two();
        let count = SERVER_WINDOW_FRAMES_MAX - 1 + extra;
        for id in 0..count {
            shard.say(alice, broadcast(id as u64, Payload::text("")));
            if id % 700 == 0 {
                shard.tick();
            }
        }
        let heard = shard.frames_to(bob).len();
        let closed = (extra > 0).then_some(Some(CloseCode::SlowConsumer));
        assert_eq!(shard.closed(bob), closed);
        if extra > 0 {
            continue;
        }
        assert_eq!(heard, count);
        // Counts in the middle of pieces and at their ends, and one that is impossible.
        for received in [1, 2, 699, 700, 701, 702, 1 + count as u64] {
            shard.say(bob, Frame::Ack { received });
            assert_eq!(shard.closed(bob), None);
        }
        shard.say(bob, Frame::Ack { received: 2 + count as u64 });
        assert_eq!(shard.closed(bob), Some(Some(CloseCode::BadAck)));
    }
}

#[test]
fn nothing_follows_a_gap_from_the_same_burst() {
    let (mut shard, alice, bob) = two();
    fill(&mut shard, alice, bob, 10_000);
    // These are several pieces: the first has no space, and the second would have some.
    for id in 2..22 {
        shard.say(alice, broadcast(id, Payload::binary(vec![1; 990])));
    }
    let heard = shard.frames_to(bob);
    assert!(matches!(heard[..], [Frame::Close { .. }]), "{} frames", heard.len());
}

#[test]
fn nothing_follows_a_gap_from_the_next_input() {
    let (mut shard, alice, bob) = two();
    lose(&mut shard, alice, bob);
    shard.say(alice, message(3, "bob", "after"));
    let heard = shard.frames_to(bob);
    assert!(matches!(heard[..], [Frame::Close { .. }]), "{} frames", heard.len());
    // She gets the result that the message did not arrive.
    let heard = shard.frames_to(alice);
    let result = heard.iter().find(
        |frame| matches!(frame, Frame::SendResults { ids, .. } if ids.contains(&MessageId(3))),
    );
    assert!(result.is_some(), "{heard:?}");
}

#[test]
fn nothing_follows_a_gap_from_the_back_end() {
    let (mut shard, alice, bob) = two();
    lose(&mut shard, alice, bob);
    let app = AppId::new(APP).expect("well formed");
    let text = Payload::text("after");
    let reached = shard.server.unicast(shard.now, &app, user("system"), &user("bob"), text);
    assert_eq!(reached, Ok(0), "his session ended");
    assert!(!shard.frames_to(bob).contains(&delivery("system", "after")));
    assert_eq!(shard.closed(bob), Some(Some(CloseCode::SlowConsumer)));
}
