//! Messages to the app's own server: where they go, what comes back, and what holds when much goes
//! wrong.

use std::time::Duration;

use rts_proto::client::{Event, WarningCode};
use rts_proto::limits::{FRAME_BYTES_MAX, WINDOW_BYTES_MAX};
use rts_proto::server::Config;
use rts_proto::{MessageConfig, Payload};
use rts_testkit::{APP_SERVER_URL, Manner, World};

use super::seconds;
use rts_tests::without_rates;

const ALICE: usize = 0;
const BOB: usize = 1;

/// The numbers of §8.1 and §8.2.
const POST_TIMEOUT: Duration = Duration::from_secs(5);
const POST_WAIT: Duration = Duration::from_secs(4);
const POSTS_PER_USER_MAX: usize = 4;
const POSTS_PER_APP_MAX: usize = 64;
const POSTS_WAITING_MAX: usize = 256;

/// Alice, with params in force.
fn one() -> World {
    let mut world = World::new(without_rates(), 2, 1);
    world.log_in(ALICE, "alice");
    world.set_server_params(ALICE);
    world
}

fn codes(world: &World) -> Vec<u32> {
    world.server_results(ALICE).into_iter().map(|(_, code, _)| code).collect()
}

#[test]
fn a_message_is_posted_with_its_signature_and_the_reply_comes_back() {
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
fn messages_to_users_and_to_the_server_have_one_sequence_of_ids() {
    let mut world = one();
    assert_eq!(world.send(ALICE, "bob", "x"), 1);
    assert_eq!(world.send_to_server(ALICE, "x"), 2);
    assert_eq!(world.send(ALICE, "bob", "x"), 3);
}

#[test]
fn without_login_or_params_nothing_is_posted_and_the_result_says_why() {
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
fn what_cannot_be_params_is_refused_and_leaves_the_first_in_force() {
    let mut world = one();
    let long = "s".repeat(1_025);
    for (signature, url) in [
        ("", APP_SERVER_URL),
        (long.as_str(), APP_SERVER_URL),
        ("line\nbreak", APP_SERVER_URL),
        ("s", ""),
        ("s", "https://elsewhere.example/"),
    ] {
        world.call(ALICE, |engine, now| engine.set_server_params(now, signature, url));
        world.run_for(seconds(1));
        assert_eq!(world.params_results(ALICE).pop(), Some(1_000), "{signature:?} {url:?}");
    }
    world.send_to_server(ALICE, "to the first");
    world.run_for(seconds(1));
    assert_eq!((codes(&world), world.app_server.texts().len()), (vec![0], 1));
}

#[test]
fn a_message_right_behind_its_params_uses_them() {
    let mut world = World::new(without_rates(), 1, 1);
    world.log_in(ALICE, "alice");
    world.call(ALICE, |engine, now| engine.set_server_params(now, "a", "https://no.example/"));
    world.send_to_server(ALICE, "to nowhere");
    world.call(ALICE, |engine, now| engine.set_server_params(now, "b", APP_SERVER_URL));
    world.send_to_server(ALICE, "with b");
    world.call(ALICE, |engine, now| engine.set_server_params(now, "c", APP_SERVER_URL));
    world.send_to_server(ALICE, "with c");
    world.run_for(seconds(1));
    assert_eq!(world.params_results(ALICE), [1_000, 200, 200]);
    assert_eq!(world.server_results(ALICE), [(1, 106, 0), (2, 0, 6), (3, 0, 6)]);
    let shown: Vec<_> =
        world.app_server.posts.iter().map(|post| post.params.signature().to_owned()).collect();
    assert_eq!(shown, ["b", "c"]);
    // The same while others are in force.
    world.call(ALICE, |engine, now| engine.set_server_params(now, "d", APP_SERVER_URL));
    world.send_to_server(ALICE, "with d");
    world.run_for(seconds(1));
    let last = world.app_server.posts.last().map(|post| post.params.signature().to_owned());
    assert_eq!(last.as_deref(), Some("d"));
}

#[test]
fn a_server_that_answers_badly_and_one_that_is_away_have_different_results() {
    let mut world = one();
    for (manner, code) in [(Manner::Fails, 18), (Manner::IsAway, 17), (Manner::Echoes, 0)] {
        world.app_server.manner = manner;
        world.send_to_server(ALICE, "x");
        world.run_for(seconds(1));
        assert_eq!(codes(&world).pop(), Some(code), "{manner:?}");
    }
}

#[test]
fn after_5_seconds_silence_is_17_and_an_answer_without_end_is_18() {
    for (manner, code) in [(Manner::IsSilent, 17), (Manner::Drips, 18)] {
        let mut world = one();
        world.app_server.manner = manner;
        world.send_to_server(ALICE, "x");
        world.run_for(POST_TIMEOUT);
        assert_eq!(codes(&world), [0; 0], "{manner:?}");
        world.run_for(Duration::from_millis(50));
        assert_eq!(codes(&world), [code], "{manner:?}");
        assert_eq!(world.app_server.abandoned.len(), 1, "the driver is told to stop");
        assert_eq!(world.stats().posts_under_way, 0);
    }
}

#[test]
fn four_posts_of_a_user_are_under_way_and_the_fifth_waits() {
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
fn a_post_that_waited_4_seconds_is_given_up_and_was_never_posted() {
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
fn an_app_has_64_posts_under_way_and_256_waiting_and_the_next_is_over_the_rate() {
    let people = 20;
    let mut world = World::new(without_rates(), people, 1);
    world.app_server.manner = Manner::IsSilent;
    for who in 0..people {
        world.log_in(who, &format!("user-{who}"));
        world.set_server_params(who);
    }
    for who in 0..people {
        for _ in 0..16 {
            world.send_to_server(who, "x");
        }
        world.run_for(Duration::from_millis(50));
    }
    let stats = world.stats();
    assert_eq!(stats.posts_under_way, POSTS_PER_APP_MAX);
    assert_eq!(stats.posts_waiting, POSTS_WAITING_MAX);
    world.send_to_server(people - 1, "one too many");
    world.run_for(Duration::from_millis(50));
    assert_eq!(world.server_results(people - 1), [(17, 5, 0)]);
    world.run_for(seconds(10));
    let results: usize = (0..people).map(|who| world.server_results(who).len()).sum();
    assert_eq!(results, 321, "each has its one result");
    assert_eq!(world.stats().post_bytes, 0);
}

#[test]
fn a_user_whose_posts_hang_does_not_hold_up_another() {
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
fn twenty_messages_of_a_second_pass_and_the_next_is_over_the_rate() {
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
fn the_longest_replies_come_back_even_to_a_client_that_is_away_meanwhile() {
    let mut world = one();
    world.app_server.manner = Manner::AnswersAtLength;
    world.app_server.delay = Duration::from_millis(100);
    for _ in 0..30 {
        world.send_to_server(ALICE, "x");
    }
    world.run_for(Duration::from_millis(50));
    world.keep_out(ALICE);
    world.run_for(seconds(8));
    assert_eq!(codes(&world), [0; 0]);
    assert_eq!(world.stats().sessions, 1, "its window was not overrun");
    world.let_in(ALICE);
    world.run_for(seconds(10));
    let results = world.server_results(ALICE);
    let ids: Vec<u64> = results.iter().map(|(id, ..)| *id).collect();
    assert_eq!(ids, (1..=30).collect::<Vec<_>>());
    // What found no room in the window was not posted, and its result says so.
    let (answered, waited) = results.split_at(WINDOW_BYTES_MAX / FRAME_BYTES_MAX);
    assert!(answered.iter().all(|(_, code, reply)| (*code, *reply) == (0, 65_536)), "{results:?}");
    assert!(waited.iter().all(|(_, code, _)| *code == 17), "{results:?}");
    assert_eq!(world.app_server.posts.len(), answered.len());
}

#[test]
fn params_last_through_a_restart_of_the_server() {
    let mut world = one();
    world.restart_server(without_rates());
    world.run_for(seconds(5));
    world.send_to_server(ALICE, "x");
    world.run_for(seconds(1));
    assert_eq!((codes(&world), world.params_results(ALICE)), (vec![0], vec![200]));
}

#[test]
fn a_call_that_a_restart_interrupts_is_answered_by_the_new_server() {
    let mut world = World::new(without_rates(), 1, 1);
    world.log_in(ALICE, "alice");
    world.call(ALICE, |engine, now| engine.set_server_params(now, "s", APP_SERVER_URL));
    world.restart_server(without_rates());
    // Her engine hears of it after 10 ms.
    world.run_for(Duration::from_millis(11));
    world.send_to_server(ALICE, "waits for the link");
    world.run_for(seconds(5));
    assert_eq!((world.params_results(ALICE), codes(&world)), (vec![200], vec![0]));
}

#[test]
fn params_that_the_restarted_server_refuses_are_gone_with_a_warning() {
    let mut world = one();
    world.app_server.is_allowed = false;
    world.restart_server(without_rates());
    world.run_for(seconds(5));
    world.send_to_server(ALICE, "x");
    world.run_for(seconds(1));
    assert_eq!((codes(&world), world.params_results(ALICE)), (vec![106], vec![200]));
    let lost =
        |event: &Event| matches!(event, Event::Warning { code: WarningCode::ServerParamsLost, .. });
    assert_eq!(world.take_events(ALICE).iter().filter(|event| lost(event)).count(), 1);
    assert_eq!(world.app_server.posts, []);
}

#[test]
fn params_last_through_a_token_that_is_refused_on_the_way_back() {
    let mut world = one();
    world.rotate_key(ALICE, false);
    world.restart_server(without_rates());
    world.run_for(seconds(5));
    world.send_to_server(ALICE, "not logged in");
    let fresh = world.token("alice");
    world.call(ALICE, |engine, now| engine.update_login_token(now, &fresh));
    world.run_for(seconds(1));
    world.send_to_server(ALICE, "x");
    world.run_for(seconds(1));
    assert_eq!(codes(&world), [105, 0]);
}

#[test]
fn params_end_with_the_login() {
    for end in ["logout", "displaced", "refused"] {
        let mut world = World::new(without_rates(), 3, 1);
        world.log_in(ALICE, "alice");
        world.set_server_params(ALICE);
        match end {
            "logout" => world.call(ALICE, |engine, now| engine.logout(now)),
            "displaced" => world.log_in(2, "alice"),
            _ => {
                world.refuse("alice", rts_proto::LoginCode::BadUserId);
                world.restart_server(without_rates());
                world.run_for(seconds(5));
                world.refuse("alice", rts_proto::LoginCode::Ok);
            }
        }
        world.run_for(seconds(1));
        world.log_in(ALICE, "alice");
        world.send_to_server(ALICE, "x");
        world.run_for(seconds(1));
        assert_eq!(codes(&world), [106], "{end}");
        assert_eq!(world.app_server.posts, [], "{end}");
    }
}

#[test]
fn a_logout_answers_what_is_open_with_1_and_nothing_new_is_posted() {
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
fn while_the_link_is_down_messages_wait_and_go_out_at_the_servers_rate() {
    let mut world = World::new(Config::default(), 1, 1);
    world.log_in(ALICE, "alice");
    world.set_server_params(ALICE);
    world.keep_out(ALICE);
    for number in 0..60 {
        world.send_to_server(ALICE, &number.to_string());
    }
    world.run_for(seconds(1));
    world.let_in(ALICE);
    world.run_for(seconds(9));
    assert_eq!(codes(&world), [0; 60]);
    let order: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    assert_eq!(world.app_server.texts(), order);
}

#[test]
fn what_never_left_gets_2_and_what_may_have_gets_1_when_time_is_up() {
    let mut world = one();
    world.app_server.delay = Duration::from_millis(4_000);
    world.send_to_server(ALICE, "left");
    world.run_for(Duration::from_millis(100));
    world.keep_out(ALICE);
    world.run_for(seconds(1));
    world.send_to_server(ALICE, "never left");
    world.call(ALICE, |engine, now| engine.set_server_params(now, "s", APP_SERVER_URL));
    world.run_for(seconds(12));
    assert_eq!(world.server_results(ALICE), [(1, 1, 0), (2, 2, 0)]);
    assert_eq!(world.params_results(ALICE), [200, 2]);
    world.let_in(ALICE);
    world.run_for(seconds(10));
    assert_eq!(world.app_server.texts(), ["left"]);
}

#[test]
fn messages_to_users_pass_a_server_that_hangs() {
    let mut world = one();
    world.log_in(BOB, "bob");
    world.app_server.manner = Manner::IsSilent;
    for _ in 0..200 {
        world.send_to_server(ALICE, "x");
    }
    world.send_as(ALICE, "bob", Payload::text("y"), MessageConfig::ReliableOrdered);
    world.run_for(Duration::from_millis(50));
    assert_eq!((world.texts(BOB).len(), world.results(ALICE)), (1, vec![(201, 0)]));
}

#[test]
fn neither_signature_nor_url_nor_reply_is_shown_for_debugging() {
    let mut world = one();
    world.send_to_server(ALICE, "secret");
    world.run_for(seconds(1));
    let shown = format!("{:?} {:?} {world:?}", world.take_events(ALICE), world.app_server.posts);
    for secret in ["signature\"", "app.example", "secret"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
