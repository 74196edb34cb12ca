//! Messages to the app server: posts and replies.

use std::time::Duration;

use rts_proto::Payload;
use rts_proto::client::Event;
use rts_testkit::{APP_SERVER_URL, Manner, World};
use rts_tests::without_rates;

use super::seconds;

const ALICE: usize = 0;

/// The numbers of §8.1 and §8.2.
const POST_TIMEOUT: Duration = Duration::from_secs(5);
const POSTS_PER_USER_MAX: usize = 4;

/// Alice, with params in force.
pub(super) fn one() -> World {
    let mut world = World::new(without_rates(), 2, 1);
    world.log_in(ALICE, "alice");
    world.set_server_params(ALICE);
    world
}

pub(super) fn codes(world: &World) -> Vec<u32> {
    world.server_results(ALICE).into_iter().map(|(_, code, _)| code).collect()
}

#[test]
fn message_is_posted_with_signature_and_reply_arrives() {
    let mut world = one();
    assert_eq!(world.send_to_server(ALICE, "hello"), 1);
    let payload = Payload::binary(vec![0, 255]);
    let id = world.call(ALICE, |engine, now| engine.send_server_message(now, payload.clone()));
    assert_eq!(id.expect("accepted").0, 2);
    world.run_for(seconds(1));
    assert_eq!(world.server_results(ALICE), [(1, 0, 5), (2, 0, 2)]);
    let [first, second] = world.app_server.posts.as_slice() else { panic!("two posts") };
    assert_eq!((first.uid.as_str(), first.id.0), ("alice", 1));
    assert_eq!(first.params.signature(), "signature");
    assert_eq!((&first.payload, &second.payload), (&Payload::text("hello"), &payload));
}

#[test]
fn user_and_server_messages_share_one_id_sequence() {
    let mut world = one();
    assert_eq!(world.send(ALICE, "bob", "x"), 1);
    assert_eq!(world.send_to_server(ALICE, "x"), 2);
    assert_eq!(world.send(ALICE, "bob", "x"), 3);
}

#[test]
fn no_post_without_login_or_params() {
    let mut world = World::new(without_rates(), 1, 1);
    world.send_to_server(ALICE, "too early");
    world.call(ALICE, |engine, now| engine.set_server_params(now, "s", APP_SERVER_URL));
    assert_eq!((codes(&world), world.params_results(ALICE)), (vec![105], vec![105]));
    let token = world.token("alice");
    world.call(ALICE, |engine, now| engine.login(now, &token, "alice")).expect("login");
    world.send_to_server(ALICE, "still too early");
    world.run_for(seconds(1));
    world.send_to_server(ALICE, "no params");
    world.call(ALICE, |engine, now| {
        engine.send_server_message(now, Payload::binary(vec![0; 65_537])).expect("accepted");
    });
    world.run_for(seconds(1));
    assert_eq!(codes(&world), [105, 101, 106, 103]);
    assert_eq!(world.app_server.posts, []);
}

#[test]
fn bad_answer_and_unreachable_server_differ() {
    let mut world = one();
    for (manner, code) in [(Manner::Fails, 18), (Manner::IsAway, 17), (Manner::Echoes, 0)] {
        world.app_server.manner = manner;
        world.send_to_server(ALICE, "x");
        world.run_for(seconds(1));
        assert_eq!(codes(&world).pop(), Some(code), "{manner:?}");
    }
}

#[test]
fn post_timeout_is_17_when_silent_and_18_when_endless() {
    for (manner, code) in [(Manner::IsSilent, 17), (Manner::Drips, 18)] {
        let mut world = one();
        world.app_server.manner = manner;
        world.send_to_server(ALICE, "x");
        world.run_for(POST_TIMEOUT);
        assert_eq!(codes(&world), [0; 0], "{manner:?}");
        world.run_for(Duration::from_millis(50));
        assert_eq!(codes(&world), [code], "{manner:?}");
        assert_eq!(world.app_server.abandoned.len(), 1, "the driver is asked to stop");
        assert_eq!(world.stats().posts_under_way, 0);
    }
}

#[test]
fn logout_ends_open_posts_with_timeout() {
    let mut world = one();
    world.app_server.manner = Manner::IsSilent;
    for _ in 0..10 {
        world.send_to_server(ALICE, "x");
    }
    world.run_for(Duration::from_millis(100));
    world.call(ALICE, |engine, now| engine.logout(now));
    assert_eq!(codes(&world), [1; 10]);
    assert!(matches!(world.take_events(ALICE).last(), Some(Event::Logout(_))));
    world.run_for(seconds(1));
    assert_eq!(world.stats().posts_waiting, 0);
    world.run_for(seconds(10));
    assert_eq!(world.app_server.posts.len(), POSTS_PER_USER_MAX);
    assert_eq!(world.stats(), rts_proto::server::Stats::default());
}

#[test]
fn debug_output_hides_signature_url_and_reply() {
    let mut world = one();
    world.send_to_server(ALICE, "secret");
    world.run_for(seconds(1));
    let shown = format!("{:?} {:?} {world:?}", world.take_events(ALICE), world.app_server.posts);
    for secret in ["signature\"", "app.example", "secret"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
