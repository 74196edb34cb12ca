//! Rooms, frame by frame: their bounds, and the receivers of notices. Section 6 of the protocol.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::support::{Shard, login, user};
use bytes::Bytes;
use rts_proto::server::Config;
use rts_proto::wire::Frame;
use rts_proto::{
    BroadcastCode, BusinessId, LeaveReason, LinkId, MessageId, Payload, RoomId, RoomState,
};

/// The numbers of §6.2 and §6.7.
const ROOMS_PER_USER_MAX: usize = 128;
const NOTICE_MEMBERS_MAX: usize = 500;
const SESSION_GRACE: Duration = Duration::from_secs(30);

fn room(id: &str) -> RoomId {
    RoomId::new(id).expect("well formed")
}

/// Joins, and returns the state of the answer.
fn join(shard: &mut Shard, link: LinkId, id: &str) -> RoomState {
    shard.say(link, Frame::Join { room: room(id), ticket: 1, business_id: None });
    let answers = shard.frames_to(link);
    let state = answers.iter().find_map(|frame| match frame {
        Frame::JoinAnswer { state, .. } => Some(*state),
        _ => None,
    });
    state.unwrap_or_else(|| panic!("no answer: {answers:?}"))
}

fn broadcast(shard: &mut Shard, link: LinkId, id: &str) -> BroadcastCode {
    let payload = Payload::binary(Bytes::from_static(b"x"));
    shard.say(link, Frame::Broadcast { id: MessageId(1), room: room(id), payload });
    shard.tick();
    let results = shard.frames_to(link).into_iter().find_map(|frame| match frame {
        Frame::BroadcastResults { code, .. } => Some(code),
        _ => None,
    });
    results.expect("a result")
}

#[test]
fn session_is_in_at_most_128_rooms() {
    let mut shard = Shard::new(Config::default());
    let (alice, _) = shard.log_in(login("alice"));
    for number in 0..ROOMS_PER_USER_MAX {
        assert_eq!(join(&mut shard, alice, &format!("room-{number}")), RoomState::Joined);
    }
    assert_eq!(join(&mut shard, alice, "one-more"), RoomState::JoinFailed);
    assert_eq!(join(&mut shard, alice, "room-0"), RoomState::Joined, "it is in this one");
}

/// Otherwise a user could gather memberships without end, by logging in again and again.
#[test]
fn waiting_memberships_count_until_they_end() {
    let mut shard = Shard::new(Config::default());
    let (before, _) = shard.log_in(login("alice"));
    for number in 0..ROOMS_PER_USER_MAX - 1 {
        join(&mut shard, before, &format!("before-{number}"));
    }
    for _ in 0..2 {
        // Neither another login nor a logout frees a place.
        let (between, _) = shard.log_in(login("alice"));
        assert_eq!(join(&mut shard, between, "before-0"), RoomState::Joined);
        assert_eq!(join(&mut shard, between, "one"), RoomState::Joined);
        assert_eq!(join(&mut shard, between, "one-more"), RoomState::JoinFailed);
        shard.say(between, Frame::Leave { room: room("one"), ticket: 2 });
    }
    let (after, _) = shard.log_in(login("alice"));
    for number in 0..ROOMS_PER_USER_MAX - 1 {
        assert_eq!(join(&mut shard, after, &format!("before-{number}")), RoomState::Joined);
    }
    assert_eq!(join(&mut shard, after, "one"), RoomState::Joined);
    assert_eq!(join(&mut shard, after, "one-more"), RoomState::JoinFailed);
}

#[test]
fn expired_memberships_do_not_count() {
    let mut shard = Shard::new(Config::default());
    let (before, _) = shard.log_in(login("alice"));
    for number in 0..ROOMS_PER_USER_MAX {
        join(&mut shard, before, &format!("before-{number}"));
    }
    let (after, _) = shard.log_in(login("alice"));
    assert_eq!(join(&mut shard, after, "after"), RoomState::JoinFailed);
    assert_eq!(shard.server.stats().users_remembered, 1);
    for _ in 0..2 {
        shard.wait(SESSION_GRACE / 2);
        shard.say(after, Frame::Ping);
    }
    assert_eq!(shard.server.stats().memberships, 0);
    for number in 0..ROOMS_PER_USER_MAX {
        assert_eq!(join(&mut shard, after, &format!("after-{number}")), RoomState::Joined);
    }
    shard.wait(SESSION_GRACE / 2);
    shard.tick();
    assert_eq!(shard.server.stats().users_remembered, 0);
}

