//! Connection states, and when they are reported.

use rts_proto::client::{Client, Event};
use rts_proto::server::Config;
use rts_proto::{MessageConfig, Payload};
use rts_testkit::{Side, World};

use super::seconds;

const ALICE: usize = 0;
const BOB: usize = 1;

/// The states with their times, in whole seconds since `from`.
fn states(world: &World, from: rts_proto::Instant) -> Vec<(u64, u32)> {
    world.states(ALICE).into_iter().map(|(at, state)| (at.since(from).as_secs(), state)).collect()
}

#[test]
fn a_first_connection_is_reported_as_2_and_3() {
    let mut world = World::new(Config::default(), 1, 1);
    world.log_in(ALICE, "alice");
    assert_eq!(states(&world, rts_proto::Instant::ORIGIN), [(0, 2), (0, 3)]);
}

#[test]
fn failing_first_connection_is_reported_and_retried() {
    let mut world = World::new(Config::default(), 1, 1);
    world.net.refuses = true;
    let token = world.token("alice");
    world.call(ALICE, |engine, now| engine.login(now, &token, "alice")).expect("login");
    world.run_for(seconds(600));
    assert_eq!(states(&world, rts_proto::Instant::ORIGIN), [(0, 2), (10, 4), (12, 1), (22, 6)]);
    world.net.refuses = false;
    world.run_for(seconds(6));
    assert_eq!(world.states(ALICE).last().map(|(_, state)| *state), Some(3));
}

#[test]
fn silence_is_reported_after_10_12_and_22_seconds() {
    let mut world = World::new(Config::default(), 1, 1);
    world.log_in(ALICE, "alice");
    // No bytes arrived since the login, so the silence counts from there.
    let received = world.states(ALICE)[1].0;
    world.take_events(ALICE);
    world.net.is_silent = true;
    world.run_for(seconds(26));
    assert_eq!(states(&world, received), [(10, 4), (12, 1), (22, 6)]);
    world.net.is_silent = false;
    world.run_for(seconds(11));
    assert_eq!(world.states(ALICE).last().map(|(_, state)| *state), Some(5));
}

#[test]
fn reconnect_within_10_seconds_is_not_reported() {
    let mut world = World::new(Config::default(), 1, 1);
    world.log_in(ALICE, "alice");
    world.take_events(ALICE);
    for _ in 0..5 {
        world.cut(ALICE);
        world.run_for(seconds(9));
    }
    assert_eq!(world.take_events(ALICE), []);
}

#[test]
fn heartbeats_keep_an_idle_connection_for_hours() {
    let mut world = World::new(Config::default(), 1, 1);
    world.log_in(ALICE, "alice");
    world.take_events(ALICE);
    world.run_for(seconds(7_200));
    assert_eq!(world.take_events(ALICE), []);
    assert_eq!(world.stats().sessions, 1);
}

#[test]
fn dead_uplink_is_replaced_while_bytes_arrive() {
    let mut world = World::new(Config::default(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    world.take_events(ALICE);
    let link = |world: &mut World| world.call(ALICE, |engine, _| engine.link());
    let before = link(&mut world);
    world.half_open(ALICE, Side::Server);
    let mut seconds_passed = 0;
    while link(&mut world) == before && seconds_passed < 60 {
        let config = MessageConfig::UnreliableOrdered;
        let say = |engine: &mut Client, now| {
            engine.send_message(now, "alice", Payload::text("hi"), config)
        };
        world.call(BOB, say).expect("accepted");
        world.run_for(seconds(1));
        seconds_passed += 1;
    }
    // 5 s until the Ping, 10 s for its Pong.
    assert!((10..=16).contains(&seconds_passed), "{seconds_passed} s");
    world.run_for(seconds(2));
    assert!(world.call(ALICE, |engine, _| engine.is_online()), "over another link");
    let is_message = |event: &Event| matches!(event, Event::MessageReceived { .. });
    assert!(world.take_events(ALICE).iter().all(is_message), "and nobody was notified");
}
