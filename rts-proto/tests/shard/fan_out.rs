//! The way of a burst's broadcasts to the members of a room: in shared pieces, and in order with
//! all other frames.

use bytes::Bytes;
use rts_proto::server::Config;
use rts_proto::wire::{Accepted, Frame};
use rts_proto::{LeaveReason, LinkId, MessageId, Payload, RoomId, RoomState};

use crate::support::{Shard, delivery, login, message, resume, user};

/// Broadcasts up to this total length are one piece.
const BUNDLE_BYTES_MAX: usize = 16 * 1_024;

fn room() -> RoomId {
    RoomId::new("room").expect("well formed")
}

fn join() -> Frame {
    Frame::Join { room: room(), ticket: 1, business_id: None }
}

fn broadcast(id: u64, text: &str) -> Frame {
    Frame::Broadcast { id: MessageId(id), room: room(), payload: Payload::text(text) }
}

fn room_delivery(from: &str, text: &str) -> Frame {
    Frame::RoomDelivery { from: user(from), room: room(), payload: Payload::text(text) }
}

/// Users in the room, with their links and sessions. All their frames were read.
fn members<const N: usize>(uids: [&str; N]) -> (Shard, [LinkId; N], [Accepted; N]) {
    let mut shard = Shard::new(Config::default());
    let logins = uids.map(|uid| shard.log_in(login(uid)));
    let links = logins.each_ref().map(|(link, _)| *link);
    for link in links {
        shard.say(link, join());
    }
    for link in links {
        shard.frames_to(link);
        shard.pieces(link);
    }
    (shard, links, logins.map(|(_, accepted)| accepted))
}

#[test]
fn members_with_equal_output_share_its_memory() {
    let (mut shard, [alice, bob, carol, dave], _) = members(["alice", "bob", "carol", "dave"]);
    let (erin, _) = shard.log_in(login("erin"));
    shard.say(erin, message(1, "carol", "for you alone"));
    shard.say(alice, broadcast(1, "one"));
    shard.say(alice, broadcast(2, "two"));
    let heard = [bob, carol, dave].map(|link| shard.frames_to(link));
    let expected = ["one", "two"].map(|text| room_delivery("alice", text));
    assert_eq!(heard[0], expected);
    assert_eq!(heard[1][0], delivery("erin", "for you alone"));
    assert_eq!(heard[1][1..], expected);
    assert_eq!(heard[2], expected);
    let [bobs, carols, daves] = [bob, carol, dave].map(|link| shard.pieces(link));
    assert_eq!([bobs.len(), carols.len(), daves.len()], [1, 1, 1]);
    assert_eq!(bobs[0].as_ptr(), daves[0].as_ptr(), "the same memory");
    assert!(carols[0].ends_with(&bobs[0]));
}

#[test]
fn members_share_several_pieces() {
    let (mut shard, [alice, bob, carol], _) = members(["alice", "bob", "carol"]);
    let (erin, _) = shard.log_in(login("erin"));
    shard.pieces(bob);
    let long = "x".repeat(BUNDLE_BYTES_MAX / 2);
    let texts = ["one", "two", &long, &long, "three"];
    for (id, text) in (1..).zip(texts) {
        shard.say(alice, broadcast(id, text));
        // This happens in between.
        shard.say(erin, Frame::Ping);
    }
    let expected = texts.map(|text| room_delivery("alice", text));
    assert_eq!([bob, carol].map(|link| shard.frames_to(link)), [expected.clone(), expected]);
    let [bobs, carols] = [bob, carol].map(|link| shard.pieces(link));
    assert_eq!(bobs.len(), 2);
    let places =
        |pieces: &[Bytes]| -> Vec<_> { pieces.iter().map(|piece| piece.as_ptr()).collect() };
    assert_eq!(places(&bobs), places(&carols), "the same memory");
}

#[test]
fn piece_has_at_most_16_kib() {
    for extra in [0, 1] {
        let (mut shard, [alice, bob], _) = members(["alice", "bob"]);
        let text = |bytes| "x".repeat(bytes);
        let half = BUNDLE_BYTES_MAX / 2;
        let payload = half - (room_delivery("alice", &text(half)).encode().len() - half);
        let texts = [text(payload), text(payload + extra)];
        for (id, text) in (1..).zip(&texts) {
            shard.say(alice, broadcast(id, text));
        }
        assert_eq!(shard.frames_to(bob), texts.map(|text| room_delivery("alice", &text)));
        let lengths: Vec<usize> = shard.pieces(bob).iter().map(|piece| piece.len()).collect();
        match extra {
            0 => assert_eq!(lengths, [BUNDLE_BYTES_MAX]),
            _ => assert_eq!(lengths, [half, half + 1]),
        }
    }
}

