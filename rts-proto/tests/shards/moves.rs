//! Stories of a cluster whose homes move, because nodes come and go.

use std::time::Duration;

use rts_proto::limits::SESSION_GRACE;
use rts_proto::server::{Ban, Config, Request};
use rts_proto::wire::{Frame, Login};
use rts_proto::{CloseCode, LeaveReason, LinkId, MessageId, RoomState, SendCode, UserId};

use crate::support::{
    Node, broadcast, delivery, join, login, message, room_delivery, user, without_acks,
};

/// Three nodes of one shard each.
fn three() -> Node {
    Node::cluster(&[1, 1, 1], &Config::default())
}

fn log_in_at(cluster: &mut Node, shard: usize, uid: &UserId) -> LinkId {
    let (link, _) = cluster.log_in_at(shard, login(uid));
    cluster.frames_to(link);
    link
}

fn ok(id: u64) -> Frame {
    Frame::SendResults { code: SendCode::Ok, ids: vec![MessageId(id)] }
}

#[test]
fn what_waits_for_a_user_moves_with_its_home() {
    let mut cluster = three();
    let (alice, bob) = (cluster.user_at(0, "a"), cluster.user_at(1, "b"));
    let (at_alice, first) = (log_in_at(&mut cluster, 0, &alice), log_in_at(&mut cluster, 0, &bob));
    cluster.holds_entries = true;
    let second = cluster.link_at(2, &[Frame::Login(login(&bob))]);
    cluster.tick(2);
    assert!(cluster.deliver(2, 1), "it asks the home");
    cluster.tick(1);
    cluster.say(at_alice, message(1, &bob, "waits at the home"));
    cluster.tick(0);
    assert!(cluster.deliver(0, 1));
    cluster.move_homes_to(2);
    cluster.say(at_alice, message(2, &bob, "waits at the next one"));
    cluster.tick(0);
    cluster.holds_entries = false;
    let frames = without_acks(cluster.frames_to(second));
    let both = ["waits at the home", "waits at the next one"].map(|text| delivery(&alice, text));
    assert!(frames.ends_with(&both), "{frames:?}");
    assert_eq!(cluster.closed(first), Some(Some(CloseCode::Displaced)));
}

#[test]
fn broadcasts_to_a_room_stay_in_order_while_its_home_moves() {
    let mut cluster = three();
    let (alice, bob, room) = (user("alice"), user("bob"), cluster.room_at(1));
    let (at_alice, at_bob) = (log_in_at(&mut cluster, 0, &alice), log_in_at(&mut cluster, 2, &bob));
    for link in [at_alice, at_bob] {
        cluster.say(link, join(&room, 1));
        cluster.frames_to(link);
    }
    cluster.holds_entries = true;
    cluster.say(at_alice, broadcast(&room, 1, "by the former home"));
    cluster.tick(0);
    cluster.move_homes_to(0);
    cluster.say(at_alice, broadcast(&room, 2, "by the next one"));
    cluster.tick(0);
    cluster.holds_entries = false;
    let both = ["by the former home", "by the next one"];
    let expected = both.map(|text| room_delivery(&alice, &room, text));
    assert_eq!(without_acks(cluster.frames_to(at_bob)), expected);
}

#[test]
fn user_whose_home_crashes_stays_online_and_is_displaced_as_before() {
    let mut cluster = three();
    let (alice, bob) = (user("alice"), cluster.user_at(1, "b"));
    let (at_alice, first) = (log_in_at(&mut cluster, 0, &alice), log_in_at(&mut cluster, 2, &bob));
    cluster.remove_node(1, 7, Duration::ZERO);
    cluster.say(at_alice, message(1, &bob, "still there?"));
    assert_eq!(without_acks(cluster.frames_to(first)), [delivery(&alice, "still there?")]);
    cluster.say(first, Frame::Ack { received: 1 });
    assert_eq!(without_acks(cluster.frames_to(at_alice)), [ok(1)]);
    log_in_at(&mut cluster, 0, &bob);
    assert_eq!(cluster.closed(first), Some(Some(CloseCode::Displaced)));
    assert_eq!(cluster.stats_of_all().sessions, 2);
}

