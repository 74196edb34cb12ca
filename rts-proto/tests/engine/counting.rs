//! The last ids of their sequences: they are used, and then nothing wraps or panics.

use rts_proto::client::{BroadcastError, Event, RoomEvent, SendError};
use rts_proto::wire::Frame;
use rts_proto::{MessageConfig, MessageId, Payload, SendCode};

use crate::support::Stage;

const LAST_BUT_TWO: MessageId = MessageId(MessageId::MAX.0 - 2);
const LAST_TWO: [MessageId; 2] = [MessageId(MessageId::MAX.0 - 1), MessageId::MAX];

#[test]
fn uses_last_message_id_and_refuses_the_next_send() {
    let mut stage = Stage::logged_in();
    stage.engine.count_on_after(LAST_BUT_TWO);
    assert_eq!([stage.sends("one"), stage.sends("two")], LAST_TWO);
    let ids: Vec<MessageId> = stage
        .sent_frames()
        .into_iter()
        .filter_map(|frame| match frame {
            Frame::Send { id, .. } => Some(id),
            _ => None,
        })
        .collect();
    assert_eq!(ids, LAST_TWO);

    let config = MessageConfig::ReliableOrdered;
    for _ in 0..3 {
        let refused = stage.engine.send_message(stage.now, "bob", Payload::text("three"), config);
        assert_eq!(refused, Err(SendError::NoMoreIds));
        // Messages to the app server share the sequence.
        let refused = stage.engine.send_server_message(stage.now, Payload::text("three"));
        assert_eq!(refused, Err(SendError::NoMoreIds));
    }
    assert_eq!(SendError::NoMoreIds.code(), -1);
    assert_eq!(stage.results(), [], "a refused call has no result");

    // Accepted messages have their results as usual.
    stage.engine.logout(stage.now);
    stage.drain();
    assert_eq!(stage.results(), LAST_TWO.map(|id| (id, SendCode::Timeout)));
}

#[test]
fn uses_last_broadcast_id_and_refuses_the_next_broadcast() {
    let mut stage = Stage::logged_in();
    let room = stage.joined("room");
    stage.engine.count_on_after(LAST_BUT_TWO);
    for last in LAST_TWO {
        let given = stage.engine.send_room_message(stage.now, room, Payload::text("hello"));
        assert_eq!(given, Ok(last));
    }
    let refused = stage.engine.send_room_message(stage.now, room, Payload::text("hello"));
    assert_eq!(refused, Err(BroadcastError::NoMoreIds));
    stage.drain();
    let is_result = |event: &Event| {
        matches!(event, Event::Room { event: RoomEvent::MessageSendResult { .. }, .. })
    };
    assert!(!stage.events.iter().any(is_result), "{:?}", stage.events);

    // Each handle of a room has a sequence of its own.
    let other = stage.engine.create_room(stage.now, "other").expect("a room");
    let given = stage.engine.send_room_message(stage.now, other, Payload::text("hello"));
    assert_eq!(given, Ok(MessageId(1)));
}
