//! Leaving and joining rooms while few frames get through.

use std::time::Duration;

use rts_proto::client::{BusinessIdError, CreateRoomError, Event, Input, RoomEvent};
use rts_proto::limits::{ROOM_HANDLES_MAX, ROOMS_PER_USER_MAX};
use rts_proto::wire::{Accepted, Frame};
use rts_proto::{BroadcastCode, MessageId, Payload, RoomId, RoomState, UserId};

use crate::support::{Stage, session};

/// Two joins of one room wait to be sent again. A leave takes back the second one, which it belongs
/// to. The simulator found a leave that took back the first, in its 23,978th seed: the engine was
/// out of the room, and still a member at the server.
#[test]
fn leave_takes_back_its_own_join_of_two() {
    let slow = Accepted { sends_per_second: 1, ..session(1) };
    let mut stage = Stage::accepted(slow.clone());
    let room = stage.engine.create_room(stage.now, "room").expect("a room");
    for _ in 0..5 {
        stage.sends("before");
    }
    stage.engine.join_room(stage.now, room).expect("a live handle");
    stage.drain();
    stage.cut();
    stage.engine.leave_room(stage.now, room);
    stage.engine.join_room(stage.now, room).expect("left at once: there is no link");
    // No frame had arrived. All frames wait behind paced messages.
    stage.welcomed(Accepted { resumed: true, received: 0, ..slow });
    stage.engine.leave_room(stage.now, room);
    for _ in 0..10 {
        stage.pass(Duration::from_secs(1));
    }
    let said = stage.sent_frames();
    let membership = |frame: &Frame| match frame {
        Frame::Join { .. } => Some(true),
        Frame::Leave { .. } => Some(false),
        _ => None,
    };
    let memberships: Vec<bool> = said.iter().filter_map(membership).collect();
    assert_eq!(memberships, [true, false]);
    let left = |event: &Event| matches!(event, Event::Room { event: RoomEvent::Left, .. });
    assert_eq!(stage.events.iter().filter(|event| left(event)).count(), 2);
}

#[test]
fn creates_1024_handles_and_refuses_one_more() {
    let mut stage = Stage::logged_in();
    let create = |stage: &mut Stage, number: usize| {
        stage.engine.create_room(stage.now, &format!("room-{number}"))
    };
    for number in 0..ROOM_HANDLES_MAX {
        assert!(create(&mut stage, number).is_ok(), "{number}");
    }
    assert_eq!(create(&mut stage, ROOM_HANDLES_MAX), Err(CreateRoomError::TooMany));
    assert_eq!(CreateRoomError::TooMany.code(), -1007);
}

#[test]
fn joins_128_rooms_and_fails_the_next_at_once() {
    let mut stage = Stage::logged_in();
    let join = |stage: &mut Stage, number: usize| {
        let key = stage.engine.create_room(stage.now, &format!("room-{number}")).expect("a room");
        assert_eq!(stage.engine.join_room(stage.now, key), Ok(()));
        stage.drain();
        key
    };
    let first = join(&mut stage, 0);
    for number in 1..ROOMS_PER_USER_MAX {
        join(&mut stage, number);
    }
    let joins = |frames: Vec<Frame>| {
        frames.iter().filter(|frame| matches!(frame, Frame::Join { .. })).count()
    };
    assert_eq!(joins(stage.sent_frames()), ROOMS_PER_USER_MAX);
    assert_eq!(stage.events, []);
    let one_more = join(&mut stage, ROOMS_PER_USER_MAX);
    assert_eq!(joins(stage.sent_frames()), 0);
    let [Event::Room { key, event: RoomEvent::StateChanged { state, .. }, .. }] = &stage.events[..]
    else {
        panic!("{:?}", stage.events)
    };
    assert_eq!((*key, *state), (one_more, RoomState::JoinFailed));

    // The user is not in a destroyed room.
    stage.engine.destroy_room(stage.now, first);
    assert_eq!(stage.engine.join_room(stage.now, one_more), Ok(()));
    stage.drain();
    assert_eq!(joins(stage.sent_frames()), 1);
}

