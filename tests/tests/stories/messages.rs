//! Messages to users, and their results.

use bytes::Bytes;
use rts_proto::client::{Event, Parameters, SendError};
use rts_proto::server::Config;
use rts_proto::{Instant, MessageConfig, MessageId, OnlineStatus, Payload, SendCode};
use rts_testkit::World;

use super::seconds;
use rts_tests::without_rates;

const ALICE: usize = 0;
const BOB: usize = 1;

fn two() -> World {
    let mut world = World::new(without_rates(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    world
}

#[test]
fn text_and_binary_share_one_order() {
    let mut world = two();
    for number in 0..100_u8 {
        let payload = match number % 2 {
            0 => Payload::text(&*number.to_string()),
            _ => Payload::binary(Bytes::from(vec![number])),
        };
        world.send_as(ALICE, "bob", payload, MessageConfig::ReliableOrdered);
    }
    world.run_for(seconds(1));
    let numbers: Vec<u8> = world
        .take_events(BOB)
        .iter()
        .filter_map(|event| match event {
            Event::MessageReceived { payload: Payload::Text(text), .. } => text.parse().ok(),
            Event::MessageReceived { payload: Payload::Binary(bytes), .. } => Some(bytes[0]),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    assert_eq!(world.results(ALICE), (1..=100).map(|id| (id, SendCode::Ok)).collect::<Vec<_>>());
}

#[test]
fn result_0_follows_the_receivers_acknowledgement() {
    let mut world = two();
    world.send(ALICE, "bob", "hi");
    // One way is 10 ms: at 25 ms bob has it, and his acknowledgement is on its way.
    world.run_for(std::time::Duration::from_millis(25));
    assert_eq!((world.texts(BOB).len(), world.results(ALICE).len()), (1, 0));
    world.run_for(std::time::Duration::from_millis(20));
    assert_eq!(world.results(ALICE), [(1, SendCode::Ok)]);
}

/// The messages that an engine received from users: sender, whether it is text, and bytes.
fn received(world: &mut World, who: usize) -> Vec<(String, bool, Vec<u8>)> {
    let message = |event| match event {
        Event::MessageReceived { from, payload } => Some((from.as_str().to_owned(), payload)),
        _ => None,
    };
    let messages = world.take_events(who).into_iter().filter_map(message);
    let parts = messages.map(|(from, payload)| match payload {
        Payload::Text(text) => (from, true, text.as_bytes().to_vec()),
        Payload::Binary(bytes) => (from, false, bytes.to_vec()),
    });
    parts.collect()
}

#[test]
fn payload_is_limited_to_the_byte() {
    let mut world = two();
    for bytes in [0, 1, 65_535, 65_536, 65_537] {
        let payload = Payload::binary(vec![7; bytes]);
        world.send_as(ALICE, "bob", payload, MessageConfig::ReliableOrdered);
    }
    world.run_for(seconds(1));
    let mut results = world.results(ALICE);
    results.sort_unstable();
    assert_eq!(
        results,
        [
            (1, SendCode::Ok),
            (2, SendCode::Ok),
            (3, SendCode::Ok),
            (4, SendCode::Ok),
            (5, SendCode::TooLong)
        ]
    );
    let lengths: Vec<_> = received(&mut world, BOB).iter().map(|(.., bytes)| bytes.len()).collect();
    assert_eq!(lengths, [0, 1, 65_535, 65_536]);
}

#[test]
fn payload_and_sender_arrive_unchanged() {
    let texts = ["", " a\0b ", "\u{feff}\r\n", "\u{e9}, e\u{301}, \u{1f600}"];
    let all_bytes: Vec<u8> = (0..=255).collect();
    let binaries = [&b""[..], b"text", b"\0", &all_bytes];
    let of_texts = texts.map(|text| ("alice".to_owned(), true, text.as_bytes().to_vec()));
    let of_binaries = binaries.map(|bytes| ("alice".to_owned(), false, bytes.to_vec()));
    for config in [
        MessageConfig::ReliableOrdered,
        MessageConfig::UnreliableOrdered,
        MessageConfig::UnreliableUnordered,
    ] {
        let mut world = two();
        let binaries = binaries.map(|bytes| Payload::binary(bytes.to_vec()));
        for payload in texts.map(Payload::text).into_iter().chain(binaries) {
            world.send_as(ALICE, "bob", payload, config);
        }
        world.run_for(seconds(1));
        let wanted = [&of_texts[..], &of_binaries].concat();
        assert_eq!(received(&mut world, BOB), wanted, "{config:?}");
    }
}

/// The events of alice and bob in a conversation. If `noisy`, an engine of another app has their
/// names and many faults.
fn events_beside(noisy: bool) -> [Vec<(Instant, Event)>; 2] {
    let mut world = two();
    let other = noisy.then(|| world.add("876543218765432187654321", Parameters::default()));
    for round in 0..10 {
        if let Some(other) = other {
            let token = world.token_for(other, "bob", seconds(3));
            let _ = world.call(other, |engine, now| engine.login(now, &token, "bob"));
            for _ in 0..round {
                world.send(other, "alice", "noise");
            }
            match round % 3 {
                0 => world.cut(other),
                1 => world.call(other, |engine, now| engine.logout(now)),
                _ => {}
            }
        }
        world.send(ALICE, "bob", "x");
        world.call(BOB, |engine, now| engine.get_peer_online_status(now, "alice"));
        world.run_for(seconds(1));
    }
    [ALICE, BOB].map(|who| world.take_timed_events(who))
}

#[test]
fn noisy_other_app_changes_nothing() {
    assert_eq!(events_beside(true), events_beside(false));
}

#[test]
fn undeliverable_messages_get_their_codes() {
    let mut world = two();
    world.send(ALICE, "nobody", "x");
    world.send(ALICE, "not a uid", "x");
    world.send(ALICE, "alice", "to myself");
    world.run_for(seconds(1));
    let mut results = world.results(ALICE);
    results.sort_unstable();
    assert_eq!(
        results,
        [(1, SendCode::ReceiverNotLoggedIn), (2, SendCode::ReceiverNotFound), (3, SendCode::Ok)]
    );
    let empty = world.call(ALICE, |engine, now| {
        engine.send_message(now, "", Payload::text("x"), MessageConfig::ReliableOrdered)
    });
    assert_eq!(empty, Err(SendError::EmptyReceiver));
    assert_eq!(world.send(ALICE, "bob", "x"), 4, "a refused call used up no id");
}

#[test]
fn unreliable_messages_have_results_too() {
    let mut world = two();
    let configs = [MessageConfig::UnreliableOrdered, MessageConfig::UnreliableUnordered];
    for config in configs {
        world.send_as(ALICE, "bob", Payload::text("x"), config);
    }
    world.run_for(seconds(1));
    assert_eq!(
        (world.texts(BOB).len(), world.results(ALICE)),
        (2, vec![(1, SendCode::Ok), (2, SendCode::Ok)])
    );
    world.net.refuses = true;
    world.cut(ALICE);
    world.run_for(seconds(1));
    world.send_as(ALICE, "bob", Payload::text("x"), configs[0]);
    assert_eq!(
        world.results(ALICE).last(),
        Some(&(3, SendCode::Broken)),
        "at once, while the link is down"
    );
}

#[test]
fn messages_are_limited_to_100_a_second() {
    let mut world = World::new(Config::default(), 1, 1);
    world.log_in(ALICE, "alice");
    for _ in 0..101 {
        world.send(ALICE, "nobody", "x");
    }
    world.run_for(seconds(1));
    let codes: Vec<SendCode> = world.results(ALICE).into_iter().map(|(_, code)| code).collect();
    assert_eq!(codes[..100], [SendCode::ReceiverNotLoggedIn; 100]);
    assert_eq!(codes[100..], [SendCode::OverRate]);
}

#[test]
fn every_send_has_one_result_when_the_login_ends() {
    for end in ["logout", "destroy", "displaced"] {
        let mut world = World::new(without_rates(), 3, 1);
        world.log_in(ALICE, "alice");
        world.log_in(BOB, "bob");
        for _ in 0..20 {
            world.send(ALICE, "bob", "x");
        }
        world.call(ALICE, |engine, now| engine.get_peer_online_status(now, "bob"));
        match end {
            "logout" => world.call(ALICE, |engine, now| engine.logout(now)),
            "destroy" => world.call(ALICE, |engine, now| engine.destroy(now)),
            _ => {
                let token = world.token("alice");
                world.call(2, |e, now| e.login(now, &token, "alice")).expect("login");
            }
        }
        world.run_for(seconds(30));
        let mut ids: Vec<u64> = world.results(ALICE).iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        assert_eq!(ids, (1..=20).collect::<Vec<_>>(), "{end}");
        let events = world.take_events(ALICE);
        let answers = events.iter().filter(|e| matches!(e, Event::PeerOnlineStatus { .. })).count();
        assert_eq!(answers, 1, "{end}");
        assert!(matches!(events.last(), Some(Event::Logout(_))), "{end}: {:?}", events.last());
    }
}

#[test]
fn message_ids_continue_after_logout_and_login() {
    let mut world = two();
    assert_eq!(world.send(ALICE, "bob", "x"), 1);
    world.call(ALICE, |engine, now| engine.logout(now));
    assert_eq!(world.send(ALICE, "bob", "x"), 2);
    assert_eq!(
        world.take_events(ALICE).last(),
        Some(&Event::MessageSendResult { id: MessageId(2), code: SendCode::NotLoggedIn })
    );
    world.log_in(ALICE, "alice");
    assert_eq!(world.send(ALICE, "bob", "x"), 3);
}

#[test]
fn status_follows_the_last_byte_received() {
    let mut world = two();
    let received = world.now();
    let status = |world: &mut World| {
        world.take_events(ALICE);
        world.call(ALICE, |engine, now| engine.get_peer_online_status(now, "bob"));
        world.run_for(std::time::Duration::from_millis(50));
        world.take_events(ALICE).into_iter().find_map(|event| match event {
            Event::PeerOnlineStatus { status, .. } => Some(status),
            _ => None,
        })
    };
    assert_eq!(status(&mut world), Some(OnlineStatus::Online));
    // Bob's process stops without a notice.
    world.freeze(BOB);
    for (second, wanted) in [
        (13, OnlineStatus::Online),
        (16, OnlineStatus::Unreachable),
        (29, OnlineStatus::Unreachable),
        (31, OnlineStatus::Offline),
    ] {
        let until = received + seconds(second);
        let wait = until.since(world.now());
        world.run_for(wait);
        assert_eq!(status(&mut world), Some(wanted), "after {second} s");
    }
}

#[test]
fn send_is_101_and_status_2_while_logging_in() {
    let mut world = World::new(Config::default(), 1, 1);
    let token = world.token("alice");
    world.call(ALICE, |engine, now| engine.login(now, &token, "alice")).expect("login");
    world.send(ALICE, "bob", "x");
    world.call(ALICE, |engine, now| engine.get_peer_online_status(now, "bob"));
    assert_eq!(world.results(ALICE), [(1, SendCode::NotInitialised)]);
    assert_eq!(statuses(&mut world), [OnlineStatus::Unreachable]);
}

fn statuses(world: &mut World) -> Vec<OnlineStatus> {
    let status = |event| match event {
        Event::PeerOnlineStatus { status, .. } => Some(status),
        _ => None,
    };
    world.take_events(ALICE).into_iter().filter_map(status).collect()
}

#[test]
fn message_to_self_arrives() {
    let mut world = two();
    world.send(ALICE, "alice", "note to myself");
    world.run_for(seconds(1));
    assert_eq!(world.texts(ALICE), ["note to myself"]);
    assert_eq!(world.results(ALICE), [(1, SendCode::Ok)]);
}

#[test]
fn unreliable_message_does_not_wait_for_a_link() {
    let mut world = two();
    world.block_connects(BOB);
    world.run_for(seconds(1));
    world.send_as(ALICE, "bob", Payload::text("x"), MessageConfig::UnreliableOrdered);
    world.run_for(std::time::Duration::from_millis(50));
    assert_eq!(world.results(ALICE), [(1, SendCode::Broken)]);
    world.allow_connects(BOB);
    world.run_for(seconds(10));
    assert_eq!(world.texts(BOB), Vec::<String>::new(), "not sent, as it was said");
}

#[test]
fn absent_receiver_times_out_after_10_seconds() {
    let mut world = two();
    world.block_connects(BOB);
    world.run_for(seconds(1));
    world.send(ALICE, "bob", "x");
    world.run_for(std::time::Duration::from_millis(9_999));
    assert_eq!(world.results(ALICE), []);
    world.run_for(std::time::Duration::from_millis(1));
    assert_eq!(world.results(ALICE), [(1, SendCode::Timeout)]);
    world.allow_connects(BOB);
    world.run_for(seconds(10));
    assert_eq!(world.texts(BOB), ["x"], "unknown: it arrived after all");
    assert_eq!(world.results(ALICE).len(), 1);
}

#[test]
fn unacknowledged_message_of_ended_session_is_unknown() {
    // One way is 10 ms: bob's logout and the message pass each other.
    let mut world = two();
    world.send(ALICE, "bob", "x");
    world.run_for(std::time::Duration::from_millis(5));
    world.call(BOB, |engine, now| engine.logout(now));
    world.run_for(seconds(1));
    assert_eq!(
        (world.results(ALICE), world.texts(BOB)),
        (vec![(1, SendCode::Timeout)], vec![]),
        "logout"
    );

    let mut world = two();
    world.freeze(BOB);
    world.run_for(seconds(25));
    world.send(ALICE, "bob", "x");
    world.run_for(seconds(6));
    assert_eq!(world.results(ALICE), [(1, SendCode::Timeout)], "the end of its grace");
    world.send(ALICE, "bob", "x");
    world.run_for(seconds(1));
    assert_eq!(
        world.results(ALICE),
        [(1, SendCode::Timeout), (2, SendCode::ReceiverNotLoggedIn)],
        "then nobody is there"
    );
}

#[test]
fn status_queries_are_limited_to_10_a_second() {
    let mut world = World::new(Config::default(), 1, 1);
    world.log_in(ALICE, "alice");
    world.take_events(ALICE);
    for _ in 0..11 {
        world.call(ALICE, |engine, now| engine.get_peer_online_status(now, "nobody"));
    }
    world.run_for(seconds(1));
    let answers = statuses(&mut world);
    assert_eq!(answers[..10], [OnlineStatus::Offline; 10]);
    assert_eq!(answers[10..], [OnlineStatus::Unreachable]);
}

#[test]
fn status_query_waits_for_the_link() {
    let mut world = two();
    world.block_connects(ALICE);
    world.run_for(seconds(1));
    world.take_events(ALICE);
    let ask = |world: &mut World| {
        world.call(ALICE, |engine, now| engine.get_peer_online_status(now, "bob"));
    };
    ask(&mut world);
    world.run_for(seconds(1));
    assert_eq!(statuses(&mut world), []);
    world.allow_connects(ALICE);
    world.run_for(seconds(8));
    assert_eq!(statuses(&mut world), [OnlineStatus::Online]);
    world.block_connects(ALICE);
    ask(&mut world);
    world.run_for(seconds(11));
    assert_eq!(statuses(&mut world), [OnlineStatus::Unreachable]);
}