#[test]
fn login_that_asks_a_home_which_crashes_asks_the_next_one() {
    let mut cluster = three();
    let bob = cluster.user_at(1, "b");
    cluster.holds_entries = true;
    let link = cluster.link_at(0, &[Frame::Login(login(&bob))]);
    cluster.tick(0);
    cluster.remove_node(1, 7, Duration::ZERO);
    cluster.holds_entries = false;
    let frames = cluster.frames_to(link);
    assert!(matches!(frames.last(), Some(Frame::LoginAnswer(_))), "{frames:?}");
    assert_eq!(cluster.stats_of_all().sessions, 1);
}

#[test]
fn members_of_a_room_whose_home_crashes_notice_nothing() {
    let mut cluster = three();
    let (alice, bob, room) = (user("alice"), user("bob"), cluster.room_at(1));
    let (at_alice, at_bob) = (log_in_at(&mut cluster, 0, &alice), log_in_at(&mut cluster, 2, &bob));
    for link in [at_alice, at_bob] {
        cluster.say(link, join(&room, 1));
    }
    cluster.frames_to(at_alice);
    cluster.frames_to(at_bob);
    cluster.remove_node(1, 7, Duration::ZERO);
    cluster.say(at_alice, broadcast(&room, 1, "all here?"));
    let seen = without_acks(cluster.frames_to(at_bob));
    assert_eq!(seen, [room_delivery(&alice, &room, "all here?")]);
    assert_eq!(cluster.members_of_all(&room), Some(vec![alice, bob]));
}

#[test]
fn member_whose_node_crashes_may_come_back_within_the_grace() {
    for comes_back in [true, false] {
        let mut cluster = three();
        let (alice, bob, room) = (user("alice"), user("bob"), cluster.room_at(1));
        let at_alice = log_in_at(&mut cluster, 0, &alice);
        let (at_bob, had) = cluster.log_in_at(2, login(&bob));
        for link in [at_alice, at_bob] {
            cluster.say(link, join(&room, 1));
            cluster.end_burst();
        }
        cluster.frames_to(at_alice);
        cluster.remove_node(2, 7, Duration::ZERO);
        assert_eq!(cluster.closed(at_bob), Some(None));
        let mut links = vec![at_alice];
        if comes_back {
            let again = Login { claim: had.claim, ..login(&bob) };
            let (second, _) = cluster.log_in_at(0, again);
            cluster.say(second, join(&room, 2));
            links.push(second);
        }
        cluster.wait(SESSION_GRACE / 2);
        for link in links {
            cluster.say(link, Frame::Ping);
        }
        cluster.wait(SESSION_GRACE / 2);
        let left = Frame::MemberLeft { room, uid: bob, reason: LeaveReason::Dropped };
        assert_eq!(cluster.frames_to(at_alice).contains(&left), !comes_back);
    }
}

/// All that is under way arrives, except from one node at another. What it leads to is under way
/// then.
fn deliver_round(cluster: &mut Node, except: Option<(usize, usize)>) {
    let pairs = (0..3).flat_map(|from| (0..3).map(move |to| (from, to)));
    for (from, to) in pairs.filter(|pair| Some(*pair) != except) {
        while cluster.deliver(from, to) {}
    }
    send_all(cluster);
}

fn send_all(cluster: &mut Node) {
    (0..3).for_each(|node| cluster.tick(node));
}

#[test]
fn user_stays_owned_if_only_one_shard_knew_of_the_last_step_of_a_node_that_crashed() {
    let mut cluster = three();
    let alice = cluster.user_at(1, "a");
    let first = log_in_at(&mut cluster, 0, &alice);
    cluster.holds_entries = true;
    cluster.move_homes_to(2);
    send_all(&mut cluster);
    for _step in ["switched", "handed over"] {
        deliver_round(&mut cluster, None);
    }
    // Node 2 does not hear that node 1 has settled. Node 0 does.
    deliver_round(&mut cluster, Some((1, 2)));
    cluster.remove_node(1, 7, Duration::ZERO);
    cluster.holds_entries = false;
    let second = log_in_at(&mut cluster, 1, &alice);
    assert_eq!(cluster.closed(first), Some(Some(CloseCode::Displaced)));
    assert_eq!((cluster.closed(second), cluster.stats_of_all().sessions), (None, 1));
}

