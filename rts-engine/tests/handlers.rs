//! Handlers: which handler is called, in which task, and what a handler may do.

mod common;

use std::sync::{Arc, Mutex, PoisonError};

use common::{engine, logged_in, take_all};
use rts_engine::{Engine, EventHandler, Room, RoomEventHandler};
use rts_proto::client::{CreateRoomError, Event, JoinError, RoomEvent};
use rts_proto::{BroadcastCode, MessageConfig, MessageId, OnlineStatus, RoomId, SendCode};

/// The calls of handlers, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Writer(&'static str, Log);

impl EventHandler for Writer {
    fn on_get_peer_online_status(&mut self, uid: &str, _status: OnlineStatus) {
        self.1.add(format!("{} status {uid}", self.0));
    }

    fn on_room_event(&mut self, room: &RoomId, _event: &RoomEvent) {
        self.1.add(format!("{} room {room}", self.0));
    }
}

impl RoomEventHandler for Writer {
    fn on_room_message_send_result(&mut self, room: &RoomId, id: MessageId, _code: BroadcastCode) {
        self.1.add(format!("{} result {room} {id}", self.0));
    }
}

#[test]
fn room_handler_precedes_engine_handler_and_stream() {
    let (engine, mut events, driver) = engine();
    let log = Log::default();
    let [with, without] = ["with", "without"].map(|id| engine.create_room(id).expect("a good id"));
    let send = |room: &Room| drop(room.send_message("hi").expect("a room"));

    send(&without);
    assert_eq!(take_all(&mut events).len(), 1);

    with.set_event_handler(Writer("R", log.clone()));
    send(&with);
    send(&without);
    driver.deliver();
    assert_eq!(log.take(), ["R result with 1"]);
    assert_eq!(take_all(&mut events).len(), 1);

    engine.set_event_handler(Writer("E", log.clone()));
    engine.get_peer_online_status("bob");
    send(&without);
    send(&with);
    driver.deliver();
    assert_eq!(log.take(), ["E status bob", "E room without", "R result with 2"]);
    assert_eq!(take_all(&mut events), []);
}

#[test]
fn handler_replaces_previous_handler() {
    let (engine, _events, driver) = engine();
    let log = Log::default();
    engine.set_event_handler(Writer("first", log.clone()));
    engine.get_peer_online_status("bob");
    engine.set_event_handler(Writer("second", log.clone()));
    driver.deliver();
    assert_eq!(log.take(), ["second status bob"]);
}

#[test]
fn callbacks_beyond_one_turn_wake_the_driver() {
    let (engine, _events, driver) = engine();
    let log = Log::default();
    engine.set_event_handler(Writer("E", log.clone()));
    (0..100).for_each(|n| drop(engine.get_peer_online_status(&n.to_string())));
    assert_eq!(driver.poll_link_output(), None);
    driver.deliver();
    assert!(log.0.lock().expect("no panic").len() < 100);
    assert!(common::now_or_never(driver.changed()).is_some());
    driver.deliver();
    let expected: Vec<_> = (0..100).map(|n| format!("E status {n}")).collect();
    assert_eq!(log.take(), expected);
}

/// A handler that owns its engine, and calls it in unusual ways.
struct Restless {
    engine: Engine,
    log: Log,
}

impl EventHandler for Restless {
    fn on_get_peer_online_status(&mut self, uid: &str, _status: OnlineStatus) {
        self.log.add(uid);
        match uid {
            "send" => {
                let config = MessageConfig::ReliableOrdered;
                let sent = self.engine.send_message("bob", "hi", config).expect("a receiver");
                self.log.add(format!("sent {}", sent.id()));
            }
            "replace" => self.engine.set_event_handler(Writer("new", self.log.clone())),
            "destroy" => self.engine.destroy(),
            "panic" => panic!("a handler that panics, on purpose"),
            _ => {}
        }
    }

    fn on_message_send_result(&mut self, id: MessageId, code: SendCode) {
        self.log.add(format!("result {id} {}", code.code()));
    }

    fn on_create_room_failed(&mut self, room: &str, _error: CreateRoomError) {
        self.log.add(format!("no room {room:?}"));
    }
}

fn engine_with_restless_handler() -> (Engine, rts_engine::Driver, Log) {
    let (engine, _, driver) = engine();
    let log = Log::default();
    engine.set_event_handler(Restless { engine: engine.clone(), log: log.clone() });
    (engine, driver, log)
}

#[test]
fn a_handler_may_call_the_engine() {
    let (engine, driver, log) = engine_with_restless_handler();
    engine.get_peer_online_status("send");
    engine.get_peer_online_status("after");
    driver.deliver();
    assert_eq!(log.take(), ["send", "sent 1", "after", "result 1 105"]);
}

#[test]
fn a_handler_may_replace_itself() {
    let (engine, driver, log) = engine_with_restless_handler();
    engine.get_peer_online_status("replace");
    engine.get_peer_online_status("after");
    driver.deliver();
    assert_eq!(log.take(), ["replace", "new status after"]);
}

