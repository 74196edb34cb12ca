//! Tokio's timers follow the world's clock.
#![cfg(feature = "tokio")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rts_client::{
    AppId, Engine, Event, Events, Reason, SendError, Timing, TokenReason, TokenRequest, contract,
};
use rts_proto::client::Parameters;
use rts_proto::server::Config;
use rts_testkit::{APP_ID, World};
use tokio::time::{Instant, interval, sleep, timeout};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An engine that is logged in as alice.
fn alice(world: &mut World) -> (usize, Engine, Events) {
    let (index, engine) = world.connect();
    let events = engine.events();
    let token = world.token("alice");
    world.wait_for(seconds(1), engine.login(&token, "alice")).expect("accepted");
    (index, engine, events)
}

fn texts(events: &mut Events) -> usize {
    let received = std::iter::from_fn(|| events.try_next());
    received.filter(|event| matches!(event, Event::Message { .. })).count()
}

#[test]
fn sleep_ends_in_its_millisecond() {
    for origin in [0, 1, 999, 1_000, 123_456] {
        let mut world = World::new(Config::default(), 0, 1);
        world.run_for(Duration::from_micros(origin));
        let ends = Rc::new(RefCell::new(Vec::new()));
        let of_task = Rc::clone(&ends);
        world.spawn(async move {
            let begin = Instant::now();
            for length in [millis(1), millis(1_500), seconds(86_400)] {
                sleep(length).await;
                of_task.borrow_mut().push(begin.elapsed());
            }
        });
        world.run_for(Duration::from_micros(999));
        assert_eq!(ends.borrow().len(), 0);
        world.run_for(Duration::from_micros(1));
        assert_eq!(*ends.borrow(), [millis(1)]);
        world.run_for(millis(1_499));
        assert_eq!(ends.borrow().len(), 1);
        world.run_for(millis(1));
        assert_eq!(ends.borrow().len(), 2);
        world.run_for(seconds(86_400));
        assert_eq!(*ends.borrow(), [millis(1), millis(1_501), seconds(86_400) + millis(1_501)]);
    }
}

#[test]
fn tokio_clock_equals_world_clock() {
    let mut world = World::new(Config::default(), 2, 1);
    world.log_in(0, "alice");
    let show = |world: &mut World| world.wait_for(Duration::ZERO, async { Instant::now() });
    let (begin, own_begin) = (world.now(), show(&mut world));
    // With this latency, heartbeats and their answers arrive between ticks.
    world.net.latency = Duration::from_micros(10_007);
    for micros in [1, 998, 2_001, 1_234_567, 60_000_001, 7] {
        world.run_for(Duration::from_micros(micros));
        assert_eq!(show(&mut world) - own_begin, world.now().since(begin));
    }
}

#[test]
fn call_after_sleep_happens_at_its_end() {
    let mut world = World::new(Config::default(), 1, 1);
    world.log_in(0, "bob");
    let (_, engine, _events) = alice(&mut world);
    let begin = world.now();
    world.spawn(async move {
        for _ in 0..3 {
            sleep(millis(250)).await;
            engine.send("bob", "tick");
        }
    });
    world.run_for(seconds(2));
    let received = world.take_timed_events(0).into_iter().filter_map(|(at, event)| {
        matches!(event, contract::Event::MessageReceived { .. }).then(|| at.since(begin))
    });
    // The message passes the network twice, 10 ms each time.
    assert_eq!(received.collect::<Vec<_>>(), [millis(270), millis(520), millis(770)]);
}

#[test]
fn timeout_ends_wait_for_undelivered_message() {
    let mut world = World::new(Config::default(), 0, 1);
    let (index, engine, _events) = alice(&mut world);
    world.block_connects(index);
    world.run_for(seconds(1));
    let sent = engine.send("alice", "hi");
    let begin = world.now();
    let gave_up = world.wait_for(seconds(3), async { timeout(seconds(3), sent).await });
    assert!(gave_up.is_err());
    assert_eq!(world.now().since(begin), seconds(3));
    let sent = engine.send("alice", "hi");
    let result = world.wait_for(seconds(60), async { timeout(seconds(60), sent).await });
    let not_sent = Err(SendError::NotDelivered(Reason::NotSent));
    assert_eq!(result, Ok(not_sent), "the engine gives up first");
}

#[test]
#[should_panic(expected = "not done after 2.999s")]
fn wait_for_panics_at_its_limit() {
    let mut world = World::new(Config::default(), 0, 1);
    world.wait_for(millis(2_999), async { sleep(seconds(3)).await });
}

#[test]
fn spawned_tasks_share_clock_and_engine() {
    let mut world = World::new(Config::default(), 0, 1);
    let (_, engine, mut events) = alice(&mut world);
    world.spawn(async move {
        let beat = tokio::spawn(async move {
            let mut beats = interval(seconds(60));
            for _ in 0..60 {
                beats.tick().await;
                engine.send("alice", "beat").await.expect("alice has it");
            }
            sleep(seconds(1)).await;
        });
        beat.await.expect("no panic");
    });
    for beats in 1..=60 {
        world.run_for(seconds(59));
        assert_eq!(texts(&mut events), 1, "the beat {beats}");
        world.run_for(seconds(1));
    }
    world.run_for(seconds(600));
    assert_eq!(texts(&mut events), 0);
}

#[tokio::test]
async fn test_may_run_in_a_runtime() {
    let mut world = World::new(Config::default(), 0, 1);
    let (_, engine, mut events) = alice(&mut world);
    world.spawn(async move {
        sleep(seconds(30)).await;
        engine.send("alice", "late");
        std::future::pending::<()>().await;
    });
    world.run_for(seconds(29));
    assert_eq!(texts(&mut events), 0);
    world.run_for(seconds(2));
    assert_eq!(texts(&mut events), 1);
}

#[test]
fn token_provider_is_asked_by_the_clocks_of_the_world() {
    let mut world = World::new(Config::default(), 0, 1);
    let tokens = Arc::new(Mutex::new(VecDeque::new()));
    let asks = Arc::new(Mutex::new(Vec::new()));
    let (given, asked) = (Arc::clone(&tokens), Arc::clone(&asks));
    let provide = move |request: TokenRequest| {
        asked.lock().expect("no panic").push(request.reason());
        let token = given.lock().expect("no panic").pop_front();
        async move { token.ok_or("no more tokens") }
    };
    let mut parameters = Parameters::default();
    parameters.set(Timing::Login, seconds(3)).expect("in range");
    let (_, engine) = world.connect_with_provider(parameters, provide);
    let app = AppId::new(APP_ID).expect("an app id");
    let end = u32::try_from(world.wall_seconds() + 600).expect("before 2106");
    for end in [end, 0] {
        tokens.lock().expect("no panic").push_back(world.token_of(&app, "alice", end));
    }
    world.wait_for(seconds(1), engine.login_as("alice")).expect("accepted");
    world.run_for(seconds(535));
    assert_eq!(*asks.lock().expect("no panic"), [TokenReason::Login]);
    // A minute before its end, less the seconds of the login.
    world.run_for(seconds(10));
    assert_eq!(*asks.lock().expect("no panic"), [TokenReason::Login, TokenReason::Expiring]);
    world.run_for(seconds(3_600));
    assert!(engine.is_online());
    assert_eq!(asks.lock().expect("no panic").len(), 2, "that token is for ever");
}
