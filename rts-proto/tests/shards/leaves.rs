//! Leaves of rooms in another shard, and the broadcasts before them.

use rts_proto::limits::{NOTICE_MEMBERS_MAX, REPEATED_LEAVES_MAX};
use rts_proto::server::{Command, Shards as _};
use rts_proto::wire::Frame;
use rts_proto::{BroadcastCode, MessageId, RoomId, RoomState};

use crate::fixture::Fixture;
use crate::support::{app, broadcast, join, leave, room_delivery, user};

fn result(room: &RoomId, code: BroadcastCode, id: u64) -> Frame {
    Frame::BroadcastResults { room: room.clone(), code, ids: [MessageId(id)].into() }
}

fn left(ticket: u64) -> Frame {
    Frame::LeaveAnswer { ticket }
}

#[test]
fn leave_of_a_room_that_was_never_joined_asks_no_other_shard() {
    let mut fixture = Fixture::new(2, 0);
    fixture.node.holds_entries = true;
    for ticket in 1..=1_000 {
        fixture.say(leave(&fixture.rooms[0].clone(), ticket));
    }
    let answers = fixture.frames();
    assert!(answers.iter().all(|frame| matches!(frame, Frame::LeaveAnswer { .. })));
    assert_eq!((answers.len(), fixture.node.under_way(0, 1)), (1_000, 0));
}

#[test]
fn broadcast_is_accepted_behind_a_join_and_refused_behind_a_leave() {
    let mut fixture = Fixture::new(2, 0);
    let room = fixture.rooms[0].clone();
    fixture.say(join(&room, 1));
    fixture.say(broadcast(&room, 2, "m"));
    fixture.say(leave(&room, 3));
    fixture.say(broadcast(&room, 4, "m"));
    let accepted = result(&room, BroadcastCode::Ok, 2);
    let expected = [accepted.clone(), result(&room, BroadcastCode::NotInRoom, 4)];
    let frames = fixture.frames();
    for result in expected {
        assert!(frames.contains(&result), "{result:?} in {frames:?}");
    }
    let place = |wanted| frames.iter().position(|frame| *frame == wanted);
    assert!(place(accepted) < place(left(3)), "§6.4: {frames:?}");
}

#[test]
fn broadcast_comes_before_the_answer_to_a_later_leave_also_in_a_large_room() {
    let mut fixture = Fixture::new(2, 0);
    let room = fixture.rooms[0].clone();
    // Above 500 members there is no notice of the leave, which would make the broadcast go out.
    for number in 0..NOTICE_MEMBERS_MAX {
        let member = fixture.node.enter(&user(&format!("m{number}")));
        fixture.node.say(member, join(&room, 1));
    }
    fixture.bob_joins(0);
    fixture.say(join(&room, 1));
    fixture.frames();
    fixture.say(leave(&room, 2));
    fixture.node.tick(0);
    fixture.node.say(fixture.at_bob, broadcast(&room, 1, "last words"));
    assert!(fixture.node.deliver(0, 1), "the leave, in the burst of the broadcast");
    let last_words = room_delivery(&fixture.bob, &room, "last words");
    assert_eq!(fixture.frames(), [last_words, left(2)]);
}

#[test]
fn result_precedes_the_answer_to_a_leave_also_of_a_member_who_was_kicked_meanwhile() {
    let mut fixture = Fixture::new(2, 0);
    let room = fixture.rooms[0].clone();
    fixture.say(join(&room, 1));
    fixture.frames();
    fixture.node.holds_entries = true;
    let (app_id, room_id, uid) = (&app(), &room, &fixture.alice.clone());
    fixture.node.command(Command::Kick { app_id, room_id, uid });
    fixture.node.tick(1);
    fixture.say(broadcast(&room, 2, "m"));
    assert!(fixture.node.deliver(1, 0), "the end of the membership");
    fixture.say(leave(&room, 3));
    let kicked = Frame::RoomNotice { room: room.clone(), state: RoomState::Kicked };
    assert_eq!(fixture.frames(), [kicked]);
    fixture.node.holds_entries = false;
    let refused = result(&room, BroadcastCode::NotInRoom, 2);
    assert_eq!(fixture.frames(), [refused, left(3)]);
    fixture.node.holds_entries = true;
    fixture.say(leave(&room, 4));
    assert_eq!(fixture.frames(), [left(4)], "nothing is under way");
}

#[test]
fn result_precedes_the_answers_to_repeated_leaves() {
    let mut fixture = Fixture::new(2, 0);
    let room = fixture.rooms[0].clone();
    fixture.say(join(&room, 1));
    fixture.frames();
    fixture.say(broadcast(&room, 2, "m"));
    fixture.say(leave(&room, 3));
    fixture.say(leave(&room, 4));
    let accepted = result(&room, BroadcastCode::Ok, 2);
    assert_eq!(fixture.frames(), [accepted, left(3), left(4)]);
}

/// Otherwise leaves, which have no rate, would fill the memory of a node with a slow shard.
#[test]
fn ninth_leave_without_an_answer_does_not_wait_for_the_result() {
    let mut fixture = Fixture::new(2, 0);
    let room = fixture.rooms[0].clone();
    fixture.say(join(&room, 1));
    fixture.frames();
    fixture.node.holds_entries = true;
    fixture.say(broadcast(&room, 2, "m"));
    let tickets = 3..3 + u64::from(REPEATED_LEAVES_MAX);
    for ticket in tickets.clone() {
        fixture.say(leave(&room, ticket));
    }
    assert_eq!(fixture.frames(), []);
    fixture.say(leave(&room, 100));
    assert_eq!(fixture.frames(), [left(100)]);
    fixture.node.holds_entries = false;
    let mut expected = vec![result(&room, BroadcastCode::Ok, 2)];
    expected.extend(tickets.map(left));
    assert_eq!(fixture.frames(), expected);
}
