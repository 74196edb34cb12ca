use alloc::format;
use core::time::Duration;

use bytes::Bytes;

use super::*;
use crate::server::deadlines::Timer;
use crate::server::placement::Placement;
use crate::server::testing::{
    app_id, before, begin_linked_session, begin_session_of, flushed_to, login, other_app_id,
    outputs, pass_time, sent_to, shared,
};
use crate::wire::Login;
use crate::{Instant, ServerParams};

fn in_force() -> ServerParams {
    ServerParams::new(b"s", b"https://example.com/").expect("good params")
}

fn begun() -> (Posts, Shared, SessionNumber) {
    let mut shared = shared();
    let alice = begin_linked_session(&mut shared, "alice");
    (Posts::default(), shared, alice)
}

fn add(posts: &mut Posts, shared: &mut Shared, number: SessionNumber, id: u64) -> bool {
    posts.add(shared, number, Params::Known(in_force()), MessageId(id), &Payload::text("hi"))
}

/// The posts that the driver has to make.
fn begun_posts(shared: &mut Shared) -> Vec<(CallId, MessageId)> {
    let begun = |output| match output {
        Output::PostToAppServer(call, post) => Some((call, post.id)),
        _ => None,
    };
    outputs(shared).into_iter().filter_map(begun).collect()
}

fn result(id: u64, code: SendCode, reply: Reply) -> Frame {
    Frame::ServerSendResult { id: MessageId(id), code, reply }
}

/// Handles the next deadline of a post, and returns its moment.
fn come_due(posts: &mut Posts, shared: &mut Shared) -> Option<Instant> {
    let (at, timer) = shared.deadlines.next_timer()?;
    assert_eq!(timer, Timer::Post);
    pass_time(shared, at);
    let (_, Due::Post(call)) = shared.deadlines.pop_due(at)? else { return None };
    posts.has_come_due(shared, call);
    Some(at)
}

#[test]
fn post_over_the_users_bound_waits_for_one_to_end() {
    let (mut posts, mut shared, alice) = begun();
    let most = POSTS_PER_USER_MAX as u64;
    assert!((1..=most + 2).all(|id| add(&mut posts, &mut shared, alice, id)));
    let begun = begun_posts(&mut shared);
    let ids: Vec<_> = begun.iter().map(|(_, id)| id.0).collect();
    assert_eq!(ids, (1..=most).collect::<Vec<_>>());
    assert_eq!((posts.len(), posts.under_way()), (POSTS_PER_USER_MAX + 2, POSTS_PER_USER_MAX));
    posts.progressed(&mut shared, begun[1].0, PostProgress::AnsweredBadly);
    assert!(matches!(begun_posts(&mut shared)[..], [(_, MessageId(id))] if id == most + 1));
}

#[test]
fn each_app_has_its_own_bound_of_posts_under_way() {
    let (mut posts, mut shared, _) = begun();
    for user in 0..POSTS_PER_APP_MAX {
        let number = begin_linked_session(&mut shared, &format!("u{user}"));
        assert!(add(&mut posts, &mut shared, number, 1));
    }
    assert_eq!(begun_posts(&mut shared).len(), POSTS_PER_APP_MAX);
    let bob = begin_linked_session(&mut shared, "bob");
    assert!(add(&mut posts, &mut shared, bob, 1));
    assert!(begun_posts(&mut shared).is_empty());
    let other = begin_session_of(&mut shared, Login { app_id: other_app_id(), ..login("bob") });
    assert!(add(&mut posts, &mut shared, other, 1));
    assert_eq!(begun_posts(&mut shared).len(), 1);
}

#[test]
fn message_over_the_apps_bound_of_waiting_ones_is_refused() {
    let (mut posts, mut shared, alice) = begun();
    let mut add = |posts: &mut Posts, id| {
        let params = Params::Asked { ticket: 1 };
        posts.add(&mut shared, alice, params, MessageId(id), &Payload::text("hi"))
    };
    assert!((1..=POSTS_WAITING_MAX as u64).all(|id| add(&mut posts, id)));
    assert!(!add(&mut posts, 1_000));
    assert_eq!((posts.len(), posts.under_way()), (POSTS_WAITING_MAX, 0));
}

/// The bounds of an app are divided among the shards of a node, and no part is very small.
#[test]
fn shard_has_its_part_of_an_apps_bounds() {
    for (shards, under_way, waiting) in [(1, 64, 256), (3, 22, 86), (8, 8, 64), (64, 8, 64)] {
        let (mut posts, mut shared, _) = begun();
        shared.config.placement = Placement::of_node(shards, 1).next().expect("a first one");
        let accepted = (0..).take_while(|user| {
            let number = begin_linked_session(&mut shared, &format!("u{user}"));
            add(&mut posts, &mut shared, number, 1)
        });
        assert_eq!(accepted.count(), under_way + waiting, "of {shards} shards");
        assert_eq!(posts.under_way(), under_way, "of {shards} shards");
    }
}

