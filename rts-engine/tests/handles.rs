//! Engines without a network: calls, results, and the effect of dropping handles.

mod common;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use common::{engine, now_or_never, take_all};
use rts_engine::{LinkFailure, LinkOutput};
use rts_proto::client::{Event, Input, LoginError, SendError, WarningCode};
use rts_proto::wire::Frame;
use rts_proto::{CloseCode, LogoutReason, MessageConfig, MessageId, SendCode};

const RELIABLE: MessageConfig = MessageConfig::ReliableOrdered;

#[test]
fn nothing_is_connected_before_login() {
    let (engine, _events, driver) = engine();
    engine.create_room("room").expect("a good id").join().expect("not joined");
    engine.logout();
    engine.network_changed();
    assert_eq!(driver.poll_link_output(), None);
    engine.login("token", "alice").expect("not logged in");
    assert!(matches!(driver.poll_link_output(), Some(LinkOutput::Connect(_))));
}

/// Without this warning the application would not learn why the login has no answer.
#[test]
fn warns_once_of_each_close_before_the_login_answer() {
    let (engine, mut events, driver) = engine();
    engine.login("token", "alice").expect("not logged in");
    let mut closed_with = |code: u32, reason: &'static str| {
        // A change of the network ends the wait before the next attempt.
        engine.network_changed();
        let link =
            std::iter::from_fn(|| driver.poll_link_output()).filter_map(|output| match output {
                LinkOutput::Connect(link) => Some(link),
                _ => None,
            });
        let link = link.last();
        let link = link.expect("the engine connects again");
        driver.handle_input(Input::Connected(link));
        let reason = Bytes::from_static(reason.as_bytes());
        let close = Frame::Close { code, reason, retry_after_ms: 0 };
        driver.handle_input(Input::Received(link, close.encode()));
        let mut warnings = take_all(&mut events);
        warnings.retain(|event| matches!(event, Event::Warning { .. }));
        warnings
    };
    let warning = |message: &str| {
        let message =
            format!("the server ended the connection before the login was answered: {message}");
        Event::Warning { code: WarningCode::LinkFailed, message }
    };
    let busy = warning("Busy (14), come back later");
    assert_eq!(closed_with(CloseCode::Busy.code(), "come back later"), [busy]);
    assert_eq!(
        closed_with(CloseCode::Busy.code(), "come back later"),
        [],
        "the same reason is reported once"
    );
    let other = warning("BadFrame (1), a PROXY header");
    assert_eq!(closed_with(CloseCode::BadFrame.code(), "a PROXY header"), [other]);
    let why = engine.last_link_error().expect("the server said why");
    assert!(why.to_string().contains("BadFrame (1)"), "{why}");
    assert!(matches!(why, LinkFailure::ClosedByServer { code: CloseCode::BadFrame, .. }));
    assert_eq!(closed_with(77, "newer"), [warning("code 77, newer")]);
}

#[test]
fn call_wakes_the_driver() {
    let (engine, _events, driver) = engine();
    assert_eq!(driver.poll_link_output(), None);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    assert!(driver.poll_changed(&mut Context::from_waker(&waker)).is_pending());
    engine.login("token", "alice").expect("not logged in");
    assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
    assert!(driver.poll_changed(&mut Context::from_waker(&waker)).is_ready());
}

#[test]
fn cancelled_wait_for_a_change_loses_no_change() {
    let (engine, _events, driver) = engine();
    assert_eq!(driver.poll_link_output(), None);
    assert_eq!(now_or_never(driver.changed()), None);
    engine.login("token", "alice").expect("not logged in");
    assert_eq!(now_or_never(driver.changed()), Some(()));
}

#[test]
fn send_without_login_has_id_and_result_at_once() {
    let (engine, mut events, _driver) = engine();
    let sent = engine.send_message("bob", "hi", RELIABLE).expect("a receiver");
    assert_eq!(sent.id(), MessageId(1));
    assert_eq!(now_or_never(sent), Some(SendCode::NotLoggedIn));
    let code = SendCode::NotLoggedIn;
    assert_eq!(take_all(&mut events), [Event::MessageSendResult { id: MessageId(1), code }]);
    assert_eq!(engine.send_message("", "hi", RELIABLE).err(), Some(SendError::EmptyReceiver));
}

