//! Links from their acceptance to their end, and the results of their frames.

use bytes::Bytes;
use rts_proto::server::{Config, Input};
use rts_proto::wire::Frame;
use rts_proto::{
    BroadcastCode, CloseCode, LinkId, MessageConfig, MessageId, Payload, RoomId, SendCode,
};
use std::num::NonZeroUsize;

use crate::support::{Shard, delivery, key, login, message, resume, user};

fn results(shard: &mut Shard, link: LinkId) -> Vec<Frame> {
    let mut heard = shard.frames_to(link);
    heard.retain(|frame| {
        matches!(frame, Frame::SendResults { .. } | Frame::BroadcastResults { .. })
    });
    heard
}

fn unreliable(id: u64) -> Frame {
    Frame::Send {
        id: MessageId(id),
        to: Bytes::from_static(b"bob"),
        payload: Payload::text("now or never"),
        config: MessageConfig::UnreliableOrdered,
    }
}

/// Links that have logged in, and lost ones, do not count.
#[test]
fn links_before_login_have_a_bound() {
    let mut config = Config::default();
    config.links_before_login_max = NonZeroUsize::new(2).expect("not 0");
    let mut shard = Shard::new(config);
    shard.log_in(login("alice"));
    let gone = shard.link();
    shard.hang_up(gone);
    let waiting = [shard.link(), shard.link()];
    assert_eq!(waiting.map(|link| shard.closed(link)), [None, None]);
    let one_more = LinkId(100);
    shard.input(Input::Accepted(one_more, key(100)));
    assert_eq!(shard.closed(one_more), Some(Some(CloseCode::Busy)));
    let [close] = &shard.frames_to(one_more)[..] else { panic!("a Close with the reason") };
    assert!(matches!(close, Frame::Close { code, .. } if *code == CloseCode::Busy.code()));
    shard.hang_up(waiting[0]);
    let another = shard.link();
    assert_eq!(shard.closed(another), None);
}

#[test]
fn frame_may_arrive_in_two_pieces_cut_anywhere() {
    let mut config = Config::default();
    config.sends_per_second = 0;
    let mut shard = Shard::new(config);
    let [(alice, _), (bob, _)] = ["alice", "bob"].map(|uid| shard.log_in(login(uid)));
    let frame = message(1, "bob", "hi").encode();
    for cut in 1..frame.len() {
        shard.say_bytes(alice, frame.slice(..cut));
        assert_eq!(shard.frames_to(bob), [], "cut at {cut}");
        shard.say_bytes(alice, frame.slice(cut..));
        assert_eq!(shard.frames_to(bob), [delivery("alice", "hi")], "cut at {cut}");
    }
}

#[test]
fn message_to_a_user_with_a_lost_link_has_result_2() {
    let mut shard = Shard::new(Config::default());
    let [(alice, _), (bob, _)] = ["alice", "bob"].map(|uid| shard.log_in(login(uid)));
    for (id, code) in [(1, SendCode::Ok), (2, SendCode::Broken)] {
        shard.say(alice, unreliable(id));
        let expected = Frame::SendResults { code, ids: vec![MessageId(id)] };
        assert_eq!(results(&mut shard, alice), [expected]);
        shard.hang_up(bob);
    }
}

#[test]
fn end_of_a_replaced_link_leaves_the_next_one() {
    let mut shard = Shard::new(Config::default());
    let (alice, _) = shard.log_in(login("alice"));
    let (first, accepted) = shard.log_in(login("bob"));
    let (second, _) = shard.log_in(resume("bob", &accepted, 0));
    shard.hang_up(first);
    shard.say(alice, message(1, "bob", "hi"));
    assert_eq!(shard.frames_to(second), [delivery("alice", "hi")]);
}

#[test]
fn results_of_a_burst_are_batched_by_room_and_code() {
    let mut shard = Shard::new(Config::default());
    let (alice, _) = shard.log_in(login("alice"));
    let [joined, other, strange] =
        ["joined", "other", "strange"].map(|id| RoomId::new(id).expect("well formed"));
    for room in [&joined, &other] {
        shard.say(alice, Frame::Join { room: room.clone(), ticket: 1, business_id: None });
    }
    shard.frames_to(alice);
    for (id, room) in (1..).zip([&joined, &joined, &other, &strange]) {
        let payload = Payload::text("hi");
        shard.say(alice, Frame::Broadcast { id: MessageId(id), room: room.clone(), payload });
    }
    let result = |room: &RoomId, code, ids: &[u64]| Frame::BroadcastResults {
        room: room.clone(),
        code,
        ids: ids.iter().copied().map(MessageId).collect(),
    };
    let expected = [
        result(&joined, BroadcastCode::Ok, &[1, 2]),
        result(&other, BroadcastCode::Ok, &[3]),
        result(&strange, BroadcastCode::NotInRoom, &[4]),
    ];
    assert_eq!(results(&mut shard, alice), expected);
}

#[test]
fn offline_receiver_differs_from_an_impossible_one() {
    let mut config = Config::default();
    config.reserved_uids = [user("system")].into();
    let mut shard = Shard::new(config);
    let (alice, _) = shard.log_in(login("alice"));
    for (id, to, code) in [
        (1, "nobody", SendCode::ReceiverNotLoggedIn),
        (2, "system", SendCode::ReceiverNotFound),
        (3, "no body", SendCode::ReceiverNotFound),
    ] {
        shard.say(alice, message(id, to, "hi"));
        let expected = Frame::SendResults { code, ids: vec![MessageId(id)] };
        assert_eq!(results(&mut shard, alice), [expected], "to {to:?}");
    }
}