#[test]
fn full_room_refuses_joins_until_a_member_leaves() {
    let mut config = Config::default();
    config.room_members_max = NonZeroUsize::new(2).expect("not 0");
    let mut shard = Shard::new(config);
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|uid| shard.log_in(login(uid)).0);
    assert_eq!(join(&mut shard, alice, "room"), RoomState::Joined);
    assert_eq!(join(&mut shard, bob, "room"), RoomState::Joined);
    assert_eq!(join(&mut shard, carol, "room"), RoomState::JoinFailed);
    shard.say(alice, Frame::Leave { room: room("room"), ticket: 2 });
    assert_eq!(join(&mut shard, carol, "room"), RoomState::Joined);
}

/// Fills a room with this number of members. Returns their links.
fn crowd(shard: &mut Shard, members: usize) -> Vec<LinkId> {
    let links: Vec<_> =
        (0..members).map(|who| shard.log_in(login(&format!("user-{who:03}"))).0).collect();
    for link in &links {
        assert_eq!(join(shard, *link, "hall"), RoomState::Joined);
    }
    for link in &links {
        shard.frames_to(*link);
    }
    links
}

/// The member's frames about its rooms.
fn received(shard: &mut Shard, link: LinkId) -> Vec<Frame> {
    let frames = shard.frames_to(link);
    frames.into_iter().filter(|frame| !matches!(frame, Frame::Ack { .. })).collect()
}

#[test]
fn joins_and_leaves_are_announced_up_to_500_members() {
    let mut shard = Shard::new(Config::default());
    let members = crowd(&mut shard, NOTICE_MEMBERS_MAX - 1);
    let first = members[0];
    let [last, over, beyond] = ["x-1", "x-2", "x-3"].map(|uid| shard.log_in(login(uid)).0);
    let joined = |uid| Frame::MemberJoined { room: room("hall"), uid: user(uid) };
    let stop = Frame::RoomNotice { room: room("hall"), state: RoomState::NoticesStop };

    join(&mut shard, last, "hall");
    assert_eq!(received(&mut shard, first), [joined("x-1")], "the 500th member");
    shard.say(over, Frame::Join { room: room("hall"), ticket: 1, business_id: None });
    assert_eq!(received(&mut shard, first), std::slice::from_ref(&stop), "the 501st");
    let answer = received(&mut shard, over);
    let [Frame::JoinAnswer { members, .. }, notice] = &answer[..] else { panic!("{answer:?}") };
    assert_eq!((members.len(), notice), (NOTICE_MEMBERS_MAX, &stop));
    shard.say(beyond, Frame::Join { room: room("hall"), ticket: 1, business_id: None });
    assert_eq!(received(&mut shard, first), [], "notified once");
    let answer = received(&mut shard, beyond);
    let [Frame::JoinAnswer { members, .. }, notice] = &answer[..] else { panic!("{answer:?}") };
    assert_eq!((members.len(), notice), (NOTICE_MEMBERS_MAX, &stop));

    shard.say(beyond, Frame::Leave { room: room("hall"), ticket: 2 });
    assert_eq!(received(&mut shard, first), [], "502 to 501");
    shard.say(over, Frame::Leave { room: room("hall"), ticket: 2 });
    let left =
        Frame::MemberLeft { room: room("hall"), uid: user("x-2"), reason: LeaveReason::Left };
    assert_eq!(received(&mut shard, first), [left], "501 to 500");
}