#[test]
fn panic_in_handler_loses_only_its_event() {
    let (engine, driver, log) = engine_with_restless_handler();
    engine.get_peer_online_status("panic");
    engine.get_peer_online_status("after");
    driver.deliver();
    assert_eq!(log.take(), ["panic", "after"]);
    assert!(engine.create_room("").is_err());
    driver.deliver();
    assert_eq!(log.take(), ["no room \"\""]);
}

#[test]
fn no_callback_after_destroy_and_handler_is_dropped() {
    let (engine, driver, log) = engine_with_restless_handler();
    engine.get_peer_online_status("destroy");
    engine.get_peer_online_status("after");
    driver.deliver();
    assert_eq!(log.take(), ["destroy"]);
    assert!(driver.is_finished());
    let references = Arc::strong_count(&log.0);
    engine.set_event_handler(Writer("late", log.clone()));
    assert_eq!((references, Arc::strong_count(&log.0)), (1, 1), "handlers are dropped");
}

#[test]
fn no_callback_of_a_room_after_its_destroy() {
    let (engine, mut events, driver) = engine();
    let log = Log::default();
    engine.set_event_handler(Writer("E", log.clone()));
    let room = engine.create_room("room").expect("a good id");
    room.set_event_handler(Writer("R", log.clone()));
    let sent = room.send_message("hi").expect("a room");
    room.destroy();
    driver.deliver();
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(take_all(&mut events), []);
    assert_eq!(common::now_or_never(sent), Some(BroadcastCode::NotInRoom));
    room.set_event_handler(Writer("late", log.clone()));
    assert_eq!(Arc::strong_count(&log.0), 2, "the engine's handler and the test");
    assert!(engine.create_room("room").is_ok(), "its id is free again");
}

#[test]
fn destroyed_room_takes_its_events_from_the_stream() {
    let (engine, mut events, driver) = engine();
    let room = engine.create_room("room").expect("a good id");
    let other = engine.create_room("other").expect("a good id");
    for _ in 0..600 {
        room.send_message("hi").expect("a room");
        other.send_message("hi").expect("a room");
    }
    assert!(!driver.wants_read());
    room.destroy();
    assert!(driver.wants_read(), "few enough events are left");
    let left = take_all(&mut events);
    assert_eq!(left.len(), 600);
    let is_of_other =
        |event: &Event| matches!(event, Event::Room { key, .. } if *key == other.key());
    assert!(left.iter().all(is_of_other));
}

#[test]
fn reading_stops_while_many_events_wait_for_a_handler() {
    let (engine, _events, driver) = engine();
    engine.set_event_handler(Writer("E", Log::default()));
    (0..1_024).for_each(|_| drop(engine.get_peer_online_status("bob")));
    assert!(!driver.wants_read());
    driver.deliver();
    assert!(driver.wants_read());
}

#[test]
fn dropped_stream_discards_events() {
    let (engine, events, driver) = engine();
    drop(events);
    (0..2_000).for_each(|_| drop(engine.get_peer_online_status("bob")));
    assert!(driver.wants_read());
    let log = Log::default();
    engine.set_event_handler(Writer("E", log.clone()));
    engine.get_peer_online_status("bob");
    driver.deliver();
    assert_eq!(log.take(), ["E status bob"]);
}

#[test]
fn new_handler_leaves_earlier_events_in_the_stream() {
    let (engine, mut events, driver) = engine();
    engine.get_peer_online_status("before");
    let log = Log::default();
    engine.set_event_handler(Writer("E", log.clone()));
    engine.get_peer_online_status("after");
    driver.deliver();
    assert_eq!(log.take(), ["E status after"]);
    let left = take_all(&mut events);
    assert!(matches!(&left[..], [Event::PeerOnlineStatus { uid, .. }] if uid == "before"));
}

#[test]
fn taken_event_can_be_passed_to_a_handler() {
    let log = Log::default();
    let mut writer = Writer("E", log.clone());
    let status = OnlineStatus::Online;
    EventHandler::handle(&mut writer, &Event::PeerOnlineStatus { uid: "bob".into(), status });
    assert_eq!(log.take(), ["E status bob"]);
}

/// A handler whose end joins a room.
struct JoinsAtTheEnd {
    room: Room,
    joined: Arc<Mutex<Option<Result<(), JoinError>>>>,
}

impl RoomEventHandler for JoinsAtTheEnd {}

impl Drop for JoinsAtTheEnd {
    fn drop(&mut self) {
        *self.joined.lock().expect("no panic") = Some(self.room.join().map(drop));
    }
}

#[test]
fn room_that_is_joined_while_idle_rooms_are_destroyed_is_not_lost() {
    let (engine, _events, _driver) = logged_in();
    let [first, room] = ["first", "second"].map(|id| engine.create_room(id).expect("a good id"));
    let joined = Arc::default();
    first.set_event_handler(JoinsAtTheEnd { room, joined: Arc::clone(&joined) });
    engine.destroy_idle_rooms();
    let joined = joined.lock().expect("no panic").expect("the handler was dropped");
    assert_eq!(joined.is_ok(), engine.room("second").is_some());
}
