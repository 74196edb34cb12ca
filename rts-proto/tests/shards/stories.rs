//! Stories of what only several shards have: links that move, and entries that arrive late.

use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use rts_proto::limits::{LOGIN_DEADLINE, SESSION_GRACE, UNRELIABLE_BURST_BYTES_MAX};
use rts_proto::server::{Ban, Command, Config, Input, Returned, ShardId, Shards as _};
use rts_proto::wire::{Frame, Login, LoginAnswer, Resume};
use rts_proto::{
    BroadcastCode, CloseCode, LeaveReason, MessageConfig, MessageId, OnlineStatus, Payload,
    RoomState, SendCode,
};

use crate::support::{
    Node, app, broadcast, delivery, join, leave, login, message, room_delivery, without_acks,
};

fn two() -> Node {
    Node::new(2, &Config::default())
}

fn sent(code: SendCode, ids: &[u64]) -> Frame {
    Frame::SendResults { code, ids: ids.iter().map(|id| MessageId(*id)).collect() }
}

#[test]
fn link_moves_once_to_the_shard_of_its_user() {
    let mut node = two();
    for shard in [0, 1] {
        let user = node.user_at(shard, "u");
        for accepted_at in [0, 1] {
            let before = node.handed_over;
            let link = node.link_at(accepted_at, &[Frame::Login(login(&user))]);
            assert_eq!(node.shard_of(link), shard);
            assert_eq!(node.handed_over - before, usize::from(shard != accepted_at));
            let frames = node.frames_to(link);
            assert!(matches!(frames.last(), Some(Frame::LoginAnswer(LoginAnswer::Accepted(_)))));
        }
    }
    assert_eq!(node.stats().sessions, 2, "the later login of a user displaced the earlier one");
}

#[test]
fn moved_link_keeps_its_deadline_and_its_rules() {
    let mut node = two();
    let user = node.user_at(1, "u");
    // A frame behind the login, before its answer, is a breach; the user's shard sees it.
    let link = node.link_at(0, &[Frame::Login(login(&user)), Frame::Ping]);
    node.end_burst();
    assert_eq!(node.closed(link), Some(Some(CloseCode::UnexpectedFrame)));
    assert_eq!((node.handed_over, node.stats().links), (1, 0));
    let silent = node.link_at(0, &[]);
    node.wait(LOGIN_DEADLINE);
    assert_eq!(node.closed(silent), Some(Some(CloseCode::LoginTimeout)));
}

#[test]
fn drain_closes_its_number_of_links_of_all_shards_together() {
    let mut node = two();
    let users = [(0, "a"), (0, "b"), (1, "a"), (1, "b")];
    let links = users.map(|(shard, prefix)| node.enter(&node.user_at(shard, prefix)));
    let step = Command::Drain { links_max: 3, retry_after_max: Duration::ZERO };
    for (closed, open) in [(3, 1), (1, 0), (0, 0)] {
        assert_eq!(node.command(step), Returned::Count(closed));
        assert_eq!(links.iter().filter(|link| node.closed(**link).is_none()).count(), open);
    }
    let late = node.link_at(1, &[]);
    assert_eq!(node.closed(late), Some(Some(CloseCode::Shutdown)));
    assert_eq!(node.sessions(), 4);
    node.command(Command::Reopen);
    let link = node.link_at(1, &[]);
    assert_eq!(node.closed(link), None);
}

/// Their links were accepted where there was space, and wait where the user belongs.
#[test]
fn logins_of_other_shards_that_wait_have_a_bound() {
    let mut config = Config::default();
    (config.links_before_login_max, config.logins_per_second) =
        (NonZeroUsize::new(4).expect("not 0"), 1);
    let mut node = Node::new(2, &config);
    let user = node.user_at(1, "u");
    node.enter(&user);
    let waiting = [(); 2].map(|()| node.link_at(0, &[Frame::Login(login(&user))]));
    let one_more = node.link_at(0, &[Frame::Login(login(&user))]);
    node.end_burst();
    assert_eq!(waiting.map(|link| node.closed(link)), [None, None]);
    assert_eq!(node.closed(one_more), Some(Some(CloseCode::Busy)));
    node.wait(Duration::from_secs(1));
    let frames = node.frames_to(waiting[0]);
    assert!(matches!(frames.last(), Some(Frame::LoginAnswer(LoginAnswer::Accepted(_)))));
}

