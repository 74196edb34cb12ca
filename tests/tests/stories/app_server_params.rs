//! Server params: their target, and their lifetime.

use std::time::Duration;

use rts_proto::client::{Event, WarningCode};
use rts_testkit::{APP_SERVER_URL, World};
use rts_tests::without_rates;

use super::app_server::{codes, one};
use super::seconds;

const ALICE: usize = 0;

#[test]
fn invalid_params_leave_the_previous_in_force() {
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
fn message_sent_after_params_uses_them() {
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
    // The same order while other params are in force.
    world.call(ALICE, |engine, now| engine.set_server_params(now, "d", APP_SERVER_URL));
    world.send_to_server(ALICE, "with d");
    world.run_for(seconds(1));
    let last = world.app_server.posts.last().map(|post| post.params.signature().to_owned());
    assert_eq!(last.as_deref(), Some("d"));
}

#[test]
fn params_survive_a_server_restart() {
    let mut world = one();
    world.restart_server(without_rates());
    world.run_for(seconds(5));
    world.send_to_server(ALICE, "x");
    world.run_for(seconds(1));
    assert_eq!((codes(&world), world.params_results(ALICE)), (vec![0], vec![200]));
}

#[test]
fn params_call_is_answered_after_a_restart() {
    let mut world = World::new(without_rates(), 1, 1);
    world.log_in(ALICE, "alice");
    world.call(ALICE, |engine, now| engine.set_server_params(now, "s", APP_SERVER_URL));
    world.restart_server(without_rates());
    // Her engine learns of the restart after 10 ms.
    world.run_for(Duration::from_millis(11));
    world.send_to_server(ALICE, "waits for the link");
    world.run_for(seconds(5));
    assert_eq!((world.params_results(ALICE), codes(&world)), (vec![200], vec![0]));
}

#[test]
fn params_refused_after_restart_end_with_a_warning() {
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
fn params_survive_a_refused_token_on_reconnect() {
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
