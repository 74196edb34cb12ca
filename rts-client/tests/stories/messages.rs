//! Logging in, and messages to users and to the app server.

use std::borrow::Cow;
use std::error::Error as _;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_lite::future::or;
use rts_client::{
    BuildError, ConnectOptions, Connector, Culprit, Engine, Event, LinkError, LinkFailure,
    LoginError, LoginStatus, LogoutReason, MessageConfig, NoLink, OnlineStatus, Reason, SendError,
    ServerParamsError, Timing,
};

use crate::support::{APP_ID, Site, next, next_message, soon, user};

#[tokio::test]
async fn sender_gets_result_of_arrived_message() {
    let site = Site::open().await;
    let (alice, mut alices) = site.log_in("alice").await;
    let (_bob, mut bobs) = site.log_in("bob").await;

    soon(alice.send("bob", "hi")).await.expect("bob has it");
    assert_eq!(next_message(&mut bobs).await, ("alice".to_owned(), "hi".to_owned()));

    // Not awaited, it is sent all the same, and the result is an event too.
    let sending = alice.send_with("bob", "again", MessageConfig::UnreliableOrdered);
    let id = sending.id().expect("accepted");
    drop(sending);
    assert_eq!(next_message(&mut bobs).await.1, "again");
    let result = |event| match event {
        Event::SendResult { id: other, result } if other == id => Some(result),
        _ => None,
    };
    assert_eq!(next(&mut alices, result).await, Ok(()));
}

#[tokio::test]
async fn bytes_arrive_as_bytes() {
    let site = Site::open().await;
    let (alice, mut events) = site.log_in("alice").await;
    soon(alice.send("alice", vec![1, 2, 3])).await.expect("alice has it");
    let received = |event| match event {
        Event::Message { payload, .. } => Some(payload),
        _ => None,
    };
    assert_eq!(next(&mut events, received).await, vec![1, 2, 3].into());
}

#[tokio::test]
async fn undelivered_message_has_reason_and_culprit() {
    let site = Site::open().await;
    let (alice, _events) = site.log_in("alice").await;
    let not_delivered = |reason| Err(SendError::NotDelivered(reason));
    for (to, text, reason, code, culprit) in [
        ("bob", "hi", Reason::ReceiverOffline, 4, Culprit::Receiver),
        ("no one", "hi", Reason::InvalidReceiver, 3, Culprit::Application),
        ("", "hi", Reason::EmptyReceiver, -2, Culprit::Application),
        ("bob", &"x".repeat(65_537), Reason::TooLong, 103, Culprit::Application),
    ] {
        let sent = soon(alice.send(to, text)).await;
        assert_eq!(sent, not_delivered(reason));
        let error = sent.expect_err("not delivered");
        assert_eq!((error.code(), error.culprit()), (code, culprit), "{error}");
        assert!(error.is_not_delivered());
    }
    alice.logout();
    assert_eq!(soon(alice.send("bob", "hi")).await, not_delivered(Reason::NotLoggedIn));
    soon(alice.close()).await;
    let sending = alice.send("bob", "hi");
    assert_eq!(sending.id(), Err(SendError::NotDelivered(Reason::EngineClosed)));
    assert_eq!(soon(sending).await, not_delivered(Reason::EngineClosed));
}

#[tokio::test]
async fn login_returns_its_result() {
    let site = Site::open().await;
    let alice = site.engine();
    let code = |result: Result<(), LoginError>| result.map_err(|error| error.code());
    assert_eq!(code(soon(alice.login("token", "no one")).await), Err(Some(-1)));
    assert_eq!(code(soon(alice.login("refused", "alice")).await), Err(Some(-1000)));
    assert_eq!(code(soon(alice.login("token", "alice")).await), Ok(()));
    assert_eq!(code(soon(alice.login("token", "alice")).await), Err(Some(-2)));
    soon(alice.close()).await;
    assert_eq!(code(soon(alice.login("token", "alice")).await), Err(Some(-3)));
}

#[tokio::test]
async fn a_refused_connection_is_an_error_that_can_be_matched() {
    let engine = Engine::builder("rts://127.0.0.1:1", APP_ID).build().expect("good arguments");
    let mut events = engine.events();
    assert!(engine.last_link_error().is_none());
    let login = engine.login("token", "alice");
    let warning = next(&mut events, |event| match event {
        Event::Warning { message, .. } => Some(message),
        _ => None,
    });
    let message = soon(or(async { panic!("{:?}", login.await) }, warning)).await;
    let failure = engine.last_link_error().expect("it has failed");
    assert_eq!(failure.to_string(), message);
    let LinkFailure::NoLink(why) = &failure else { panic!("{failure:?}") };
    let why = why.downcast_ref::<NoLink>().expect("the driver's error");
    assert_eq!(why.address().to_string(), "rts://127.0.0.1:1");
    let LinkError::Connect { error, .. } = why.error() else { panic!("{why:?}") };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    let source = failure.source().expect("the error of the system");
    assert_eq!(source.to_string(), error.to_string());
}