#[test]
fn room_has_its_own_rate_and_a_lower_one_from_500_members() {
    for (members, rate) in [(NOTICE_MEMBERS_MAX - 1, 100), (NOTICE_MEMBERS_MAX, 80)] {
        let mut shard = Shard::new(Config::default());
        let links = crowd(&mut shard, members);
        // Two senders: a single one would reach its own rate first.
        for number in 0..rate {
            assert_eq!(broadcast(&mut shard, links[number % 2], "hall"), BroadcastCode::Ok);
        }
        for link in &links[..2] {
            assert_eq!(broadcast(&mut shard, *link, "hall"), BroadcastCode::OverRate, "{members}");
        }
    }
}

#[test]
fn answers_repeat_the_ticket_also_with_a_business_id() {
    let mut shard = Shard::new(Config::default());
    let (alice, _) = shard.log_in(login("alice"));
    let business = BusinessId::new("business").expect("well formed");
    for (ticket, business_id) in [(7, None), (9, Some(business))] {
        shard.say(alice, Frame::Join { room: room("room"), ticket, business_id });
        let joined = Frame::JoinAnswer { ticket, state: RoomState::Joined, members: Vec::new() };
        assert_eq!(shard.frames_to(alice)[1..], [joined], "after an acknowledgement");
        shard.say(alice, Frame::Leave { room: room("room"), ticket: ticket + 1 });
        assert_eq!(shard.frames_to(alice)[1..], [Frame::LeaveAnswer { ticket: ticket + 1 }]);
    }
}

#[test]
fn broadcast_reaches_other_members_and_needs_membership() {
    let mut shard = Shard::new(Config::default());
    let links = ["alice", "bob", "carol"].map(|uid| shard.log_in(login(uid)).0);
    for link in links {
        join(&mut shard, link, "room");
    }
    let (stranger, _) = shard.log_in(login("dave"));
    for link in links {
        shard.frames_to(link);
    }
    assert_eq!(broadcast(&mut shard, stranger, "room"), BroadcastCode::NotInRoom);
    assert_eq!(broadcast(&mut shard, links[0], "room"), BroadcastCode::Ok);
    assert_eq!(received(&mut shard, links[0]), []);
    for link in &links[1..] {
        let heard = Frame::RoomDelivery {
            from: user("alice"),
            room: room("room"),
            payload: Payload::binary(Bytes::from_static(b"x")),
        };
        assert_eq!(received(&mut shard, *link), [heard]);
    }
}

#[test]
fn leave_answer_follows_results_of_earlier_broadcasts() {
    let mut shard = Shard::new(Config::default());
    let (alice, _) = shard.log_in(login("alice"));
    join(&mut shard, alice, "room");
    // In one burst.
    let payload = Payload::binary(Bytes::from_static(b"x"));
    shard.say(alice, Frame::Broadcast { id: MessageId(7), room: room("room"), payload });
    shard.say(alice, Frame::Leave { room: room("room"), ticket: 2 });
    let (code, ids) = (BroadcastCode::Ok, vec![MessageId(7)]);
    let results = Frame::BroadcastResults { room: room("room"), code, ids };
    assert_eq!(received(&mut shard, alice), [results, Frame::LeaveAnswer { ticket: 2 }]);
}

/// §6.9: the rest of the old session's 30 s counts from its last byte, not from its end.
#[test]
fn membership_waits_until_30_seconds_after_the_last_byte() {
    let moment = Duration::from_micros(1);
    let mut shard = Shard::new(Config::default());
    let (alice, _) = shard.log_in(login("alice"));
    let (bob, _) = shard.log_in(login("bob"));
    for link in [alice, bob] {
        join(&mut shard, link, "room");
    }
    shard.wait(Duration::from_secs(10));
    shard.log_in(login("alice"));
    shard.say(bob, Frame::Ping);
    shard.frames_to(bob);
    shard.wait(Duration::from_secs(20) - moment);
    assert_eq!(received(&mut shard, bob), []);
    shard.wait(moment);
    let left =
        Frame::MemberLeft { room: room("room"), uid: user("alice"), reason: LeaveReason::Dropped };
    assert_eq!(received(&mut shard, bob), [left]);
}