#[test]
fn a_post_begins_only_with_room_for_its_reply() {
    for (unread, begins) in [
        (WINDOW_BYTES_MAX - FRAME_BYTES_MAX, true),
        (WINDOW_BYTES_MAX - FRAME_BYTES_MAX + 1, false),
    ] {
        let (mut posts, mut shared, alice) = begun();
        shared.push_or_end(alice, Bytes::from(alloc::vec![0; unread]));
        assert!(add(&mut posts, &mut shared, alice, 1));
        assert_eq!(!begun_posts(&mut shared).is_empty(), begins);
    }
}

#[test]
fn accepts_longest_reply_and_refuses_one_byte_more() {
    let longest = Reply::new(alloc::vec![1; REPLY_BYTES_MAX]);
    let too_long = Reply::new(alloc::vec![1; REPLY_BYTES_MAX + 1]);
    for (reply, code, shown) in [
        (longest.clone(), SendCode::Ok, longest),
        (too_long, SendCode::ServerBadAnswer, Reply::default()),
    ] {
        let (mut posts, mut shared, alice) = begun();
        assert!(add(&mut posts, &mut shared, alice, 1));
        let call = begun_posts(&mut shared)[0].0;
        posts.progressed(&mut shared, call, PostProgress::Answered(reply));
        assert_eq!(flushed_to(&mut shared, alice), [result(1, code, shown)]);
        assert_eq!((posts.len(), posts.bytes(), posts.app_ids().count()), (0, 0, 0));
        // A call has one result only.
        posts.progressed(&mut shared, call, PostProgress::NotReached);
        assert!(flushed_to(&mut shared, alice).is_empty());
    }
}

#[test]
fn slow_post_is_abandoned_with_a_result_for_its_progress() {
    for (begins, code) in [(false, SendCode::ServerNotReached), (true, SendCode::ServerBadAnswer)] {
        let (mut posts, mut shared, alice) = begun();
        assert!(add(&mut posts, &mut shared, alice, 1));
        let call = begun_posts(&mut shared)[0].0;
        if begins {
            posts.progressed(&mut shared, call, PostProgress::Begun);
        }
        let end = shared.now() + shared.config.post_timeout;
        assert_eq!(come_due(&mut posts, &mut shared), Some(end));
        assert_eq!(outputs(&mut shared), [Output::AbandonPost(call)]);
        assert_eq!(flushed_to(&mut shared, alice), [result(1, code, Reply::default())]);
    }
}

#[test]
fn post_time_does_not_depend_on_the_wait_before_it() {
    for wait_s in [1, 5, 9] {
        let (mut posts, mut shared, alice) = begun();
        let timeout = Duration::from_secs(5);
        (shared.config.post_wait, shared.config.post_timeout) =
            (Duration::from_secs(wait_s), timeout);
        let end = shared.now() + timeout;
        assert!(add(&mut posts, &mut shared, alice, 1));
        let call = begun_posts(&mut shared)[0].0;
        assert_eq!(come_due(&mut posts, &mut shared), Some(end), "{wait_s} s");
        assert_eq!(outputs(&mut shared), [Output::AbandonPost(call)]);
    }
}

#[test]
fn message_that_waits_too_long_fails_without_abandon() {
    let (mut posts, mut shared, alice) = begun();
    let asked = Params::Asked { ticket: 1 };
    assert!(posts.add(&mut shared, alice, asked, MessageId(1), &Payload::text("hi")));
    let end = shared.now() + shared.config.post_wait;
    assert_eq!(shared.deadlines.pop_due(before(end)), None);
    assert_eq!(come_due(&mut posts, &mut shared), Some(end));
    let expected = [result(1, SendCode::ServerNotReached, Reply::default())];
    assert_eq!(flushed_to(&mut shared, alice), expected);
    assert_eq!(posts.app_ids().count(), 0);
}

#[test]
fn messages_wait_for_their_own_params_only() {
    let (mut posts, mut shared, alice) = begun();
    for (id, ticket) in [(1, 7), (2, 8)] {
        let asked = Params::Asked { ticket };
        assert!(posts.add(&mut shared, alice, asked, MessageId(id), &Payload::text("hi")));
    }
    posts.decided(&mut shared, Decided { session: alice, ticket: 7, in_force: None });
    let refused = [result(1, SendCode::NoServerParams, Reply::default())];
    assert_eq!(flushed_to(&mut shared, alice), refused);
    let in_force = Some(in_force());
    posts.decided(&mut shared, Decided { session: alice, ticket: 8, in_force });
    assert!(matches!(begun_posts(&mut shared)[..], [(_, MessageId(2))]));
}

#[test]
fn ended_session_drops_waiting_messages_and_later_results() {
    let (mut posts, mut shared, alice) = begun();
    let most = POSTS_PER_USER_MAX as u64;
    assert!((1..=most + 1).all(|id| add(&mut posts, &mut shared, alice, id)));
    let begun = begun_posts(&mut shared);
    posts.forget(&mut shared, &app_id(), alice);
    assert_eq!((posts.len(), posts.under_way()), (POSTS_PER_USER_MAX, POSTS_PER_USER_MAX));
    for (call, _) in begun {
        posts.progressed(&mut shared, call, PostProgress::NotReached);
    }
    assert!(sent_to(&mut shared, alice).is_empty());
    assert_eq!((posts.len(), posts.app_ids().count()), (0, 0));
}
