//! Rooms that are left and joined while little gets through.

use std::time::Duration;

use rts_proto::client::{Event, RoomEvent};
use rts_proto::wire::{Accepted, Frame};

use crate::support::{Stage, session};

/// Of two joins of one room that wait to be sent again, the one that is taken back is the one that is left. The simulator found the
/// other in its 23,978th seed: it left the engine out of the room and the server with a member.
#[test]
fn who_leaves_before_an_earlier_join_is_sent_again_is_no_member() {
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
    // Nothing had arrived. All of it waits behind messages that keep to the rate.
    stage.welcomed(Accepted { resumed: true, received: 0, ..slow });
    stage.engine.leave_room(stage.now, room);
    for _ in 0..10 {
        stage.pass(Duration::from_secs(1));
    }
    let said = stage.said();
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