#[test]
fn login_whose_grant_is_lost_with_a_former_home_is_granted_by_the_next_one() {
    let mut cluster = three();
    let alice = cluster.user_at(1, "a");
    cluster.holds_entries = true;
    let link = cluster.link_at(0, &[Frame::Login(login(&alice))]);
    cluster.tick(0);
    cluster.move_homes_to(2);
    send_all(&mut cluster);
    // Node 1 grants the user to node 0, hands that over to node 2, and crashes.
    for _step in ["switched", "handed over"] {
        deliver_round(&mut cluster, Some((1, 0)));
    }
    cluster.remove_node(1, 7, Duration::ZERO);
    cluster.holds_entries = false;
    let frames = cluster.frames_to(link);
    assert!(matches!(frames.last(), Some(Frame::LoginAnswer(_))), "{frames:?}");
    assert_eq!(cluster.stats_of_all().sessions, 1);
}

#[test]
fn session_whose_join_is_lost_with_a_home_logs_in_again() {
    let mut cluster = three();
    let (alice, room) = (user("alice"), cluster.room_at(1));
    let link = log_in_at(&mut cluster, 0, &alice);
    cluster.holds_entries = true;
    cluster.say(link, join(&room, 1));
    cluster.tick(0);
    cluster.remove_node(1, 7, Duration::ZERO);
    cluster.holds_entries = false;
    cluster.end_burst();
    assert_eq!(cluster.closed(link), Some(Some(CloseCode::LoginAgain)));
}

#[test]
fn names_of_a_removed_node_wait_until_it_cannot_act_any_more() {
    let mut cluster = three();
    let (alice, bob) = (user("alice"), cluster.user_at(1, "b"));
    let (at_alice, at_bob) = (log_in_at(&mut cluster, 0, &alice), log_in_at(&mut cluster, 2, &bob));
    let lease = Duration::from_secs(5);
    cluster.remove_node(1, 7, lease);
    cluster.say(at_alice, message(1, &bob, "later"));
    cluster.wait(lease - Duration::from_micros(1));
    assert_eq!(without_acks(cluster.frames_to(at_bob)), []);
    cluster.wait(Duration::from_micros(1));
    assert_eq!(without_acks(cluster.frames_to(at_bob)), [delivery(&alice, "later")]);
}

#[test]
fn login_whose_grant_is_lost_is_granted_though_the_next_home_knew_of_it() {
    let mut cluster = three();
    let alice = cluster.user_at(1, "a");
    (cluster.holds_entries, cluster.holds_homes) = (true, true);
    let link = cluster.link_at(0, &[Frame::Login(login(&alice))]);
    cluster.tick(0);
    cluster.move_homes_to(2);
    cluster.give_all_homes();
    send_all(&mut cluster);
    // Node 1 has switched when the question comes. Its grant stays under way, with all behind it.
    assert!(cluster.deliver(0, 1), "it asks the home");
    cluster.tick(1);
    assert!(cluster.deliver(1, 0), "that it has switched");
    for _step in ["switched", "handed over", "settled"] {
        deliver_round(&mut cluster, Some((1, 0)));
    }
    // Node 1 crashes. Node 0 learns it first, and is in the next change when node 2 hears of it.
    cluster.remove_node(1, 7, Duration::ZERO);
    cluster.give_homes(0);
    cluster.tick(0);
    while cluster.deliver(0, 1) {}
    cluster.give_all_homes();
    cluster.holds_entries = false;
    let frames = cluster.frames_to(link);
    assert!(matches!(frames.last(), Some(Frame::LoginAnswer(_))), "{frames:?}");
    assert_eq!(cluster.stats_of_all().sessions, 1);
}

#[test]
fn member_that_is_banned_while_its_room_moves_is_removed() {
    let mut cluster = three();
    let (alice, room) = (user("alice"), cluster.room_at(1));
    let link = log_in_at(&mut cluster, 0, &alice);
    cluster.say(link, join(&room, 1));
    cluster.frames_to(link);
    cluster.holds_entries = true;
    cluster.move_homes_to(2);
    send_all(&mut cluster);
    deliver_round(&mut cluster, None);
    // Node 1 has handed the room over. Node 2 does not know it yet.
    let ban = Request::Ban { ban: Ban::Room(room.clone()), interval: Duration::from_secs(60) };
    cluster.ask(0, ban);
    for to in [1, 2] {
        while cluster.deliver(0, to) {}
    }
    cluster.holds_entries = false;
    cluster.end_burst();
    assert_eq!(cluster.members_of_all(&room), None);
    let kicked = Frame::RoomNotice { room, state: RoomState::Kicked };
    assert!(cluster.frames_to(link).contains(&kicked));
}