#[test]
fn session_resumes_whichever_shard_accepts_the_link() {
    let mut node = two();
    let user = node.user_at(1, "u");
    let (first, accepted) = node.log_in(login(&user));
    node.hang_up(first);
    let resume = Resume { session: accepted.session, key: accepted.key, received: 0 };
    let again = Login { resume: Some(resume), claim: accepted.claim, ..login(&user) };
    for shard in [0, 1] {
        let link = node.link_at(shard, &[Frame::Login(again.clone())]);
        let frames = node.frames_to(link);
        let Some(Frame::LoginAnswer(LoginAnswer::Accepted(answer))) = frames.last() else {
            panic!("{frames:?}");
        };
        assert!(answer.resumed);
        assert_eq!(answer.session, accepted.session);
        if shard == 1 {
            break;
        }
        // The key of the answer was read by nobody, so the former key is still good.
        node.hang_up(link);
    }
    assert_eq!(node.stats().sessions, 1);
}

#[test]
fn result_0_comes_when_the_receiver_has_the_message_and_not_before() {
    let mut node = two();
    let (alice, bob) = (node.user_at(0, "a"), node.user_at(1, "b"));
    let (at_alice, at_bob) = (node.enter(&alice), node.enter(&bob));
    node.say(at_alice, message(1, &bob, "one"));
    node.say(at_alice, message(2, &bob, "two"));
    assert_eq!(node.frames_to(at_bob), [delivery(&alice, "one"), delivery(&alice, "two")]);
    assert_eq!(without_acks(node.frames_to(at_alice)), []);
    node.say(at_bob, Frame::Ack { received: 1 });
    assert_eq!(without_acks(node.frames_to(at_alice)), [sent(SendCode::Ok, &[1])]);
    node.say(at_bob, Frame::Logout);
    assert_eq!(without_acks(node.frames_to(at_alice)), [sent(SendCode::Timeout, &[2])]);
    node.say(at_alice, message(3, &bob, "three"));
    let absent = sent(SendCode::ReceiverNotLoggedIn, &[3]);
    assert_eq!(without_acks(node.frames_to(at_alice)), [absent]);
}

#[test]
fn congested_shard_gets_no_more_messages_and_all_that_must_arrive() {
    let mut node = two();
    let (alice, bob) = (node.user_at(0, "a"), node.user_at(1, "b"));
    let (near, far) = (node.room_at(0), node.room_at(1));
    let (at_alice, at_bob) = (node.enter(&alice), node.enter(&bob));
    for room in [&near, &far] {
        node.say(at_alice, join(room, 1));
        node.say(at_bob, join(room, 1));
    }
    node.frames_to(at_alice);
    node.frames_to(at_bob);
    let (own, other) = (ShardId::FIRST, ShardId::new(1).expect("valid"));
    node.input(own, Input::PeerCongested(other, true));
    node.say(at_alice, message(1, &bob, "m"));
    node.say(at_alice, broadcast(&near, 2, "m"));
    node.say(at_alice, broadcast(&far, 3, "m"));
    let uid = Bytes::copy_from_slice(bob.as_str().as_bytes());
    node.say(at_alice, Frame::StatusQuery { query: 4, uid: uid.clone() });
    node.say(at_alice, leave(&far, 5));
    let refused = |room: &rts_proto::RoomId, id| Frame::BroadcastResults {
        room: room.clone(),
        code: BroadcastCode::OverRate,
        ids: [MessageId(id)].into(),
    };
    let mut frames = without_acks(node.frames_to(at_alice));
    frames.sort_by_key(|frame| format!("{frame:?}"));
    let mut expected = [
        sent(SendCode::Broken, &[1]),
        refused(&near, 2),
        refused(&far, 3),
        Frame::StatusAnswer { query: 4, status: OnlineStatus::Unreachable },
        Frame::LeaveAnswer { ticket: 5 },
    ];
    expected.sort_by_key(|frame| format!("{frame:?}"));
    assert_eq!(frames, expected);
    // Only the leave reached bob.
    let left =
        Frame::MemberLeft { room: far.clone(), uid: alice.clone(), reason: LeaveReason::Left };
    assert_eq!(without_acks(node.frames_to(at_bob)), [left]);
    node.say(at_alice, join(&far, 6));
    let joined = Frame::JoinAnswer { ticket: 6, state: RoomState::Joined, members: [bob].into() };
    assert_eq!(without_acks(node.frames_to(at_alice)), [joined]);
}

