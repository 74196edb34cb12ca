//! The life of an engine: numbers that are out of date, ends, and many engines.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rts_flat::{Arguments, CallKind, CreateError, EventKind, Polled, call, create, poll, release};
use rts_server::DEV_APP_ID;

use crate::support::{Host, Served};

/// Nobody listens there.
const NOWHERE: &str = "rts://127.0.0.1:1";

#[test]
fn bad_argument_makes_no_engine() {
    let error = |address, app_id, parameters| {
        create(address, app_id, parameters).expect_err("a bad argument")
    };
    assert!(matches!(error("tcp://x", DEV_APP_ID, ""), CreateError::Address(_)));
    assert!(matches!(error(NOWHERE, "short", ""), CreateError::AppId(_)));
    let of_parameters = error(NOWHERE, DEV_APP_ID, "[]");
    assert!(matches!(of_parameters, CreateError::Parameters(_)));
    assert!(of_parameters.to_string().starts_with("parameters: "), "{of_parameters}");
}

#[test]
fn number_of_a_released_engine_finds_nothing() {
    let engine = create(NOWHERE, DEV_APP_ID, "{}").expect("good arguments");
    release(engine);
    release(engine);
    for stale in [0, engine, u64::MAX] {
        let number = |kind: CallKind| {
            let arguments = Arguments { first: b"bob", second: b"alice", ..Arguments::default() };
            call(stale, kind as u32, &arguments)
        };
        assert_eq!(number(CallKind::Login), -3);
        assert_eq!(number(CallKind::SendMessage), -1);
        assert_eq!(number(CallKind::SendServerMessage), -1);
        assert_eq!(number(CallKind::JoinRoom), -3);
        assert!(number(CallKind::CreateRoom) < 0);
        assert_eq!(number(CallKind::Logout), 0);
        assert_eq!(poll(stale, None), Polled::Ended);
    }
}

#[test]
fn unknown_call_and_bad_text_do_nothing() {
    let engine = Host::new(NOWHERE);
    assert_eq!(call(engine.0, 0, &Arguments::default()), -9001);
    assert_eq!(call(engine.0, 1_000, &Arguments::default()), -9001);
    let text = Arguments { first: b"\xff", ..Arguments::default() };
    assert_eq!(call(engine.0, CallKind::SendMessage as u32, &text), -9002);
    assert_eq!(engine.call(CallKind::SendMessage, ["bob", ""]), 1, "no id was used");
}

#[test]
fn last_events_come_before_the_end() {
    let served = Served::start();
    let alice = Host::of(&served, "alice");
    assert_eq!(alice.call(CallKind::Destroy, ["", ""]), 0);
    let last = alice.until(EventKind::Logout);
    assert_eq!(last.code, 0);
    assert_eq!(poll(alice.0, None), Polled::Ended);
    assert_eq!(alice.log_in("alice"), -3);
}

#[test]
fn release_ends_a_poll_that_waits() {
    let engine = create(NOWHERE, DEV_APP_ID, "").expect("good arguments");
    thread::scope(|scope| {
        let waits = scope.spawn(|| poll(engine, None));
        while poll(engine, Some(Duration::ZERO)) != Polled::Busy {
            thread::yield_now();
        }
        release(engine);
        assert_eq!(waits.join().expect("it returns"), Polled::Ended);
    });
}

#[test]
fn poll_waits_for_its_time_at_most() {
    let engine = Host::new(NOWHERE);
    assert_eq!(poll(engine.0, Some(Duration::ZERO)), Polled::Nothing);
    assert_eq!(poll(engine.0, Some(Duration::from_millis(20))), Polled::Nothing);
}

/// Eight threads call while the engine is released: each call returns a number of the contract.
#[test]
fn release_meets_calls_of_other_threads() {
    let served = Served::start();
    for _ in 0..20 {
        let engine = Host::of(&served, "alice");
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        let id = engine.call(CallKind::SendMessage, ["bob", "hello"]);
                        assert!(id > 0 || id == -1, "{id}");
                        assert_eq!(engine.call(CallKind::GetPeerOnlineStatus, ["bob", ""]), 0);
                    }
                });
            }
            scope.spawn(|| while poll(engine.0, None) != Polled::Ended {});
            engine.until_busy();
            release(engine.0);
            is_over.store(true, Ordering::Relaxed);
        });
        assert_eq!(engine.call(CallKind::SendMessage, ["bob", "hello"]), -1);
    }
}

impl Host {
    /// Waits until another thread polls.
    fn until_busy(&self) {
        while poll(self.0, Some(Duration::ZERO)) != Polled::Busy {
            thread::yield_now();
        }
    }
}
