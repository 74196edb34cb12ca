//! What a user does in one node of a cluster does not overtake what it did in another one.

use std::time::Duration;

use rts_proto::server::Config;
use rts_proto::wire::Frame;
use rts_proto::{CloseCode, LinkId, RoomState};

use crate::support::{Node, delivery, join, login, message, without_acks};

/// Everything arrives but what one node sends another one.
pub(crate) fn settle_without(cluster: &mut Node, held: (usize, usize)) {
    cluster.holds_entries = true;
    for _ in 0..50 {
        let nodes = cluster.len();
        (0..nodes).for_each(|node| cluster.tick(node));
        for (from, to) in (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to))) {
            while (from, to) != held && cluster.deliver(from, to) {}
        }
    }
}

pub(crate) fn let_all_arrive(cluster: &mut Node) {
    cluster.holds_entries = false;
    cluster.end_burst();
}

fn is_logged_in(frames: &[Frame]) -> bool {
    frames.iter().any(|frame| matches!(frame, Frame::LoginAnswer(_)))
}

/// Bob is at node 0, and Alice at node 1, which is her home. Bob's home is node 2.
fn begin() -> (Node, LinkId, LinkId) {
    let mut cluster = Node::cluster(&[1, 1, 1], &Config::default());
    let (alice, bob) = (cluster.user_at(1, "alice"), cluster.user_at(2, "bob"));
    let at_alice = cluster.log_in_at(1, login(&alice)).0;
    let at_bob = cluster.log_in_at(0, login(&bob)).0;
    cluster.frames_to(at_alice);
    (cluster, at_alice, at_bob)
}

#[test]
fn login_at_another_node_waits_until_earlier_messages_have_arrived() {
    let (mut cluster, at_alice, at_bob) = begin();
    let (alice, bob) = (cluster.user_at(1, "alice"), cluster.user_at(2, "bob"));
    cluster.holds_entries = true;
    cluster.say(at_bob, message(1, &alice, "first"));
    cluster.tick(0);
    let second = cluster.link_at(2, &[Frame::Login(login(&bob))]);
    settle_without(&mut cluster, (0, 1));
    assert_eq!(cluster.closed(at_bob), Some(Some(CloseCode::Displaced)));
    assert!(!is_logged_in(&cluster.frames_to(second)), "the first message is under way");
    let_all_arrive(&mut cluster);
    assert!(is_logged_in(&cluster.frames_to(second)));
    cluster.say(second, message(1, &alice, "second"));
    cluster.end_burst();
    let heard = without_acks(cluster.frames_to(at_alice));
    assert_eq!(heard, [delivery(&bob, "first"), delivery(&bob, "second")]);
}

#[test]
fn late_join_of_an_earlier_session_does_not_replace_the_next_one() {
    let (mut cluster, at_alice, at_bob) = begin();
    let (bob, room) = (cluster.user_at(2, "bob"), cluster.room_at(1));
    cluster.say(at_alice, join(&room, 1));
    cluster.end_burst();
    cluster.holds_entries = true;
    cluster.say(at_bob, join(&room, 1));
    cluster.tick(0);
    cluster.hang_up(at_bob);
    let second = cluster.link_at(2, &[Frame::Login(login(&bob))]);
    settle_without(&mut cluster, (0, 1));
    let_all_arrive(&mut cluster);
    cluster.say(second, join(&room, 1));
    cluster.end_burst();
    let frames = cluster.frames_to(second);
    let joined =
        |frame: &Frame| matches!(frame, Frame::JoinAnswer { state: RoomState::Joined, .. });
    assert!(frames.iter().any(joined), "{frames:?}");
    let left = |frame: &Frame| matches!(frame, Frame::MemberLeft { .. });
    let heard = cluster.frames_to(at_alice);
    assert!(!heard.iter().any(left), "{heard:?}");
}

#[test]
fn node_that_hangs_is_not_awaited_once_it_is_removed() {
    let (mut cluster, _, at_bob) = begin();
    let (alice, bob) = (cluster.user_at(1, "alice"), cluster.user_at(2, "bob"));
    cluster.holds_entries = true;
    cluster.say(at_bob, message(1, &alice, "lost"));
    cluster.tick(0);
    let second = cluster.link_at(2, &[Frame::Login(login(&bob))]);
    settle_without(&mut cluster, (0, 1));
    assert!(!is_logged_in(&cluster.frames_to(second)));
    cluster.remove_node(1, 7, Duration::ZERO);
    let_all_arrive(&mut cluster);
    assert!(is_logged_in(&cluster.frames_to(second)));
}
