//! A record says everything that its event says: the event can be made from it again.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use rts_flat::{EventKind, Field, Record};
use rts_proto::client::{CreateRoomError, Event, JoinType, RoomEvent, WarningCode};
use rts_proto::{
    BroadcastCode, ConnectionState, LeaveReason, LoginCode, LogoutReason, MessageId, OnlineStatus,
    Payload, Reply, RoomId, RoomKey, RoomState, SendCode, ServerParamsCode, UserId,
};

fn user(id: &str) -> UserId {
    UserId::new(id).expect("a user id")
}

fn text(data: &[u8]) -> String {
    String::from_utf8(data.to_owned()).expect("UTF-8")
}

fn signed<T: TryFrom<i32, Error: std::fmt::Debug>>(code: i32) -> T {
    code.try_into().expect("a code")
}

fn unsigned<T: TryFrom<u32, Error: std::fmt::Debug>>(code: i32) -> T {
    u32::try_from(code).expect("not negative").try_into().expect("a code")
}

fn payload(record: &Record) -> Payload {
    let is_text = record.kind.fields().iter().any(|(_, field)| *field == Field::Text);
    match is_text {
        true => Payload::text(text(&record.data)),
        false => Payload::binary(record.data.clone()),
    }
}

fn joined(record: &Record) -> RoomEvent {
    let extra = text(&record.data);
    let (how, rest) = match extra.strip_prefix("{\"join_type\":0,\"elapsed\":") {
        Some(rest) => (JoinType::First, rest),
        None => {
            let rest = extra.strip_prefix("{\"join_type\":1,\"elapsed\":").expect("a join type");
            match rest.strip_suffix(",\"resumed\":true}") {
                Some(rest) => (JoinType::Resumed, rest),
                None => (JoinType::Anew, rest.strip_suffix(",\"resumed\":false}").expect("how")),
            }
        }
    };
    let elapsed = rest.trim_end_matches('}').parse().expect("milliseconds");
    RoomEvent::Joined { uid: user(&record.uid), how, elapsed: Duration::from_millis(elapsed) }
}

/// The event of a record.
fn event(record: &Record) -> Event {
    let id = MessageId(record.number.cast_unsigned());
    let from = || user(&record.uid);
    let room_event = match record.kind {
        EventKind::ConnectionStateChanged => {
            return Event::ConnectionStateChanged(unsigned(record.code));
        }
        EventKind::LoginResult => {
            let elapsed = Duration::from_millis(record.number.cast_unsigned());
            return Event::LoginResult { uid: from(), code: signed(record.code), elapsed };
        }
        EventKind::Logout => return Event::Logout(signed(record.code)),
        EventKind::PeerOnlineStatus => {
            let status = unsigned(record.code);
            return Event::PeerOnlineStatus { uid: record.uid.clone(), status };
        }
        EventKind::MessageReceived | EventKind::BinaryMessageReceived => {
            return Event::MessageReceived { from: from(), payload: payload(record) };
        }
        EventKind::MessageSendResult => {
            return Event::MessageSendResult { id, code: unsigned(record.code) };
        }
        EventKind::ServerParamsSetResult => {
            return Event::ServerParamsSetResult(unsigned(record.code));
        }
        EventKind::ServerMessageSendResult => {
            let (code, reply) = (unsigned(record.code), Reply::new(record.data.clone()));
            return Event::ServerMessageSendResult { id, code, reply };
        }
        EventKind::CreateRoomFailed => {
            let all = [CreateRoomError::BadRoom, CreateRoomError::InUse];
            let error = all.into_iter().find(|error| error.code() == record.code);
            let (room, error) = (record.room_id.clone(), error.expect("a code"));
            return Event::CreateRoomFailed { room, error };
        }
        EventKind::Warning => {
            let (code, message) = (unsigned(record.code), text(&record.data));
            return Event::Warning { code, message };
        }
        EventKind::RoomStateChanged if record.code == 0 => joined(record),
        EventKind::RoomStateChanged => {
            assert_eq!(record.data, b"{}");
            let uid = (!record.uid.is_empty()).then(from);
            RoomEvent::StateChanged { uid, state: signed(record.code) }
        }
        EventKind::LeaveRoom => RoomEvent::Left,
        EventKind::RoomMessageReceived | EventKind::RoomBinaryMessageReceived => {
            RoomEvent::MessageReceived { from: from(), payload: payload(record) }
        }
        EventKind::UserMessageReceived | EventKind::UserBinaryMessageReceived => {
            RoomEvent::UserMessageReceived { from: from(), payload: payload(record) }
        }
        EventKind::RoomMessageSendResult => {
            RoomEvent::MessageSendResult { id, code: unsigned(record.code) }
        }
        EventKind::UserJoined => RoomEvent::UserJoined(from()),
        EventKind::UserLeave => RoomEvent::UserLeft { uid: from(), reason: unsigned(record.code) },
        kind => panic!("{kind:?} is not tested"),
    };
    let room = RoomId::new(&record.room_id).expect("a room id");
    Event::Room { key: RoomKey(record.room), room, event: room_event }
}

fn code<T: Clone + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

fn uid() -> impl Strategy<Value = UserId> {
    "[A-Za-z0-9_@.-]{1,128}".prop_map(|id| user(&id))
}