#[test]
fn sender_gets_broadcasts_of_others_and_not_its_own() {
    let (mut shard, [alice, bob, carol], _) = members(["alice", "bob", "carol"]);
    let said = [(alice, "alice", "one"), (bob, "bob", "two"), (alice, "alice", "three")];
    for (id, (link, _, text)) in (1..).zip(said) {
        shard.say(link, broadcast(id, text));
    }
    let all = said.map(|(_, from, text)| room_delivery(from, text));
    let mut delivered = |link| {
        let heard = shard.frames_to(link).into_iter();
        heard.filter(|frame| matches!(frame, Frame::RoomDelivery { .. })).collect::<Vec<_>>()
    };
    assert_eq!(delivered(carol), all);
    let [one, two, three] = all;
    assert_eq!(delivered(alice), [two]);
    assert_eq!(delivered(bob), [one, three]);
}

#[test]
fn resume_sends_only_the_unacknowledged_part_of_a_piece() {
    let texts = ["one", "two", "three"];
    for known in 0..=texts.len() {
        for is_acknowledged_before in [true, false] {
            let (mut shard, [alice, bob], [_, accepted]) = members(["alice", "bob"]);
            // The first frame was the answer to its join.
            let received = 1 + known as u64;
            for (id, text) in (1..).zip(texts) {
                shard.say(alice, broadcast(id, text));
            }
            assert_eq!(shard.frames_to(bob).len(), texts.len());
            if is_acknowledged_before {
                shard.say(bob, Frame::Ack { received });
            }
            shard.hang_up(bob);
            let again = shard.link();
            shard.say(again, Frame::Login(resume("bob", &accepted, received)));
            let rest: Vec<Frame> =
                texts[known..].iter().map(|text| room_delivery("alice", text)).collect();
            assert_eq!(shard.frames_to(again)[1..], rest, "{known} of them");
            let acked = shard.server.stats().window_bytes;
            let expected: usize = rest.into_iter().map(|frame| frame.encode().len()).sum();
            // Alice has not acknowledged the notice of bob's join and her results.
            shard.say(again, Frame::Ack { received: 4 });
            assert_eq!(acked - shard.server.stats().window_bytes, expected);
        }
    }
}

#[test]
fn joiner_and_leaver_get_broadcasts_of_their_membership_only() {
    let (mut shard, [alice, bob], _) = members(["alice", "bob"]);
    let (carol, _) = shard.log_in(login("carol"));
    shard.say(alice, broadcast(1, "one"));
    shard.say(carol, join());
    shard.say(alice, broadcast(2, "two"));
    shard.say(bob, Frame::Leave { room: room(), ticket: 2 });
    shard.say(alice, broadcast(3, "three"));
    let came = Frame::MemberJoined { room: room(), uid: user("carol") };
    let (one, two, three) = (
        room_delivery("alice", "one"),
        room_delivery("alice", "two"),
        room_delivery("alice", "three"),
    );
    let heard = shard.frames_to(bob);
    let heard: Vec<_> = heard.iter().filter(|frame| !matches!(frame, Frame::Ack { .. })).collect();
    assert_eq!(heard, [&one, &came, &two, &Frame::LeaveAnswer { ticket: 2 }]);
    let heard = shard.frames_to(carol);
    let members = vec![user("alice"), user("bob")];
    let answer = Frame::JoinAnswer { ticket: 1, state: RoomState::Joined, members };
    let left = Frame::MemberLeft { room: room(), uid: user("bob"), reason: LeaveReason::Left };
    assert_eq!(heard[heard.len() - 4..], [answer, two, left, three]);
}

#[test]
fn leave_notice_follows_broadcasts_of_the_leaver() {
    let (mut shard, [alice, bob, carol], _) = members(["alice", "bob", "carol"]);
    shard.say(bob, broadcast(1, "one"));
    shard.say(bob, Frame::Logout);
    shard.say(alice, broadcast(1, "two"));
    shard.say(alice, Frame::Pong);
    let left = |uid, reason| Frame::MemberLeft { room: room(), uid: user(uid), reason };
    let expected = [
        room_delivery("bob", "one"),
        left("bob", LeaveReason::Left),
        room_delivery("alice", "two"),
        left("alice", LeaveReason::Dropped),
    ];
    assert_eq!(shard.frames_to(carol), expected);
}

#[test]
fn broadcasts_and_messages_of_a_burst_keep_their_order() {
    let (mut shard, [alice, bob], _) = members(["alice", "bob"]);
    shard.say(alice, broadcast(1, "one"));
    shard.say(alice, message(2, "bob", "two"));
    shard.say(alice, broadcast(3, "three"));
    shard.say(bob, Frame::Ping);
    shard.say(alice, broadcast(4, "four"));
    let expected = [
        room_delivery("alice", "one"),
        delivery("alice", "two"),
        room_delivery("alice", "three"),
        room_delivery("alice", "four"),
        Frame::Pong,
    ];
    assert_eq!(shard.frames_to(bob), expected);
}
