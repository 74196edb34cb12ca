//! Stories of a cluster: a user's home, the user's session, and a sender are in different nodes.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::limits::{ASKS_PER_USER_MAX, SESSION_GRACE, UNREACHABLE_AFTER};
use rts_proto::server::{Ban, Command, Config, Report, Shards as _};
use rts_proto::wire::{Accepted, Frame, Login, LoginAnswer, Resume};
use rts_proto::{
    CloseCode, LeaveReason, LinkId, LoginCode, MessageConfig, MessageId, OnlineStatus, Payload,
    RoomId, SendCode, UserId,
};

use crate::support::{Node, app, delivery, join, login, message, user, without_acks};

/// Three nodes of one shard each.
fn three() -> Node {
    Node::cluster(&[1, 1, 1], &Config::default())
}

fn log_in_at(cluster: &mut Node, shard: usize, uid: &UserId) -> LinkId {
    cluster.log_in_at(shard, login(uid)).0
}

fn sent(code: SendCode, ids: &[u64]) -> Frame {
    Frame::SendResults { code, ids: ids.iter().map(|id| MessageId(*id)).collect() }
}

/// The login of a client that had this session, after it lost the link.
fn again(uid: &UserId, had: &Accepted, received: u64) -> Login {
    let resume = Some(Resume { session: had.session, key: had.key, received });
    Login { resume, claim: had.claim, ..login(uid) }
}

#[test]
fn message_reaches_its_receiver_through_the_home() {
    for receiver_at in 0..3 {
        let mut cluster = three();
        let (alice, bob) = (user("alice"), cluster.user_at(1, "b"));
        let at_alice = log_in_at(&mut cluster, 0, &alice);
        let at_bob = log_in_at(&mut cluster, receiver_at, &bob);
        cluster.frames_to(at_alice);
        cluster.frames_to(at_bob);
        cluster.say(at_alice, message(1, &bob, "one"));
        cluster.say(at_alice, message(2, &bob, "two"));
        let both = [delivery(&alice, "one"), delivery(&alice, "two")];
        assert_eq!(without_acks(cluster.frames_to(at_bob)), both, "at {receiver_at}");
        assert_eq!(without_acks(cluster.frames_to(at_alice)), []);
        cluster.say(at_bob, Frame::Ack { received: 2 });
        assert_eq!(without_acks(cluster.frames_to(at_alice)), [sent(SendCode::Ok, &[1, 2])]);
        cluster.say(at_bob, Frame::Logout);
        cluster.say(at_alice, message(3, &bob, "three"));
        let absent = sent(SendCode::ReceiverNotLoggedIn, &[3]);
        assert_eq!(without_acks(cluster.frames_to(at_alice)), [absent]);
    }
}

#[test]
fn messages_that_are_not_sequenced_have_their_result_at_once() {
    let mut cluster = three();
    let (alice, bob) = (user("alice"), cluster.user_at(1, "b"));
    let (at_alice, at_bob) = (log_in_at(&mut cluster, 0, &alice), log_in_at(&mut cluster, 2, &bob));
    let to = Bytes::copy_from_slice(bob.as_str().as_bytes());
    let config = MessageConfig::UnreliableOrdered;
    let payload = Payload::text("now");
    let send = Frame::Send { id: MessageId(1), to, payload: payload.clone(), config };
    cluster.frames_to(at_bob);
    cluster.say(at_alice, send);
    assert_eq!(cluster.frames_to(at_bob), [Frame::Delivery { from: alice, payload, config }]);
    assert!(cluster.frames_to(at_alice).contains(&sent(SendCode::Ok, &[1])));
}