#[test]
fn broadcast_comes_before_the_notice_that_its_sender_left() {
    let mut node = two();
    let (alice, bob) = (node.user_at(0, "a"), node.user_at(0, "b"));
    let room = node.room_at(1);
    let links = [node.enter(&alice), node.enter(&bob)];
    for link in links {
        node.say(link, join(&room, 1));
        node.end_burst();
    }
    let [at_alice, at_bob] = links;
    node.frames_to(at_bob);
    node.say(at_alice, broadcast(&room, 2, "m"));
    node.say(at_alice, leave(&room, 3));
    let (uid, reason) = (alice.clone(), LeaveReason::Left);
    let left = Frame::MemberLeft { room: room.clone(), uid, reason };
    let expected = [room_delivery(&alice, &room, "m"), left];
    assert_eq!(without_acks(node.frames_to(at_bob)), expected);
}

#[test]
fn burst_of_unreliable_messages_to_one_link_has_a_bound() {
    let mut node = two();
    let (alice, bob) = (node.user_at(0, "a"), node.user_at(1, "b"));
    let (at_alice, at_bob) = (node.enter(&alice), node.enter(&bob));
    // Shard 1 is busy, so it gets the messages as one input.
    node.holds_entries = true;
    let to = Bytes::copy_from_slice(bob.as_str().as_bytes());
    let payload = Payload::Binary(vec![0; 4_000].into());
    let config = MessageConfig::UnreliableUnordered;
    for id in (1..=90).map(MessageId) {
        let (to, payload) = (to.clone(), payload.clone());
        node.say(at_alice, Frame::Send { id, to, payload, config });
    }
    node.holds_entries = false;
    let received = node.frames_to(at_bob).len();
    assert!((30..=UNRELIABLE_BURST_BYTES_MAX / 4_000).contains(&received), "{received}");
    let count = |frames: &[Frame], wanted| -> usize {
        let ids = |frame: &Frame| match frame {
            Frame::SendResults { code, ids } if *code == wanted => ids.len(),
            _ => 0,
        };
        frames.iter().map(ids).sum()
    };
    let frames = node.frames_to(at_alice);
    let counts = [SendCode::Ok, SendCode::Broken].map(|code| count(&frames, code));
    assert_eq!(counts, [received, 90 - received]);
    // The next input has space again.
    node.say(at_alice, Frame::Send { id: MessageId(91), to, payload, config });
    assert_eq!(node.frames_to(at_bob).len(), 1);
}

#[test]
fn results_of_broadcasts_come_before_the_answer_to_the_leave() {
    let mut node = two();
    let alice = node.user_at(0, "a");
    let room = node.room_at(1);
    let at_alice = node.enter(&alice);
    node.say(at_alice, join(&room, 1));
    node.frames_to(at_alice);
    node.say(at_alice, broadcast(&room, 2, "m"));
    node.say(at_alice, leave(&room, 3));
    let ids = [MessageId(2)].into();
    let result = Frame::BroadcastResults { room, code: BroadcastCode::Ok, ids };
    let expected = [result, Frame::LeaveAnswer { ticket: 3 }];
    assert_eq!(without_acks(node.frames_to(at_alice)), expected);
}

#[test]
fn broadcast_reaches_the_members_of_every_shard_in_one_order() {
    let mut node = Node::new(3, &Config::default());
    let users: Vec<_> = (0..3).map(|shard| node.user_at(shard, "u")).collect();
    let room = node.room_at(1);
    let links: Vec<_> = users.iter().map(|user| node.enter(user)).collect();
    for link in &links {
        node.say(*link, join(&room, 1));
        node.end_burst();
    }
    links.iter().for_each(|link| drop(node.frames_to(*link)));
    for (place, link) in links.iter().enumerate() {
        node.say(*link, broadcast(&room, 10, &format!("by {place}")));
        node.end_burst();
    }
    for (place, link) in links.iter().enumerate() {
        let others = (0..3).filter(|other| *other != place);
        let expected: Vec<_> = others
            .map(|other| room_delivery(&users[other], &room, &format!("by {other}")))
            .collect();
        let frames = node.frames_to(*link);
        let is_delivery = |frame: &Frame| matches!(frame, Frame::RoomDelivery { .. });
        let got: Vec<_> = frames.into_iter().filter(is_delivery).collect();
        assert_eq!(got, expected);
    }
}

