//! The faults and helpers of a world, on which other tests rely.

use std::time::Duration;

use bytes::Bytes;
use rts_client::{Engine, Reason, SendError};
use rts_proto::client::Event;
use rts_proto::server::{Config, Stats};
use rts_proto::{CloseCode, LoginCode, MessageConfig, Payload, SendCode};
use rts_testkit::{EngineIndex, Happening, Middlebox, Piece, Side, World};

const ALICE: usize = 0;
const BOB: usize = 1;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn two() -> World {
    let mut world = World::new(Config::default(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    world
}

/// Logs in an engine as an application has it.
fn log_in(world: &mut World, engine: &Engine, uid: &str) {
    let token = world.token(uid);
    world.wait_for(seconds(1), engine.login(&token, uid)).expect("accepted");
}

fn closes(world: &mut World, who: usize) -> Vec<Option<CloseCode>> {
    let close = |(_, happening)| match happening {
        Happening::Closed(index, code) if index == who => Some(code),
        _ => None,
    };
    world.take_log().into_iter().filter_map(close).collect()
}

fn login_code(world: &mut World, token: &str) -> LoginCode {
    world.call(ALICE, |engine, now| engine.logout(now));
    world.take_events(ALICE);
    world.call(ALICE, |engine, now| engine.login(now, token, "alice")).expect("logged out");
    world.run_for(seconds(1));
    let code = |event| match event {
        Event::LoginResult { code, .. } => Some(code),
        _ => None,
    };
    world.take_events(ALICE).into_iter().find_map(code).expect("a result")
}

#[test]
fn half_open_link_is_replaced_and_its_late_bytes_ignored() {
    let mut world = two();
    world.half_open(ALICE, Side::Client);
    world.send(ALICE, "bob", "arrives, and its result does not");
    world.run_for(seconds(1));
    assert_eq!((world.texts(BOB).len(), world.results(ALICE)), (1, vec![]));
    world.half_open(ALICE, Side::Server);
    world.send(ALICE, "bob", "sent into a dead link");
    world.run_for(seconds(15));
    assert_eq!(
        world.results(ALICE),
        [(1, SendCode::Ok), (2, SendCode::Ok)],
        "the engine reconnected"
    );
    assert_eq!(world.texts(BOB).len(), 2, "once each");
    world.end_half_open();
    world.run_for(seconds(1));
    assert_eq!(world.texts(BOB).len(), 2, "the server ignores the replaced link");
}

#[test]
fn short_stall_loses_nothing() {
    let mut world = two();
    world.stall(ALICE);
    world.send(ALICE, "bob", "hi");
    world.run_for(seconds(8));
    assert_eq!(world.texts(BOB).len(), 0);
    world.unstall(ALICE);
    world.run_for(seconds(1));
    assert_eq!((world.texts(BOB).len(), world.results(ALICE)), (1, vec![(1, SendCode::Ok)]));
    assert_eq!(closes(&mut world, ALICE), [], "the link was kept");
}

#[test]
fn frozen_engine_catches_up() {
    let mut world = two();
    world.freeze(ALICE);
    world.send(BOB, "alice", "hi");
    world.run_for(seconds(9));
    assert_eq!((world.texts(ALICE).len(), world.results(BOB).len()), (0, 0));
    world.thaw(ALICE);
    world.run_for(seconds(9));
    assert_eq!((world.texts(ALICE).len(), world.results(BOB)), (1, vec![(1, SendCode::Ok)]));
}

#[test]
fn only_token_checks_follow_the_wall_clock() {
    let mut world = two();
    let token = world.token_for(ALICE, "alice", seconds(60));
    assert_eq!(login_code(&mut world, &token), LoginCode::Ok);
    for jump in [300_000_000, -600_000_000] {
        world.jump_wall(jump);
        world.run_for(seconds(60));
        assert_eq!(world.take_events(ALICE), [], "a session outlives its token");
    }
    assert_eq!(login_code(&mut world, &token), LoginCode::Ok, "valid ten years earlier");
    world.jump_wall(600_000_000);
    assert_eq!(login_code(&mut world, &token), LoginCode::InvalidToken);
}

#[test]
fn kept_key_is_valid_for_one_rotation() {
    let mut world = two();
    let first = world.token("alice");
    world.rotate_key(ALICE, true);
    assert_eq!(login_code(&mut world, &first), LoginCode::Ok);
    let second = world.token("alice");
    world.rotate_key(ALICE, false);
    for (token, code) in [
        (first, LoginCode::InvalidToken),
        (second, LoginCode::InvalidToken),
        (world.token("alice"), LoginCode::Ok),
    ] {
        assert_eq!(login_code(&mut world, &token), code);
    }
}

#[test]
fn engines_reconnect_after_orderly_shutdown() {
    let mut world = two();
    world.take_log();
    world.shut_down_server(seconds(5));
    assert_eq!(closes(&mut world, ALICE), [Some(CloseCode::Shutdown)]);
    world.restart_server(Config::default());
    world.run_for(seconds(15));
    assert_eq!(world.stats().sessions, 2);
}

#[test]
fn application_runs_through_its_handles() {
    let mut world = World::new(Config::default(), 0, 1);
    let ((alice, alices), (_, bobs)) = (world.connect(), world.connect());
    let mut received = bobs.events();
    log_in(&mut world, &alices, "alice");
    log_in(&mut world, &bobs, "bob");
    assert_eq!(world.wait_for(seconds(1), alices.send("bob", "hi")), Ok(()));
    let received = std::iter::from_fn(|| received.try_next());
    assert_eq!(
        received.filter(|event| matches!(event, rts_client::Event::Message { .. })).count(),
        1
    );
    world.block_connects(alice);
    world.run_for(seconds(1));
    let late = world.wait_for(seconds(60), alices.send("bob", "hi"));
    assert_eq!(late, Err(SendError::NotDelivered(Reason::NotSent)));
    drop((alices, bobs));
    world.run_for(seconds(60));
    assert_eq!(world.stats(), Stats::default(), "an engine without handles logs out");
}

#[test]
fn unread_events_stop_reading_without_loss() {
    let mut world = World::new(Config::default(), 1, 1);
    let (_, bobs) = world.connect();
    let mut received = bobs.events();
    world.log_in(ALICE, "alice");
    log_in(&mut world, &bobs, "bob");
    for number in 0..1_200 {
        world.send(ALICE, "bob", &number.to_string());
        world.run_for(Duration::from_millis(10));
    }
    assert!(world.results(ALICE).len() < 1_200, "the last messages wait");
    let mut texts = Vec::new();
    for _ in 0..100 {
        while let Some(event) = received.try_next() {
            if let rts_client::Event::Message { payload: Payload::Text(text), .. } = event {
                texts.push(text.parse::<u32>().expect("a number"));
            }
        }
        world.run_for(Duration::from_millis(100));
    }
    assert_eq!(texts, (0..1_200).collect::<Vec<_>>());
    let results = world.results(ALICE);
    assert!(results.len() == 1_200 && results.iter().all(|(_, code)| *code == SendCode::Ok));
}

#[test]
fn results_arrive_while_events_are_unread() {
    let mut config = Config::default();
    config.sends_per_second = 0;
    let mut world = World::new(config, 1, 1);
    let (_, alices) = world.connect();
    let _unread = alices.events();
    world.log_in(ALICE, "bob");
    log_in(&mut world, &alices, "alice");
    let sends: Vec<_> = (0..2_048).map(|_| alices.send("bob", "hi")).collect();
    for sending in sends {
        let id = sending.id();
        assert_eq!(world.wait_for(seconds(2), sending), Ok(()), "{id:?}");
    }
    assert_eq!(world.wait_for(seconds(2), alices.send("bob", "hi")), Ok(()));
}

#[test]
#[should_panic(expected = "not done after 60s")]
fn wait_for_pending_future_panics_at_its_limit() {
    let mut world = two();
    world.wait_for(seconds(60), std::future::pending::<()>());
}

/// Drops frames with one word on their way to the server, and marks frames with another word on
/// their way to an engine.
#[derive(Debug)]
struct WordFilter {
    dropped: &'static [u8],
    marked: &'static [u8],
}

impl Middlebox for WordFilter {
    fn pass(&mut self, _: EngineIndex, to: Side, frames: Bytes) -> Vec<Piece> {
        let holds = |word: &[u8]| frames.windows(word.len()).any(|part| part == word);
        if to == Side::Server && holds(self.dropped) {
            return Vec::new();
        }
        let mark = (to == Side::Client && holds(self.marked)).then_some(7);
        vec![Piece { bytes: frames, mark }]
    }
}

#[test]
fn middlebox_drops_frames_and_sees_marks_arrive() {
    let mut world = two();
    world.middlebox = Some(Box::new(WordFilter { dropped: b"lost", marked: b"found" }));
    world.take_log();
    for text in ["lost", "plain", "found"] {
        let config = MessageConfig::UnreliableUnordered;
        world.send_as(ALICE, "bob", Payload::text(text), config);
    }
    world.run_for(seconds(1));
    assert_eq!(world.texts(BOB), ["plain", "found"]);
    let arrived = |(_, happening)| match happening {
        Happening::Marked(side, mark) => Some((side, mark)),
        _ => None,
    };
    let arrived: Vec<_> = world.take_log().into_iter().filter_map(arrived).collect();
    assert_eq!(arrived, [(Side::Client, 7)]);
}