#[test]
fn later_login_at_another_node_displaces_the_session() {
    for home in 0..3 {
        let mut cluster = three();
        let (alice, bob) = (user("alice"), cluster.user_at(home, "b"));
        let at_alice = log_in_at(&mut cluster, 2, &alice);
        let first = log_in_at(&mut cluster, 0, &bob);
        cluster.say(at_alice, message(1, &bob, "not read"));
        cluster.end_burst();
        let second = log_in_at(&mut cluster, 1, &bob);
        assert_eq!(cluster.closed(first), Some(Some(CloseCode::Displaced)), "home {home}");
        assert_eq!(cluster.stats_of_all().sessions, 2);
        cluster.say(at_alice, message(2, &bob, "to the second"));
        assert_eq!(without_acks(cluster.frames_to(second)), [delivery(&alice, "to the second")]);
        let results = without_acks(cluster.frames_to(at_alice));
        assert!(results.contains(&sent(SendCode::Timeout, &[1])), "{results:?}");
        let online: Vec<&Report> = cluster
            .reports
            .iter()
            .filter(|report| matches!(report, Report::UserOnline { uid } if *uid == bob))
            .collect();
        assert_eq!(online.len(), 1, "the user was online all the time");
    }
}

#[test]
fn displaced_client_that_comes_back_anywhere_is_told_so() {
    let mut cluster = three();
    let bob = cluster.user_at(1, "b");
    let (first, had) = cluster.log_in_at(0, login(&bob));
    cluster.hang_up(first);
    let second = log_in_at(&mut cluster, 2, &bob);
    for shard in 0..3 {
        let late = cluster.link_at(shard, &[Frame::Login(again(&bob, &had, 0))]);
        cluster.end_burst();
        assert_eq!(cluster.closed(late), Some(Some(CloseCode::Displaced)), "at {shard}");
    }
    assert_eq!(cluster.closed(second), None);
}

/// Two users at shard 0, in one room: the link of each, and the session of the second.
fn both_in(
    cluster: &mut Node,
    alice: &UserId,
    bob: &UserId,
    room: &RoomId,
) -> (LinkId, LinkId, Accepted) {
    let at_alice = log_in_at(cluster, 0, alice);
    let (at_bob, had) = cluster.log_in_at(0, login(bob));
    for link in [at_alice, at_bob] {
        cluster.say(link, join(room, 1));
        cluster.end_burst();
    }
    (at_alice, at_bob, had)
}

#[test]
fn membership_of_a_client_that_stays_away_ends_wherever_it_was() {
    let mut cluster = three();
    let (alice, bob) = (user("alice"), cluster.user_at(1, "b"));
    let room = cluster.room_at(2);
    let (at_alice, first, had) = both_in(&mut cluster, &alice, &bob, &room);
    cluster.hang_up(first);
    cluster.log_in_at(2, again(&bob, &had, 1));
    cluster.wait(SESSION_GRACE / 2);
    cluster.say(at_alice, Frame::Ping);
    cluster.wait(SESSION_GRACE / 2 - Duration::from_micros(1));
    assert!(!cluster.frames_to(at_alice).iter().any(|f| matches!(f, Frame::MemberLeft { .. })));
    cluster.wait(Duration::from_micros(1));
    let left = Frame::MemberLeft { room, uid: bob, reason: LeaveReason::Dropped };
    assert!(cluster.frames_to(at_alice).contains(&left));
}

#[test]
fn overtaken_attempt_is_closed_at_every_node() {
    let mut cluster = three();
    let bob = cluster.user_at(1, "b");
    let attempt = |attempt| Login { engine: 7, attempt, ..login(&bob) };
    let (present, _) = cluster.log_in_at(0, attempt(2));
    for shard in 0..3 {
        let late = cluster.link_at(shard, &[Frame::Login(attempt(1))]);
        cluster.end_burst();
        assert_eq!(cluster.closed(late), Some(Some(CloseCode::Replaced)), "at {shard}");
    }
    assert_eq!(cluster.closed(present), None);
}

