//! What the home of a room calls done reaches the members at other nodes, also if its node crashes.

use std::time::Duration;

use rts_proto::server::{Config, Request, RequestId, Response};
use rts_proto::wire::Frame;
use rts_proto::{BroadcastCode, LinkId, MessageId, RoomId};

use crate::fences::{let_all_arrive, settle_without};
use crate::support::{Node, broadcast, join, leave, login, room_delivery, user, without_acks};

fn ok(room: &RoomId, id: u64) -> Frame {
    let (room, ids) = (room.clone(), vec![MessageId(id)]);
    Frame::BroadcastResults { room, code: BroadcastCode::Ok, ids }
}

/// Three nodes, and a room whose home is this one. Alice is at node 0, and Bob at node 2.
fn begin(home: usize) -> (Node, RoomId, LinkId, LinkId) {
    let mut cluster = Node::cluster(&[1, 1, 1], &Config::default());
    let room = cluster.room_at(home);
    let at_alice = cluster.log_in_at(0, login(&user("alice"))).0;
    let at_bob = cluster.log_in_at(2, login(&user("bob"))).0;
    for link in [at_alice, at_bob] {
        cluster.say(link, join(&room, 1));
        cluster.end_burst();
    }
    cluster.frames_to(at_alice);
    cluster.frames_to(at_bob);
    cluster.holds_entries = true;
    (cluster, room, at_alice, at_bob)
}

#[test]
fn result_of_a_broadcast_waits_until_the_other_nodes_have_it() {
    for home in [0, 1] {
        let (mut cluster, room, at_alice, at_bob) = begin(home);
        cluster.say(at_alice, broadcast(&room, 1, "hello"));
        settle_without(&mut cluster, (home, 2));
        assert_eq!(without_acks(cluster.frames_to(at_alice)), [], "Bob does not have it");
        let_all_arrive(&mut cluster);
        assert_eq!(without_acks(cluster.frames_to(at_alice)), [ok(&room, 1)]);
        let hello = room_delivery(&user("alice"), &room, "hello");
        assert_eq!(without_acks(cluster.frames_to(at_bob)), [hello]);
    }
}

#[test]
fn broadcast_that_is_under_way_when_its_home_crashes_has_no_result() {
    let (mut cluster, room, at_alice, at_bob) = begin(1);
    cluster.say(at_alice, broadcast(&room, 1, "lost"));
    settle_without(&mut cluster, (1, 2));
    cluster.remove_node(1, 7, Duration::ZERO);
    let_all_arrive(&mut cluster);
    assert_eq!(without_acks(cluster.frames_to(at_alice)), []);
    assert_eq!(without_acks(cluster.frames_to(at_bob)), []);
}

#[test]
fn result_does_not_wait_for_nodes_without_members() {
    let (mut cluster, room, at_alice, at_bob) = begin(0);
    cluster.say(at_bob, leave(&room, 2));
    let_all_arrive(&mut cluster);
    cluster.frames_to(at_alice);
    cluster.holds_entries = true;
    cluster.say(at_alice, broadcast(&room, 1, "alone"));
    assert_eq!(without_acks(cluster.frames_to(at_alice)), [ok(&room, 1)]);
}

#[test]
fn result_does_not_wait_for_a_node_that_is_removed() {
    let (mut cluster, room, at_alice, _) = begin(0);
    cluster.say(at_alice, broadcast(&room, 1, "hello"));
    settle_without(&mut cluster, (0, 2));
    cluster.remove_node(2, 7, Duration::ZERO);
    let_all_arrive(&mut cluster);
    assert_eq!(without_acks(cluster.frames_to(at_alice))[..1], [ok(&room, 1)]);
}

/// §6.4.
#[test]
fn answer_to_a_leave_follows_the_results() {
    for home in [0, 1] {
        let (mut cluster, room, at_alice, _) = begin(home);
        cluster.say(at_alice, broadcast(&room, 1, "last words"));
        cluster.say(at_alice, leave(&room, 2));
        settle_without(&mut cluster, (home, 2));
        assert_eq!(without_acks(cluster.frames_to(at_alice)), []);
        let_all_arrive(&mut cluster);
        let left = Frame::LeaveAnswer { ticket: 2 };
        assert_eq!(without_acks(cluster.frames_to(at_alice)), [ok(&room, 1), left]);
    }
}

/// §6.4.
#[test]
fn answer_of_the_next_home_to_a_leave_follows_the_results_of_the_former_one() {
    let (mut cluster, room, at_alice, _) = begin(1);
    cluster.say(at_alice, broadcast(&room, 1, "last words"));
    cluster.move_homes_to(0);
    // Node 2 hands over before the broadcast comes to it.
    settle_without(&mut cluster, (0, 1));
    cluster.say(at_alice, leave(&room, 2));
    settle_without(&mut cluster, (2, 1));
    assert_eq!(without_acks(cluster.frames_to(at_alice)), []);
    let_all_arrive(&mut cluster);
    let left = Frame::LeaveAnswer { ticket: 2 };
    assert_eq!(without_acks(cluster.frames_to(at_alice)), [ok(&room, 1), left]);
}

#[test]
fn response_to_a_back_end_waits_until_the_other_nodes_have_it() {
    let (mut cluster, room, _, at_bob) = begin(0);
    let kick = Request::Kick { room: room.clone(), uid: user("bob") };
    assert_eq!(cluster.ask(0, kick), None);
    settle_without(&mut cluster, (0, 2));
    let first = RequestId(1);
    assert_eq!(cluster.response(0, first), None);
    let_all_arrive(&mut cluster);
    assert_eq!(cluster.response(0, first), Some(Response::Done(1)));
    let frames = without_acks(cluster.frames_to(at_bob));
    assert!(matches!(frames[..], [Frame::RoomNotice { .. }]), "{frames:?}");
}
