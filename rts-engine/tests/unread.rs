//! Applications that wait for results and do not read their events.

mod common;

use bytes::Bytes;
use common::{engine, now_or_never, take_all};
use rts_engine::{Engine, Sent};
use rts_proto::client::{Event, Input};
use rts_proto::wire::Frame;
use rts_proto::{LinkId, MessageConfig, MessageId, Reply, SendCode};

const EVENTS_MAX: usize = 1_024;

/// A send without a login: its result, 105, comes at once.
fn send(engine: &Engine) -> Sent<SendCode> {
    engine.send_message("bob", "hi", MessageConfig::ReliableOrdered).expect("a receiver")
}

fn send_many(engine: &Engine, count: usize) -> Vec<Sent<SendCode>> {
    (0..count).map(|_| send(engine)).collect()
}

/// Makes events that are not results.
fn ask_many(engine: &Engine, count: usize) {
    (0..count).for_each(|_| drop(engine.get_peer_online_status("bob")));
}

fn ids(events: &[Event]) -> Vec<u64> {
    let id = |event: &Event| match event {
        Event::MessageSendResult { id: MessageId(id), .. } => Some(*id),
        _ => None,
    };
    events.iter().filter_map(id).collect()
}

#[test]
fn kept_sends_do_not_stop_reading_and_lose_no_result() {
    let (engine, mut events, driver) = engine();
    let sends = send_many(&engine, 3 * EVENTS_MAX);
    ask_many(&engine, EVENTS_MAX - 1);
    assert!(driver.wants_read());
    ask_many(&engine, 1);
    assert!(!driver.wants_read(), "events that are not results still count");
    let taken = take_all(&mut events);
    assert_eq!(ids(&taken), (1..=3 * EVENTS_MAX as u64).collect::<Vec<_>>());
    assert_eq!(taken.len(), 4 * EVENTS_MAX);
    let codes: Vec<_> = sends.into_iter().map(now_or_never).collect();
    assert_eq!(codes, vec![Some(SendCode::NotLoggedIn); 3 * EVENTS_MAX]);
}

#[test]
fn results_of_dropped_sends_count_as_events() {
    let (engine, mut events, driver) = engine();
    let mut sends = send_many(&engine, EVENTS_MAX);
    assert!(driver.wants_read());
    drop(sends.pop());
    assert!(driver.wants_read());
    drop(sends);
    ask_many(&engine, 1);
    assert!(!driver.wants_read());
    let taken = take_all(&mut events);
    assert_eq!(taken.len(), EVENTS_MAX + 1, "no result is lost");
    assert!(driver.wants_read());
}

#[test]
fn taken_results_free_their_memory() {
    let (engine, mut events, driver) = engine();
    for _ in 0..100 * EVENTS_MAX {
        assert_eq!(now_or_never(send(&engine)), Some(SendCode::NotLoggedIn));
    }
    assert!(driver.wants_read());
    ask_many(&engine, EVENTS_MAX);
    assert!(!driver.wants_read());
    let taken = take_all(&mut events);
    assert!(taken.len() < 2 * EVENTS_MAX, "{} events", taken.len());
    let asked = |event: &&Event| matches!(event, Event::PeerOnlineStatus { .. });
    assert_eq!(
        taken.iter().filter(asked).count(),
        EVENTS_MAX,
        "the stream keeps all events that are not results"
    );
}

/// The answers of an app server have a payload.
#[test]
fn kept_sends_exclude_the_bytes_of_answers() {
    let (engine, mut events, driver) = common::logged_in();
    engine.set_server_params("signature", "https://app.example/rts");
    let count = 129;
    let sends: Vec<_> =
        (0..count).map(|_| engine.send_server_message("hi").expect("alive")).collect();
    for sent in &sends {
        let reply = Reply::new(Bytes::from(vec![0; 65_536]));
        let answer = Frame::ServerSendResult { id: sent.id(), code: SendCode::Ok, reply };
        driver.handle_input(Input::Received(LinkId(1), answer.encode()));
    }
    assert!(driver.wants_read());
    drop(sends);
    assert!(!driver.wants_read(), "8 MiB and more");
    assert_eq!(take_all(&mut events).len(), count);
}