#[test]
fn what_comes_while_a_user_moves_reaches_the_next_session_in_order() {
    let mut cluster = three();
    let (alice, bob) = (cluster.user_at(0, "a"), cluster.user_at(1, "b"));
    let at_alice = log_in_at(&mut cluster, 0, &alice);
    let first = log_in_at(&mut cluster, 0, &bob);
    cluster.frames_to(at_alice);
    cluster.holds_entries = true;
    let second = cluster.link_at(2, &[Frame::Login(login(&bob))]);
    cluster.tick(2);
    assert!(cluster.deliver(2, 1), "it asks the home");
    cluster.tick(1);
    for id in 1..=2 {
        cluster.say(at_alice, message(id, &bob, &format!("m{id}")));
        cluster.tick(0);
        assert!(cluster.deliver(0, 1), "to the home, where it waits");
    }
    let uid = Bytes::copy_from_slice(bob.as_str().as_bytes());
    cluster.say(at_alice, Frame::StatusQuery { query: 9, uid });
    cluster.tick(0);
    cluster.deliver(0, 1);
    cluster.holds_entries = false;
    let frames = without_acks(cluster.frames_to(second));
    let messages: Vec<&Frame> =
        frames.iter().filter(|frame| matches!(frame, Frame::Delivery { .. })).collect();
    assert_eq!(messages, [&delivery(&alice, "m1"), &delivery(&alice, "m2")]);
    assert_eq!(cluster.closed(first), Some(Some(CloseCode::Displaced)));
    let online = Frame::StatusAnswer { query: 9, status: OnlineStatus::Online };
    assert!(cluster.frames_to(at_alice).contains(&online));
}

#[test]
fn user_is_free_again_if_the_link_of_its_login_is_gone() {
    let mut cluster = three();
    let bob = cluster.user_at(1, "b");
    cluster.holds_entries = true;
    let gone = cluster.link_at(0, &[Frame::Login(login(&bob))]);
    cluster.tick(0);
    cluster.hang_up(gone);
    cluster.holds_entries = false;
    cluster.end_burst();
    assert_eq!(cluster.stats_of_all().sessions, 0);
    log_in_at(&mut cluster, 2, &bob);
    assert_eq!(cluster.stats_of_all().sessions, 1);
}

#[test]
fn user_that_was_displaced_for_nobody_is_offline() {
    let mut cluster = three();
    let bob = cluster.user_at(1, "b");
    let first = log_in_at(&mut cluster, 0, &bob);
    cluster.holds_entries = true;
    let second = cluster.link_at(2, &[Frame::Login(login(&bob))]);
    cluster.tick(2);
    cluster.hang_up(second);
    cluster.holds_entries = false;
    cluster.end_burst();
    assert_eq!(cluster.closed(first), Some(Some(CloseCode::Displaced)));
    let offline = Report::UserOffline { uid: bob.clone(), reason: LeaveReason::Dropped };
    assert_eq!(cluster.reports, [Report::UserOnline { uid: bob }, offline]);
}

/// A login of this user at shard 0, whose home, shard 1, has not answered.
fn asking(cluster: &mut Node, uid: &UserId) -> LinkId {
    cluster.holds_entries = true;
    let link = cluster.link_at(0, &[Frame::Login(login(uid))]);
    cluster.tick(0);
    link
}

#[test]
fn user_that_is_banned_while_it_asks_its_home_does_not_get_in() {
    let mut cluster = three();
    let bob = cluster.user_at(1, "b");
    let link = asking(&mut cluster, &bob);
    let (ban, interval) = (Ban::Login(bob), Duration::from_secs(60));
    cluster.command(Command::Ban { app_id: &app(), ban: &ban, interval });
    cluster.holds_entries = false;
    let refused = Frame::LoginAnswer(LoginAnswer::Refused(LoginCode::BadUserId));
    assert!(cluster.frames_to(link).contains(&refused));
    assert_eq!(cluster.stats_of_all().sessions, 0);
}

