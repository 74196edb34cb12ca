//! Messages to the app server under load, with a hanging app server, and without a link.

use std::time::Duration;

use rts_proto::limits::{FRAME_BYTES_MAX, WINDOW_BYTES_MAX};
use rts_proto::server::Config;
use rts_proto::{MessageConfig, Payload, SendCode};
use rts_testkit::{APP_SERVER_URL, Manner, World};
use rts_tests::without_rates;

use super::app_server::{codes, one};
use super::seconds;

const ALICE: usize = 0;
const BOB: usize = 1;

/// The numbers of §8.1 and §8.2.
const POST_WAIT: Duration = Duration::from_secs(4);
const POSTS_PER_USER_MAX: usize = 4;
const POSTS_PER_APP_MAX: usize = 64;
const POSTS_WAITING_MAX: usize = 256;

#[test]
fn fifth_post_of_a_user_waits() {
    let mut world = one();
    world.app_server.delay = seconds(1);
    for number in 0..10 {
        world.send_to_server(ALICE, &number.to_string());
    }
    world.run_for(Duration::from_millis(500));
    let stats = world.stats();
    assert_eq!((stats.posts_under_way, stats.posts_waiting), (POSTS_PER_USER_MAX, 6));
    world.run_for(seconds(5));
    assert_eq!(codes(&world), [0; 10]);
    let order: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    assert_eq!(world.app_server.texts(), order, "they begin in order");
    assert_eq!(world.stats().post_bytes, 0);
}

#[test]
fn post_that_waited_4_seconds_is_never_posted() {
    let mut world = one();
    world.app_server.manner = Manner::IsSilent;
    for number in 0..5 {
        world.send_to_server(ALICE, &number.to_string());
    }
    world.run_for(POST_WAIT + Duration::from_millis(50));
    assert_eq!(world.server_results(ALICE), [(5, 17, 0)]);
    world.run_for(seconds(2));
    assert_eq!(codes(&world), [17; 5]);
    assert_eq!(world.app_server.texts(), ["0", "1", "2", "3"]);
}

#[test]
fn app_has_at_most_64_posts_open_and_256_waiting() {
    let users = 20;
    let mut world = World::new(without_rates(), users, 1);
    world.app_server.manner = Manner::IsSilent;
    for who in 0..users {
        world.log_in(who, &format!("user-{who}"));
        world.set_server_params(who);
    }
    for who in 0..users {
        for _ in 0..16 {
            world.send_to_server(who, "x");
        }
        world.run_for(Duration::from_millis(50));
    }
    let stats = world.stats();
    assert_eq!(stats.posts_under_way, POSTS_PER_APP_MAX);
    assert_eq!(stats.posts_waiting, POSTS_WAITING_MAX);
    world.send_to_server(users - 1, "one too many");
    world.run_for(Duration::from_millis(50));
    assert_eq!(world.server_results(users - 1), [(17, 5, 0)]);
    world.run_for(seconds(10));
    let results: usize = (0..users).map(|who| world.server_results(who).len()).sum();
    assert_eq!(results, 321, "each has its one result");
    assert_eq!(world.stats().post_bytes, 0);
}

#[test]
fn hanging_posts_of_a_user_do_not_delay_others() {
    let mut world = one();
    world.log_in(BOB, "bob");
    world.set_server_params(BOB);
    world.app_server.manner = Manner::IsSilent;
    for _ in 0..50 {
        world.send_to_server(ALICE, "x");
    }
    world.run_for(Duration::from_millis(100));
    world.app_server.manner = Manner::Echoes;
    world.send_to_server(BOB, "y");
    world.run_for(Duration::from_millis(100));
    assert_eq!(world.server_results(BOB), [(1, 0, 1)]);
}

#[test]
fn server_messages_are_limited_to_20_a_second() {
    let mut world = World::new(Config::default(), 1, 1);
    world.log_in(ALICE, "alice");
    world.call(ALICE, |engine, now| engine.set_server_params(now, "s", APP_SERVER_URL));
    for _ in 0..21 {
        world.send_to_server(ALICE, "x");
    }
    world.run_for(seconds(1));
    let (over, passed): (Vec<u32>, Vec<u32>) = codes(&world).into_iter().partition(|c| *c == 5);
    assert_eq!((over.len(), passed), (1, vec![0; 20]));
}

#[test]
fn longest_replies_reach_a_client_after_a_cut() {
    let mut world = one();
    world.app_server.manner = Manner::AnswersAtLength;
    world.app_server.delay = Duration::from_millis(100);
    for _ in 0..30 {
        world.send_to_server(ALICE, "x");
    }
    world.run_for(Duration::from_millis(50));
    world.block_connects(ALICE);
    world.run_for(seconds(8));
    assert_eq!(codes(&world), [0; 0]);
    assert_eq!(world.stats().sessions, 1, "its window was not overrun");
    world.allow_connects(ALICE);
    world.run_for(seconds(10));
    let results = world.server_results(ALICE);
    let ids: Vec<u64> = results.iter().map(|(id, ..)| *id).collect();
    assert_eq!(ids, (1..=30).collect::<Vec<_>>());
    // Messages without room in the window were not posted, and have that result.
    let (answered, waited) = results.split_at(WINDOW_BYTES_MAX / FRAME_BYTES_MAX);
    assert!(answered.iter().all(|(_, code, reply)| (*code, *reply) == (0, 65_536)), "{results:?}");
    assert!(waited.iter().all(|(_, code, _)| *code == 17), "{results:?}");
    assert_eq!(world.app_server.posts.len(), answered.len());
}

#[test]
fn server_messages_wait_for_link_and_keep_the_rate() {
    let mut world = World::new(Config::default(), 1, 1);
    world.log_in(ALICE, "alice");
    world.set_server_params(ALICE);
    world.block_connects(ALICE);
    for number in 0..60 {
        world.send_to_server(ALICE, &number.to_string());
    }
    world.run_for(seconds(1));
    world.allow_connects(ALICE);
    world.run_for(seconds(9));
    assert_eq!(codes(&world), [0; 60]);
    let order: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    assert_eq!(world.app_server.texts(), order);
}

#[test]
fn timeout_is_2_if_unsent_and_1_if_perhaps_sent() {
    let mut world = one();
    world.app_server.delay = Duration::from_millis(4_000);
    world.send_to_server(ALICE, "left");
    world.run_for(Duration::from_millis(100));
    world.block_connects(ALICE);
    world.run_for(seconds(1));
    world.send_to_server(ALICE, "never left");
    world.call(ALICE, |engine, now| engine.set_server_params(now, "s", APP_SERVER_URL));
    world.run_for(seconds(12));
    assert_eq!(world.server_results(ALICE), [(1, 1, 0), (2, 2, 0)]);
    assert_eq!(world.params_results(ALICE), [200, 2]);
    world.allow_connects(ALICE);
    world.run_for(seconds(10));
    assert_eq!(world.app_server.texts(), ["left"]);
}

#[test]
fn user_messages_pass_a_hanging_app_server() {
    let mut world = one();
    world.log_in(BOB, "bob");
    world.app_server.manner = Manner::IsSilent;
    for _ in 0..200 {
        world.send_to_server(ALICE, "x");
    }
    world.send_as(ALICE, "bob", Payload::text("y"), MessageConfig::ReliableOrdered);
    world.run_for(Duration::from_millis(50));
    assert_eq!((world.texts(BOB).len(), world.results(ALICE)), (1, vec![(201, SendCode::Ok)]));
}