#[test]
fn session_that_ends_while_it_joins_leaves_no_member() {
    // The end may come before the join has arrived, or before its answer has.
    for arrived in [0, 1, 2] {
        let mut node = two();
        let alice = node.user_at(0, "a");
        let room = node.room_at(1);
        let at_alice = node.enter(&alice);
        node.holds_entries = true;
        node.say(at_alice, join(&room, 1));
        node.tick(0);
        if arrived > 0 {
            assert!(node.deliver(0, 1));
            node.tick(1);
        }
        if arrived > 1 {
            assert!(node.deliver(1, 0));
        }
        node.say(at_alice, Frame::Logout);
        node.holds_entries = false;
        node.end_burst();
        let stats = node.stats();
        assert_eq!((stats.sessions, stats.rooms, stats.memberships), (0, 0, 0), "{arrived}");
    }
}

#[test]
fn membership_waits_for_the_next_session_wherever_the_room_is() {
    let mut node = two();
    let (alice, bob) = (node.user_at(0, "a"), node.user_at(0, "b"));
    let room = node.room_at(1);
    let (_, at_bob) = (node.enter(&alice), node.enter(&bob));
    let first = node.enter(&alice);
    for link in [first, at_bob] {
        node.say(link, join(&room, 1));
        node.end_burst();
    }
    node.frames_to(at_bob);
    // Alice's next session takes over, and joins again: nobody is notified.
    let second = node.enter(&alice);
    assert_eq!(node.closed(first), Some(Some(CloseCode::Displaced)));
    node.say(second, join(&room, 2));
    let members = [bob.clone()].into();
    let joined = Frame::JoinAnswer { ticket: 2, state: RoomState::Joined, members };
    assert_eq!(without_acks(node.frames_to(second)), [joined]);
    assert_eq!(node.frames_to(at_bob), []);
    // Another session does not: the membership ends with the grace.
    node.enter(&alice);
    let halves = 2;
    for _ in 0..halves {
        node.say(at_bob, Frame::Ping);
        node.wait(SESSION_GRACE / halves);
    }
    let (uid, reason) = (alice.clone(), LeaveReason::Dropped);
    let left = Frame::MemberLeft { room: room.clone(), uid, reason };
    assert!(node.frames_to(at_bob).contains(&left));
    assert_eq!(node.room_members(&app(), &room), Some(vec![bob]));
}

#[test]
fn ban_that_a_join_crosses_leaves_no_member() {
    for shard_first in [0, 1] {
        let mut node = two();
        let alice = node.user_at(0, "a");
        let room = node.room_at(1);
        let at_alice = node.enter(&alice);
        node.holds_entries = true;
        node.say(at_alice, join(&room, 1));
        node.tick(0);
        if shard_first == 1 {
            assert!(node.deliver(0, 1));
        }
        let (app_id, ban) = (&app(), &Ban::User(alice.clone()));
        let interval = Duration::from_secs(60);
        node.command(Command::Ban { app_id, ban, interval });
        node.holds_entries = false;
        node.end_burst();
        assert_eq!(node.stats().memberships, 0);
        node.say(at_alice, join(&room, 2));
        let state = RoomState::UserBanned;
        let refused = Frame::JoinAnswer { ticket: 2, state, members: [].into() };
        assert!(node.frames_to(at_alice).contains(&refused));
    }
}

#[test]
fn rate_of_a_back_end_counts_whichever_shards_its_users_have() {
    let mut config = Config::default();
    config.backend_sends_per_second = 600;
    let mut node = Node::new(4, &config);
    let users: Vec<_> = (0..4).map(|shard| node.user_at(shard, "u")).collect();
    let (app_id, from) = (&app(), &crate::support::user("shop"));
    let payload = &Payload::text("m");
    let mut sent = 0;
    for number in 0..1_000 {
        let to = &users[number % 4];
        let returned = node.command(Command::Unicast { app_id, from, to, payload });
        sent += usize::from(matches!(returned, Returned::Result(Ok(_))));
    }
    assert_eq!(sent, 600);
}