fn payloads() -> impl Strategy<Value = Payload> {
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![any::<String>().prop_map(Payload::text), bytes.prop_map(Payload::binary)]
}

fn id() -> impl Strategy<Value = MessageId> {
    (1..i64::MAX.cast_unsigned()).prop_map(MessageId)
}

fn elapsed() -> impl Strategy<Value = Duration> {
    (0..u64::from(u32::MAX)).prop_map(Duration::from_millis)
}

fn room_events() -> impl Strategy<Value = RoomEvent> {
    let how = code(&[JoinType::First, JoinType::Resumed, JoinType::Anew]);
    let room_errors = code(RoomState::ALL).prop_filter("no join", |state| state.code() != 0);
    prop_oneof![
        (uid(), how, elapsed()).prop_map(|(uid, how, elapsed)| RoomEvent::Joined {
            uid,
            how,
            elapsed
        }),
        (prop::option::of(uid()), room_errors)
            .prop_map(|(uid, state)| RoomEvent::StateChanged { uid, state }),
        Just(RoomEvent::Left),
        (uid(), payloads())
            .prop_map(|(from, payload)| RoomEvent::MessageReceived { from, payload }),
        (uid(), payloads())
            .prop_map(|(from, payload)| RoomEvent::UserMessageReceived { from, payload }),
        (id(), code(BroadcastCode::ALL))
            .prop_map(|(id, code)| RoomEvent::MessageSendResult { id, code }),
        uid().prop_map(RoomEvent::UserJoined),
        (uid(), code(LeaveReason::ALL))
            .prop_map(|(uid, reason)| RoomEvent::UserLeft { uid, reason }),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let room = ("[A-Za-z0-9_@-]{1,128}", 1..u64::MAX, room_events());
    let create_errors = code(&[CreateRoomError::BadRoom, CreateRoomError::InUse]);
    let of_rooms = room.prop_map(|(room, key, event)| {
        let room = RoomId::new(&room).expect("a room id");
        Event::Room { key: RoomKey(key), room, event }
    });
    let others = prop_oneof![
        code(ConnectionState::ALL).prop_map(Event::ConnectionStateChanged),
        (uid(), code(LoginCode::ALL), elapsed())
            .prop_map(|(uid, code, elapsed)| Event::LoginResult { uid, code, elapsed }),
        code(LogoutReason::ALL).prop_map(Event::Logout),
        (any::<String>(), code(OnlineStatus::ALL))
            .prop_map(|(uid, status)| Event::PeerOnlineStatus { uid, status }),
        (uid(), payloads()).prop_map(|(from, payload)| Event::MessageReceived { from, payload }),
        (id(), code(SendCode::ALL)).prop_map(|(id, code)| Event::MessageSendResult { id, code }),
        code(ServerParamsCode::ALL).prop_map(Event::ServerParamsSetResult),
        (id(), code(SendCode::ALL), prop::collection::vec(any::<u8>(), 0..40)).prop_map(
            |(id, code, reply)| {
                Event::ServerMessageSendResult { id, code, reply: Reply::new(reply) }
            }
        ),
        (any::<String>(), create_errors)
            .prop_map(|(room, error)| Event::CreateRoomFailed { room, error }),
        (code(WarningCode::ALL), any::<String>())
            .prop_map(|(code, message)| Event::Warning { code, message }),
    ];
    prop_oneof![others, of_rooms]
}

proptest! {
    #[test]
    fn event_can_be_made_from_its_record(original in events()) {
        let record = Record::from(&original);
        prop_assert_eq!(event(&record), original);
    }

    /// What a binding does not read is empty.
    #[test]
    fn record_has_values_only_in_the_fields_of_its_kind(original in events()) {
        let record = Record::from(&original);
        let has = |field| record.kind.fields().iter().any(|(_, of)| *of == field);
        prop_assert!(has(Field::Code) || record.code == 0);
        prop_assert!(has(Field::Number) || record.number == 0);
        prop_assert!(has(Field::Uid) || record.uid.is_empty());
        prop_assert!(has(Field::RoomId) || record.room_id.is_empty());
        prop_assert!(has(Field::Text) || has(Field::Bytes) || record.data.is_empty());
        prop_assert_eq!(record.room != 0, matches!(original, Event::Room { .. }));
        prop_assert_eq!(record.kind.is_of_room(), record.room != 0);
        if has(Field::Text) {
            prop_assert!(str::from_utf8(&record.data).is_ok());
        }
    }
}

#[test]
fn all_kinds_of_events_are_tested() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = events();
    let kinds: BTreeSet<EventKind> = (0..2_000)
        .map(|_| strategy.new_tree(&mut runner).expect("an event").current())
        .map(|event| Record::from(&event).kind)
        .collect();
    assert_eq!(kinds.len(), EventKind::ALL.len(), "{kinds:?}");
}

#[test]
fn debug_shows_no_payload() {
    let from = user("alice");
    let record = Record::from(&Event::MessageReceived { from, payload: Payload::text("a secret") });
    let shown = format!("{record:?}");
    assert!(shown.contains("8 bytes") && !shown.contains("secret"), "{shown}");
}