#[test]
fn destroyed_room_has_no_events() {
    let mut stage = Stage::logged_in();
    let room = stage.joined("room");
    let say = |stage: &mut Stage| {
        stage.engine.send_room_message(stage.now, room, Payload::text("hi")).expect("accepted")
    };
    let left = say(&mut stage);
    stage.drain();
    stage.input(Input::Disconnected(stage.link));
    let never_left = say(&mut stage);
    // The result is an event that was not polled.
    stage.engine.send_room_message(stage.now, room, Payload::text("x".repeat(65_537))).expect("id");
    stage.events.clear();
    let results = stage.engine.destroy_room(stage.now, room);
    assert_eq!(
        results,
        [(left, BroadcastCode::Timeout), (never_left, BroadcastCode::Broken)],
        "those that were open"
    );
    stage.drain();
    assert_eq!(stage.events, []);
    assert_eq!(stage.engine.open_questions(), 0);
    assert_eq!(stage.engine.destroy_room(stage.now, room), []);

    let again = stage.engine.create_room(stage.now, "room").expect("its id is free");
    assert_ne!(again, room);
    // A late result is discarded.
    stage.input(Input::Connected(stage.link));
    stage.welcomed(Accepted { resumed: true, received: 2, ..session(1) });
    let id = RoomId::new("room").expect("well formed");
    let code = BroadcastCode::Ok;
    stage.receives(Frame::BroadcastResults { room: id, code, ids: vec![MessageId(2)] });
    assert_eq!(stage.events, []);
}

/// The server sends to the room until it learns of the leave.
#[test]
fn room_left_without_a_link_gets_no_messages() {
    let mut stage = Stage::logged_in();
    let room = stage.joined("room");
    let said = |text: &str| Frame::RoomDelivery {
        room: RoomId::new("room").expect("well formed"),
        from: UserId::new("bob").expect("well formed"),
        payload: Payload::text(text),
    };
    stage.receives(said("before"));
    stage.cut();
    stage.engine.leave_room(stage.now, room);
    stage.welcomed(Accepted { resumed: true, received: 1, ..session(1) });
    stage.receives(said("after"));
    let events = stage.events.iter().filter_map(|event| match event {
        Event::Room { event, .. } => Some(event),
        _ => None,
    });
    let events: Vec<_> = events.collect();
    assert!(
        matches!(events[..], [RoomEvent::MessageReceived { .. }, RoomEvent::Left]),
        "{events:?}"
    );
}

#[test]
fn leaving_room_frees_its_place_for_one_join() {
    let mut stage = Stage::logged_in();
    let create = |stage: &mut Stage, number: usize| {
        stage.engine.create_room(stage.now, &format!("room-{number}")).expect("a room")
    };
    let rooms: Vec<_> = (0..ROOMS_PER_USER_MAX).map(|number| create(&mut stage, number)).collect();
    for (room, ticket) in rooms.iter().zip(1..) {
        stage.engine.join_room(stage.now, *room).expect("accepted");
        let (state, members) = (RoomState::Joined, Vec::new());
        stage.receives(Frame::JoinAnswer { ticket, state, members });
    }
    let [other, one_more] = [200, 201].map(|number| create(&mut stage, number));
    stage.pass(Duration::from_secs(1));
    stage.events.clear();
    stage.sent_frames();

    // The server has not answered the Leave, which it gets before the Join.
    stage.engine.leave_room(stage.now, rooms[0]);
    assert_eq!(stage.engine.join_room(stage.now, other), Ok(()));
    stage.drain();
    let said = stage.sent_frames();
    assert!(matches!(said[..], [Frame::Leave { .. }, Frame::Join { .. }]), "{said:?}");
    assert_eq!(stage.events, []);

    let refused = |stage: &mut Stage, room| {
        assert_eq!(stage.engine.join_room(stage.now, room), Ok(()));
        stage.drain();
        let [Event::Room { key, event: RoomEvent::StateChanged { state, .. }, .. }] =
            &stage.events[..]
        else {
            panic!("{:?}", stage.events)
        };
        assert_eq!((*key, *state), (room, RoomState::JoinFailed));
        stage.events.clear();
        assert_eq!(stage.sent_frames(), []);
    };
    refused(&mut stage, one_more);
    // Its place is taken: it cannot be joined again after the leave.
    refused(&mut stage, rooms[0]);
}

#[test]
fn business_id_is_refused_while_joined_or_leaving() {
    let mut stage = Stage::logged_in();
    let room = stage.engine.create_room(stage.now, "room").expect("a room");
    stage.engine.join_room(stage.now, room).expect("accepted");
    let members = Vec::new();
    stage.receives(Frame::JoinAnswer { ticket: 1, state: RoomState::Joined, members });
    assert_eq!(stage.engine.set_business_id(stage.now, "tag"), Err(BusinessIdError::InRoom));
    stage.engine.leave_room(stage.now, room);
    assert_eq!(stage.engine.set_business_id(stage.now, "tag"), Err(BusinessIdError::InRoom));
    stage.receives(Frame::LeaveAnswer { ticket: 2 });
    assert_eq!(stage.engine.set_business_id(stage.now, "tag"), Ok(()));
}