#[test]
fn login_whose_token_is_revoked_while_it_asks_its_home_has_to_come_again() {
    for (issued_before, code) in [(0, None), (1, Some(Some(CloseCode::LoginAgain)))] {
        let mut cluster = three();
        let bob = cluster.user_at(1, "b");
        let link = asking(&mut cluster, &bob);
        cluster.command(Command::Revoke { app_id: &app(), uid: Some(&bob), issued_before });
        cluster.holds_entries = false;
        cluster.end_burst();
        assert_eq!(cluster.closed(link), code);
        assert_eq!(cluster.stats_of_all().sessions, usize::from(code.is_none()));
        log_in_at(&mut cluster, 2, &bob);
    }
}

#[test]
fn logins_that_wait_for_a_home_have_a_bound() {
    let mut config = Config::default();
    config.logins_per_second = 0;
    let mut cluster = Node::cluster(&[1, 1], &config);
    let bob = cluster.user_at(1, "b");
    cluster.holds_entries = true;
    let links: Vec<LinkId> =
        (0..=ASKS_PER_USER_MAX).map(|_| cluster.link_at(0, &[Frame::Login(login(&bob))])).collect();
    cluster.end_burst();
    let (last, waiting) = links.split_last().expect("some");
    assert!(waiting.iter().all(|link| cluster.closed(*link).is_none()));
    assert_eq!(cluster.closed(*last), Some(Some(CloseCode::Busy)));
    cluster.holds_entries = false;
    let frames = cluster.frames_to(waiting[ASKS_PER_USER_MAX - 1]);
    assert!(matches!(frames.last(), Some(Frame::LoginAnswer(LoginAnswer::Accepted(_)))));
    assert_eq!(cluster.stats_of_all().sessions, 1);
}

#[test]
fn status_is_asked_at_the_home_and_answered_by_the_owner() {
    let mut cluster = three();
    let (alice, bob) = (user("alice"), cluster.user_at(1, "b"));
    let (at_alice, at_bob) = (log_in_at(&mut cluster, 0, &alice), log_in_at(&mut cluster, 2, &bob));
    let status = |cluster: &mut Node, query| {
        cluster.say(
            at_alice,
            Frame::StatusQuery { query, uid: Bytes::copy_from_slice(bob.as_str().as_bytes()) },
        );
        cluster.frames_to(at_alice).into_iter().find_map(|frame| match frame {
            Frame::StatusAnswer { query: of, status } if of == query => Some(status),
            _ => None,
        })
    };
    assert_eq!(status(&mut cluster, 1), Some(OnlineStatus::Online));
    cluster.wait(UNREACHABLE_AFTER);
    cluster.say(at_alice, Frame::Ping);
    assert_eq!(status(&mut cluster, 2), Some(OnlineStatus::Unreachable));
    cluster.say(at_bob, Frame::Logout);
    assert_eq!(status(&mut cluster, 3), Some(OnlineStatus::Offline));
}

#[test]
fn used_up_rates_follow_a_user_to_another_node() {
    let mut config = Config::default();
    config.sends_per_second = 2;
    let mut cluster = Node::cluster(&[1, 1, 1], &config);
    let (alice, bob) = (user("alice"), cluster.user_at(1, "b"));
    log_in_at(&mut cluster, 0, &alice);
    let first = log_in_at(&mut cluster, 0, &bob);
    cluster.say(first, message(1, &alice, "m"));
    cluster.say(first, message(2, &alice, "m"));
    cluster.end_burst();
    let second = log_in_at(&mut cluster, 2, &bob);
    cluster.say(second, message(1, &alice, "m"));
    assert!(cluster.frames_to(second).contains(&sent(SendCode::OverRate, &[1])));
    cluster.say(second, Frame::Logout);
    cluster.end_burst();
    let third = log_in_at(&mut cluster, 0, &bob);
    cluster.say(third, message(1, &alice, "m"));
    assert!(cluster.frames_to(third).contains(&sent(SendCode::OverRate, &[1])));
}
