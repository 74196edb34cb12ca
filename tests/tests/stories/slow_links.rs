//! Links with a slow uplink or a long delay are kept, and their messages arrive. A link with a dead
//! uplink is not kept.

use std::time::Duration;

use rts_proto::client::Event;
use rts_proto::{LinkId, MessageConfig, Payload, SendCode};
use rts_testkit::{Side, World};

use super::seconds;
use rts_tests::without_rates;

const ALICE: usize = 0;
const BOB: usize = 1;
/// The largest message takes 5.5 s, longer than the client's interval of Pings.
const SLOW_BYTES_PER_SECOND: u32 = 12_000;
/// The unanswered Ping of §2.6, and the 5 s of §2.5 before it.
const DEAD_AFTER: Duration = Duration::from_secs(5 + 10);

fn two() -> World {
    let mut world = World::new(without_rates(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    world
}

fn link(world: &mut World, who: usize) -> Option<LinkId> {
    world.call(who, |engine, _| engine.link())
}

fn messages_of(world: &mut World, who: usize) -> usize {
    let is_message = |event: &Event| matches!(event, Event::MessageReceived { .. });
    world.take_events(who).iter().filter(|event| is_message(event)).count()
}

/// Sends to many users, so that no send waits for its receiver. None of the users exist.
fn says_a_window_full(world: &mut World) {
    for number in 0..14 {
        let payload = Payload::binary(vec![0; 65_536]);
        let to = format!("nobody-{number}");
        world.send_as(ALICE, &to, payload, MessageConfig::ReliableOrdered);
    }
}

/// Alice's Pings wait behind her messages, which the server acknowledges one by one.
#[test]
fn busy_slow_uplink_stays_up() {
    let mut world = two();
    world.net.bytes_per_second = SLOW_BYTES_PER_SECOND;
    says_a_window_full(&mut world);
    let before = link(&mut world, ALICE);
    for second in 0..60 {
        world.run_for(seconds(1));
        assert_eq!(link(&mut world, ALICE), before, "{second} s");
    }
}

#[test]
fn dead_slow_uplink_is_replaced_in_time() {
    let mut world = two();
    world.net.bytes_per_second = SLOW_BYTES_PER_SECOND;
    says_a_window_full(&mut world);
    let before = link(&mut world, ALICE);
    world.run_for(seconds(12));
    world.half_open(ALICE, Side::Server);
    world.run_for(seconds(6));
    assert_eq!(link(&mut world, ALICE), before, "not yet");
    world.run_for(DEAD_AFTER - seconds(6));
    assert_ne!(link(&mut world, ALICE), before);
}

/// More messages than may be open to one receiver. The rest waits for results, which take four
/// ways.
#[test]
fn long_path_fails_no_message() {
    for latency_ms in [10, 50, 300, 1_000, 2_500] {
        let mut world = two();
        world.net.latency = Duration::from_millis(latency_ms);
        for _ in 0..18 {
            let payload = Payload::binary(vec![0; 65_536]);
            world.send_as(ALICE, "bob", payload, MessageConfig::ReliableOrdered);
        }
        world.run_for(seconds(20));
        let results = world.results(ALICE);
        assert_eq!(results.len(), 18);
        // If an answer takes longer than a result may, the result is a time-out.
        let is_fair =
            |code| code == SendCode::Ok || code == SendCode::Timeout && 4 * latency_ms > 10_000 / 3;
        assert!(results.iter().all(|(_, code)| is_fair(*code)), "{latency_ms} ms: {results:?}");
        assert_eq!(messages_of(&mut world, BOB), 18, "{latency_ms} ms");
    }
}

#[test]
fn long_path_carries_100_messages_a_second() {
    for latency_ms in [50, 300, 1_000, 2_400] {
        let mut world = World::new(rts_proto::server::Config::default(), 2, 1);
        world.log_in(ALICE, "alice");
        world.log_in(BOB, "bob");
        world.net.latency = Duration::from_millis(latency_ms);
        for _ in 0..1_000 {
            world.send(ALICE, "bob", "hi");
            world.run_for(Duration::from_millis(10));
        }
        world.run_for(seconds(12));
        let results = world.results(ALICE);
        assert_eq!(results.len(), 1_000);
        assert!(
            results.iter().all(|(_, code)| *code == SendCode::Ok),
            "{latency_ms} ms: {results:?}"
        );
    }
}