#[test]
fn result_wakes_only_the_last_waker() {
    let (engine, _events, driver) = common::logged_in();
    let mut sent = pin!(engine.send_message("bob", "hi", RELIABLE).expect("a receiver"));
    let (first, second) = (Arc::new(Wakes::default()), Arc::new(Wakes::default()));
    for wakes in [&first, &second] {
        let waker = Waker::from(Arc::clone(wakes));
        assert!(sent.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(driver);
    assert_eq!((first.count(), second.count()), (0, 1));
    assert_eq!(now_or_never(sent), Some(SendCode::Timeout));
}

#[test]
fn destroy_completes_every_send_and_ends_the_events() {
    let (engine, mut events, driver) = common::logged_in();
    let sent = engine.send_message("bob", "hi", RELIABLE).expect("a receiver");
    let room = engine.create_room("room").expect("a good id");
    engine.destroy();
    assert!(engine.is_destroyed());
    assert_eq!(now_or_never(sent), Some(SendCode::Timeout));
    let last = take_all(&mut events).pop();
    assert_eq!(last, Some(Event::Logout(LogoutReason::Own)));
    assert_eq!(now_or_never(events.next()), Some(None));
    assert_eq!(engine.login("token", "alice"), Err(LoginError::NoEngine));
    assert!(room.join().is_err());
    assert!(room.send_message("hi").is_err());
    assert!(!driver.is_finished(), "the logout is not written yet");
    while driver.poll_link_output().is_some() {}
    assert!(driver.is_finished());
}

#[test]
fn last_engine_or_room_handle_destroys_the_engine() {
    let (engine, mut events, driver) = engine();
    let clone = engine.clone();
    let room = engine.create_room("room").expect("a good id");
    drop(engine);
    drop(clone);
    assert_eq!(now_or_never(events.next()), None);
    drop(room);
    assert_eq!(now_or_never(events.next()), Some(None));
    assert!(driver.is_finished());
}

#[test]
fn dropping_the_driver_destroys_the_engine() {
    let (engine, mut events, driver) = common::logged_in();
    let sent = engine.send_message("bob", "hi", RELIABLE).expect("a receiver");
    let mut closed = Box::pin({
        let engine = engine.clone();
        async move { engine.closed().await }
    });
    assert_eq!(common::poll(closed.as_mut()), Poll::Pending);
    drop(driver);
    assert!(engine.is_destroyed());
    assert_eq!(common::poll(closed.as_mut()), Poll::Ready(()));
    assert!(now_or_never(sent).is_some());
    take_all(&mut events);
    assert_eq!(now_or_never(events.next()), Some(None));
}

#[test]
fn dropping_a_send_cancels_nothing() {
    let (engine, mut events, _driver) = common::logged_in();
    drop(engine.send_message("bob", "hi", RELIABLE).expect("a receiver"));
    engine.logout();
    let is_result = |event: &Event| matches!(event, Event::MessageSendResult { .. });
    assert_eq!(take_all(&mut events).iter().filter(|event| is_result(event)).count(), 1);
}

#[test]
fn reading_stops_until_events_are_taken() {
    let (engine, mut events, driver) = engine();
    // Each query makes one event.
    let fill = |count| (0..count).for_each(|_| drop(engine.get_peer_online_status("bob")));
    fill(1_023);
    assert!(driver.wants_read());
    fill(1);
    assert!(!driver.wants_read());
    assert_eq!(driver.poll_link_output(), None);
    assert!(events.try_next().is_some());
    assert!(driver.wants_read());
    assert!(now_or_never(driver.changed()).is_some(), "the driver is woken to read again");
    fill(1);
    assert!(!driver.wants_read());
    drop(events);
    assert!(driver.wants_read(), "events without a stream do not count");
}

#[test]
fn flood_of_unreliable_messages_ends_the_link() {
    let (engine, mut events, driver) = common::logged_in();
    let payload = Bytes::from(vec![0; 65_536]);
    let config = MessageConfig::UnreliableUnordered;
    let send = || engine.send_binary_message("bob", payload.clone(), config).expect("a receiver");
    let sends: Vec<_> = (0..100).map(|_| send()).collect();
    let mut bytes = 0;
    let mut ended = false;
    while let Some(output) = driver.poll_link_output() {
        match output {
            LinkOutput::Transmit(_, chunk) => bytes += chunk.len(),
            LinkOutput::Disconnect(_) => ended = true,
            _ => {}
        }
    }
    assert!(ended && bytes <= 4 * 1_048_576, "{bytes} bytes");
    engine.destroy();
    assert!(sends.into_iter().all(|sent| now_or_never(sent).is_some()));
    take_all(&mut events);
}

#[test]
fn a_tick_before_the_deadline_does_nothing() {
    let (engine, _events, driver) = engine();
    driver.tick();
    assert_eq!(driver.deadline(), None);
    engine.login("token", "alice").expect("not logged in");
    while driver.poll_link_output().is_some() {}
    let deadline = driver.deadline();
    assert!(deadline.is_some());
    driver.tick();
    driver.handle_input(Input::Tick);
    assert_eq!((driver.poll_link_output(), driver.deadline()), (None, deadline));
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
