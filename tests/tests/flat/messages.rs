//! Calls and events through the border.

use std::thread;
use std::time::Duration;

use rts_flat::{CallKind, EventKind, Polled, poll};

use crate::support::{Host, Served};

#[test]
fn message_arrives_with_its_one_result() {
    let served = Served::start();
    let (alice, bob) = (Host::of(&served, "alice"), Host::of(&served, "bob"));
    let text = "\u{1f600} \0 and so on";
    assert_eq!(alice.call(CallKind::SendMessage, ["bob", text]), 1);
    let received = bob.until(EventKind::MessageReceived);
    assert_eq!((received.uid.as_str(), received.data), ("alice", text.as_bytes().to_owned()));
    let result = alice.until(EventKind::MessageSendResult);
    assert_eq!((result.number, result.code), (1, 0));
    assert_eq!(alice.call(CallKind::SendMessage, ["nobody", ""]), 2);
    let result = alice.until(EventKind::MessageSendResult);
    assert_eq!((result.number, result.code), (2, 4));
}

#[test]
fn room_has_a_key_and_its_events_have_it() {
    let served = Served::start();
    let hosts = ["alice", "bob"].map(|uid| Host::of(&served, uid));
    let rooms = hosts.each_ref().map(|host| {
        let room = host.call(CallKind::CreateRoom, ["lobby", ""]).cast_unsigned();
        assert_eq!(host.call_in(room, CallKind::JoinRoom, ["", ""]), 0);
        let joined = host.until(EventKind::RoomStateChanged);
        assert_eq!((joined.room, joined.code), (room, 0));
        assert!(joined.data.starts_with(b"{\"join_type\":0,\"elapsed\":"));
        room
    });
    assert_eq!(hosts[0].call_in(rooms[0], CallKind::SendRoomMessage, ["", "hello"]), 1);
    let received = hosts[1].until(EventKind::RoomMessageReceived);
    assert_eq!((received.room, received.data), (rooms[1], b"hello".to_vec()));
    assert_eq!(hosts[0].until(EventKind::RoomMessageSendResult).code, 200);
    assert_eq!(hosts[0].call_in(rooms[0], CallKind::DestroyRoom, ["", ""]), 0);
    assert_eq!(hosts[0].call_in(rooms[0], CallKind::JoinRoom, ["", ""]), -3);
    assert_eq!(hosts[1].until(EventKind::UserLeave).uid, "alice");
}

/// No event of a room follows when its destruction has returned, although some wait.
#[test]
fn destroyed_room_has_no_events() {
    let served = Served::start();
    let (alice, bob) = (Host::of(&served, "alice"), Host::of(&served, "bob"));
    let [at_alice, at_bob] = [&alice, &bob].map(|host| {
        let room = host.call(CallKind::CreateRoom, ["lobby", ""]).cast_unsigned();
        assert_eq!(host.call_in(room, CallKind::JoinRoom, ["", ""]), 0);
        host.until(EventKind::RoomStateChanged);
        room
    });
    for _ in 0..20 {
        assert!(bob.call_in(at_bob, CallKind::SendRoomMessage, ["", "hello"]) > 0);
    }
    for _ in 0..20 {
        bob.until(EventKind::RoomMessageSendResult);
    }
    // What bob has sent to alice arrives behind his broadcasts.
    assert!(bob.call(CallKind::SendMessage, ["alice", "the end"]) > 0);
    bob.until(EventKind::MessageSendResult);
    alice.call_in(at_alice, CallKind::DestroyRoom, ["", ""]);
    loop {
        let record = alice.next();
        assert_eq!(record.room, 0, "{record:?}");
        if record.kind == EventKind::MessageReceived {
            break;
        }
    }
}

/// A host that polls seldom slows down those who send to it, and loses nothing.
#[test]
fn slow_host_gets_every_event_once_and_in_order() {
    const MESSAGES: i64 = 5_000;
    let served = Served::start();
    let (alice, bob) = (Host::of(&served, "alice"), Host::of(&served, "bob"));
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..=MESSAGES {
                let received = bob.until(EventKind::MessageReceived);
                assert_eq!(received.data, number.to_string().as_bytes());
                if number % 1_000 == 0 {
                    thread::sleep(Duration::from_millis(100));
                }
            }
        });
        let mut sent = 0;
        for number in 1..=MESSAGES {
            while sent < MESSAGES && sent - number < 500 {
                sent += 1;
                assert_eq!(alice.call(CallKind::SendMessage, ["bob", &sent.to_string()]), sent);
            }
            let result = alice.until(EventKind::MessageSendResult);
            assert_eq!((result.number, result.code), (number, 0));
        }
    });
    assert_eq!(poll(bob.0, Some(Duration::from_millis(50))), Polled::Nothing);
}
