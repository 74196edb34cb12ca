//! Stories of a back end that asks any shard of a cluster, or of a node.

use std::collections::BTreeSet;
use std::time::Duration;

use rts_proto::limits::{BAN_MIN, NOTICE_MEMBERS_MAX, REQUEST_TIMEOUT};
use rts_proto::server::{Ban, CommandError, Config, Request, RequestId, Response};
use rts_proto::wire::{Frame, LoginAnswer};
use rts_proto::{CloseCode, OnlineStatus, Payload, UserId};

use crate::support::{Node, delivery, join, login, user, without_acks};

const TICK: Duration = Duration::from_micros(1);

/// Three nodes of one shard each.
fn three() -> Node {
    Node::cluster(&[1, 1, 1], &Config::default())
}

fn unicast(to: &UserId, text: &str) -> Request {
    Request::unicast(user("backend"), to.clone(), Payload::text(text)).expect("short")
}

#[test]
fn message_reaches_a_user_whose_home_and_session_are_elsewhere() {
    let mut cluster = three();
    let bob = cluster.user_at(1, "b");
    let (link, _) = cluster.log_in_at(2, login(&bob));
    cluster.frames_to(link);
    assert_eq!(cluster.ask(0, unicast(&bob, "hi")), Some(Response::Done(1)));
    assert_eq!(without_acks(cluster.frames_to(link)), [delivery(&user("backend"), "hi")]);
    assert_eq!(cluster.ask(0, unicast(&user("nobody"), "hi")), Some(Response::Done(0)));
}

#[test]
fn several_shards_of_a_node_answer_too() {
    let mut node = Node::new(3, &Config::default());
    let bob = node.user_at(1, "b");
    node.enter(&bob);
    for shard in 0..3 {
        assert_eq!(node.ask(shard, unicast(&bob, "hi")), Some(Response::Done(1)));
        let status = node.ask(shard, Request::Status { uid: bob.clone() });
        assert_eq!(status, Some(Response::Status(OnlineStatus::Online)));
    }
}

#[test]
fn user_is_put_out_wherever_its_session_is() {
    let mut cluster = three();
    let bob = cluster.user_at(1, "b");
    let (link, _) = cluster.log_in_at(2, login(&bob));
    assert_eq!(cluster.ask(0, Request::PutOut { uid: bob.clone() }), Some(Response::Done(1)));
    assert_eq!(cluster.closed(link), Some(Some(CloseCode::PutOut)));
    assert_eq!(cluster.ask(0, Request::PutOut { uid: bob }), Some(Response::Done(0)));
}

#[test]
fn ban_of_which_a_shard_is_told_lasts_for_the_time_that_is_left() {
    let ban = Ban::User(user("b"));
    for (is_told, lasts) in [(false, BAN_MIN), (true, TICK)] {
        let mut cluster = three();
        let request = Request::Ban { ban: ban.clone(), interval: TICK };
        if is_told {
            cluster.tell(0, 1, request);
        } else {
            cluster.ask(0, request);
        }
        let bans = |cluster: &mut Node| match cluster.ask(1, Request::Stats) {
            Some(Response::Stats(stats)) => stats.bans,
            other => panic!("{other:?}"),
        };
        cluster.wait(lasts - TICK);
        assert_eq!(bans(&mut cluster), 1, "told: {is_told}");
        cluster.wait(TICK);
        assert_eq!(bans(&mut cluster), 0, "told: {is_told}");
    }
}

/// What others tell a node that joins was on its way when a back end lifted the ban.
#[test]
fn ban_that_is_lifted_at_a_node_that_joins_stays_lifted() {
    for is_lifted in [true, false] {
        let mut cluster = three();
        let bob = user("bob");
        cluster.holds_entries = true;
        cluster.add_node(1);
        if is_lifted {
            cluster.ask(3, Request::Unban { ban: Ban::Login(bob.clone()) });
        }
        let ban = Request::Ban { ban: Ban::Login(bob.clone()), interval: BAN_MIN };
        cluster.tell(0, 3, ban);
        cluster.holds_entries = false;
        cluster.end_burst();
        let link = cluster.link_at(3, &[Frame::Login(login(&bob))]);
        let frames = cluster.frames_to(link);
        let is_in = matches!(frames[..], [_, Frame::LoginAnswer(LoginAnswer::Accepted(_)), ..]);
        assert_eq!(is_in, is_lifted, "{frames:?}");
    }
}

#[test]
fn rate_of_an_app_is_one_in_the_cluster() {
    let mut config = Config::default();
    config.backend_sends_per_second = 1;
    let mut cluster = Node::cluster(&[1, 1, 1], &config);
    let burst = 600;
    for number in 0..burst {
        let response = cluster.ask(number % 3, unicast(&user("nobody"), "hi"));
        assert_eq!(response, Some(Response::Done(0)), "message {number}");
    }
    for shard in 0..3 {
        let refused = Response::Refused(CommandError::OverAppRate { per_second: 1 });
        assert_eq!(cluster.ask(shard, unicast(&user("nobody"), "hi")), Some(refused));
    }
}

#[test]
fn long_list_of_members_comes_whole() {
    let mut cluster = three();
    let room = cluster.room_at(1);
    let members: BTreeSet<UserId> =
        (0..=NOTICE_MEMBERS_MAX).map(|number| user(&format!("u{number}"))).collect();
    for (number, uid) in members.iter().enumerate() {
        let (link, _) = cluster.log_in_at(number % 3, login(uid));
        cluster.say(link, join(&room, 1));
    }
    cluster.end_burst();
    let response = cluster.ask(0, Request::Members { room });
    let Some(Response::Members(Some(listed))) = response else { panic!("{response:?}") };
    assert!(listed.iter().eq(&members), "{} members", listed.len());
}

#[test]
fn request_to_a_node_that_does_not_answer_has_a_response_in_time() {
    let mut cluster = three();
    let bob = cluster.user_at(1, "b");
    cluster.holds_entries = true;
    assert_eq!(cluster.ask(0, unicast(&bob, "hi")), None);
    let first = RequestId(1);
    cluster.wait(REQUEST_TIMEOUT - TICK);
    assert_eq!(cluster.response(0, first), None);
    cluster.wait(TICK);
    assert_eq!(cluster.response(0, first), Some(Response::Unanswered));
    // An answer that is late is no second response.
    cluster.holds_entries = false;
    cluster.end_burst();
    assert_eq!(cluster.response(0, first), None);
}

#[test]
fn request_waits_while_the_owner_of_its_user_changes() {
    let mut cluster = three();
    let bob = cluster.user_at(1, "b");
    let (first, _) = cluster.log_in_at(0, login(&bob));
    cluster.holds_entries = true;
    let second = cluster.link_at(2, &[Frame::Login(login(&bob))]);
    cluster.tick(2);
    assert!(cluster.deliver(2, 1), "it asks the home, which revokes the user");
    cluster.tick(1);
    assert_eq!(cluster.ask(1, unicast(&bob, "hi")), None);
    cluster.holds_entries = false;
    cluster.end_burst();
    assert_eq!(cluster.response(1, RequestId(1)), Some(Response::Done(1)));
    assert_eq!(cluster.closed(first), Some(Some(CloseCode::Displaced)));
    let frames = without_acks(cluster.frames_to(second));
    assert_eq!(frames.last(), Some(&delivery(&user("backend"), "hi")), "{frames:?}");
}