#[tokio::test]
async fn a_logout_ends_a_login_that_has_no_answer() {
    // Nobody answers at this address.
    let engine = Engine::builder("rts://127.0.0.1:1", APP_ID).build().expect("good arguments");
    let login = tokio::spawn({
        let engine = engine.clone();
        async move { engine.login("token", "alice").await }
    });
    let mut watch = engine.contract().watch_login();
    soon(watch.changed()).await;
    engine.logout();
    let ended = soon(login).await.expect("no panic");
    let is_own = matches!(ended, Err(LoginError::LoggedOut(LogoutReason::Own)));
    assert!(is_own, "{ended:?}");
}

#[tokio::test]
async fn login_does_not_get_the_answer_of_the_next_one() {
    let site = Site::open().await;
    let engine = site.engine();
    let mut alices = pin!(engine.login("token", "alice"));
    assert!(alices.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    engine.logout();
    soon(engine.login("token", "bob")).await.expect("accepted");
    let ended = soon(alices).await;
    assert!(matches!(ended, Err(LoginError::LoggedOut(LogoutReason::Own))), "{ended:?}");
}

#[tokio::test]
async fn timeout_can_be_changed_on_a_running_engine() {
    let site = Site::open().await;
    let (alice, _events) = site.log_in("alice").await;
    assert!(alice.set_timing(Timing::Send, Duration::from_millis(9)).is_err());
    alice.set_timing(Timing::Send, Duration::from_millis(10)).expect("in range");
    site.node.shutdown(Duration::ZERO);
    let sent = soon(alice.send("alice", "hi")).await;
    assert!(sent.is_err(), "it did not wait for 10 s: {sent:?}");
}

#[tokio::test]
async fn displaced_login_gets_event_and_stays_offline() {
    let site = Site::open().await;
    let (older, mut events) = site.log_in("alice").await;
    let (_newer, _) = site.log_in("alice").await;
    let logged_out = |event| match event {
        Event::LoggedOut(reason) => Some(reason),
        _ => None,
    };
    assert_eq!(next(&mut events, logged_out).await, LogoutReason::Displaced);
    assert!(!older.is_online());
}

#[tokio::test]
async fn online_status_follows_login_and_logout() {
    let site = Site::open().await;
    let (alice, _events) = site.log_in("alice").await;
    assert_eq!(soon(alice.online_status("alice")).await, OnlineStatus::Online);
    assert_eq!(soon(alice.online_status("bob")).await, OnlineStatus::Offline);
    alice.logout();
    assert_eq!(soon(alice.online_status("alice")).await, OnlineStatus::Unreachable);
}

#[tokio::test]
async fn app_server_answers() {
    let site = Site::open().await;
    let (alice, _events) = site.log_in("alice").await;
    let error = soon(alice.send_to_server("hi")).await.expect_err("no params");
    assert_eq!(error, SendError::NotDelivered(Reason::NoServerParams));
    let refused = soon(alice.set_server_params("signature", "http://forbidden/")).await;
    assert_eq!(refused, Err(ServerParamsError::Refused));
    soon(alice.set_server_params("signature", "http://app/")).await.expect("allowed");
    assert_eq!(&*soon(alice.send_to_server("hi")).await.expect("answered"), b"hi");
    assert_eq!(soon(alice.send_to_server("bad")).await, Err(SendError::BadAnswer));
}

/// The answer that comes at once is not for the call that waits.
#[tokio::test]
async fn params_refused_at_once_leave_earlier_call_open() {
    let site = Site::open().await;
    let (alice, _events) = site.log_in("alice").await;
    let (contract, too_long) = (alice.contract(), "x".repeat(1_025));
    let first = contract.set_server_params("signature", "http://app/");
    let second = contract.set_server_params(&too_long, "http://app/");
    assert_eq!(soon(second).await.code(), 1000);
    assert_eq!(soon(first).await.code(), 200);
}

#[tokio::test]
async fn engine_runs_without_event_stream() {
    let site = Site::open().await;
    let alice = site.engine();
    soon(alice.login("token", "alice")).await.expect("accepted");
    // More than would wait unread in a stream.
    for _ in 0..1_100 {
        match soon(alice.send("alice", "hi")).await {
            Ok(()) => {}
            Err(SendError::NotDelivered(Reason::OverRate)) => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(alice.is_online());
}

#[tokio::test]
async fn new_event_stream_continues_after_the_old_one() {
    let site = Site::open().await;
    let (alice, mut old) = site.log_in("alice").await;
    soon(alice.send("alice", "first")).await.expect("alice has it");
    let mut new = alice.events();
    assert!(soon(old.next()).await.is_none(), "it has ended");
    soon(alice.send("alice", "second")).await.expect("alice has it");
    assert_eq!(next_message(&mut new).await.1, "first");
    assert_eq!(next_message(&mut new).await.1, "second");
    drop(old);
    soon(alice.send("alice", "third")).await.expect("alice has it");
    assert_eq!(next_message(&mut new).await.1, "third");
    soon(alice.close()).await;
    while soon(new.next()).await.is_some() {}
}

#[tokio::test]
async fn builder_refuses_invalid_configuration() {
    let error = |builder: rts_client::Builder| builder.build().expect_err("refused").to_string();
    let at = |address: &str| Engine::builder(address, APP_ID);
    assert!(error(at("http://a:1")).contains("rts://127.0.0.1:7600"));
    assert!(error(Engine::builder("rts://a:1", "short")).contains("exactly 24"));
    let slow = at("rts://a:1").send_timeout(Duration::from_secs(3_601));
    assert!(matches!(slow.build(), Err(BuildError::Timing(_))));
    let quick = at("rts://a:1").send_timeout(Duration::from_millis(9));
    assert!(error(quick).contains("from 10 ms to an hour"));
    assert!(at("rts://a:1").send_timeout(Duration::from_millis(10)).build().is_ok());
    let connector = Connector::new("rts://a:1", ConnectOptions::default()).expect("an address");
    let over = Engine::builder_over(connector, APP_ID);
    let over = over.connect_options(ConnectOptions::default()).build();
    assert!(matches!(over, Err(BuildError::OptionsOfConnector)), "{over:?}");
}

#[cfg(feature = "smol")]
#[test]
fn engine_uses_smol_outside_tokio() {
    let engine = Engine::builder("rts://127.0.0.1:1", APP_ID).build().expect("good arguments");
    let mut events = engine.events();
    engine.contract().login("token", "alice").expect("not logged in");
    let event = futures_lite::future::block_on(events.next());
    assert!(matches!(event, Some(Event::Connection(_))), "{event:?}");
}

#[cfg(not(feature = "smol"))]
#[test]
fn engine_needs_a_runtime() {
    let error = Engine::builder("rts://127.0.0.1:1", APP_ID).build().expect_err("no runtime");
    assert!(
        matches!(error, BuildError::Connect(rts_client::contract::ConnectError::NoRuntime)),
        "{error}"
    );
}

#[tokio::test]
async fn a_lost_session_is_an_event_and_a_resumed_one_is_not() {
    let mut site = Site::open().await;
    let (alice, mut events) = site.log_in("alice").await;
    assert_eq!((alice.uid(), alice.login_status()), (Some(user("alice")), LoginStatus::LoggedIn));
    // The engine opens another link, and its session continues.
    alice.network_changed();
    soon(alice.send("alice", "hi")).await.expect("alice is there");
    while let Some(event) = events.try_next() {
        assert!(!matches!(event, Event::MessagesMayBeMissing), "{event:?}");
    }
    site.restart().await;
    let missing = |event| matches!(event, Event::MessagesMayBeMissing).then_some(());
    next(&mut events, missing).await;
    assert!(alice.is_online());
    soon(alice.send("alice", "hi")).await.expect("alice is there again");
    while let Some(event) = events.try_next() {
        assert!(!matches!(event, Event::MessagesMayBeMissing), "once: {event:?}");
    }
    alice.logout();
    assert_eq!(alice.uid(), None);
    assert_eq!(alice.login_status(), LoginStatus::LoggedOut(LogoutReason::Own));
}

#[tokio::test]
async fn every_usual_kind_of_text_and_bytes_can_be_sent() {
    let site = Site::open().await;
    let (alice, mut events) = site.log_in("alice").await;
    let (text, uid) = (String::from("hi"), user("alice"));
    for sending in [
        alice.send("alice", "hi"),
        alice.send(&uid, &text),
        alice.send(uid.clone(), Cow::Borrowed("hi")),
        alice.send(String::from("alice"), text.clone()),
        alice.send("alice", b"hi"),
    ] {
        soon(sending).await.expect("alice is there");
    }
    let payload = |event| match event {
        Event::Message { payload, .. } => Some(payload),
        _ => None,
    };
    for _ in 0..4 {
        assert_eq!(next(&mut events, payload).await, "hi".into());
    }
    assert_eq!(next(&mut events, payload).await, b"hi".into());
}
