//! Joins of rooms in another shard, whose answers are under way when the user acts again.

use rts_proto::limits::ROOMS_PER_USER_MAX;
use rts_proto::server::{Command, Shards as _};
use rts_proto::wire::Frame;
use rts_proto::{BroadcastCode, LeaveReason, MessageId, RoomId, RoomState};

use crate::fixture::{Fixture, joined_all};
use crate::support::{app, broadcast, join, leave, message};

#[test]
fn room_over_the_bound_is_refused_however_often_it_is_asked() {
    let mut fixture = Fixture::new(2, 0);
    fixture.join_all(0..ROOMS_PER_USER_MAX);
    assert_eq!(fixture.join_states(), joined_all(0..ROOMS_PER_USER_MAX));
    let one_more = fixture.rooms[ROOMS_PER_USER_MAX].clone();
    for ticket in 1_000..1_003 {
        fixture.say(join(&one_more, ticket));
    }
    let refused = (1_000..1_003).map(|ticket| (ticket, RoomState::JoinFailed)).collect::<Vec<_>>();
    assert_eq!(fixture.join_states(), refused);
    assert_eq!(fixture.memberships(), ROOMS_PER_USER_MAX);
    fixture.say(leave(&fixture.rooms[0].clone(), 1_003));
    fixture.frames();
    fixture.say(join(&one_more, 1_004));
    assert_eq!(fixture.join_states(), [(1_004, RoomState::Joined)]);
}

#[test]
fn join_over_the_rate_is_refused_however_often_it_is_asked() {
    let mut fixture = Fixture::new(2, 1);
    fixture.use_up_joins(0);
    let room = fixture.rooms[0].clone();
    fixture.say(join(&room, 1));
    fixture.say(join(&room, 2));
    assert_eq!(fixture.join_states(), [(1, RoomState::JoinFailed), (2, RoomState::JoinFailed)]);
    assert_eq!(fixture.memberships(), 0);
}

#[test]
fn last_join_within_the_rate_may_be_asked_twice() {
    let mut fixture = Fixture::new(2, 1);
    fixture.use_up_joins(1);
    let room = fixture.rooms[0].clone();
    fixture.say(join(&room, 1));
    fixture.say(join(&room, 2));
    assert_eq!(fixture.join_states(), [(1, RoomState::Joined), (2, RoomState::Joined)]);
    assert_eq!(fixture.memberships(), 1);
}

#[test]
fn room_is_left_and_another_one_joined_without_a_pause() {
    let mut fixture = Fixture::new(2, 0);
    fixture.join_all(0..ROOMS_PER_USER_MAX);
    fixture.frames();
    for place in 0..ROOMS_PER_USER_MAX {
        fixture.say(leave(&fixture.rooms[place].clone(), 1_000));
        fixture.join_all(ROOMS_PER_USER_MAX + place..ROOMS_PER_USER_MAX + place + 1);
    }
    let joined = joined_all(ROOMS_PER_USER_MAX..2 * ROOMS_PER_USER_MAX);
    assert_eq!(fixture.join_states(), joined);
    assert_eq!(fixture.memberships(), ROOMS_PER_USER_MAX);
}

#[test]
fn at_most_128_rooms_wait_for_a_slow_shard_to_leave_them() {
    let mut fixture = Fixture::new(3, 0);
    fixture.join_all(0..ROOMS_PER_USER_MAX);
    fixture.frames();
    let elsewhere: Vec<RoomId> = fixture.node.rooms_at(2).take(2 * ROOMS_PER_USER_MAX).collect();
    fixture.node.holds_entries = true;
    for place in 0..ROOMS_PER_USER_MAX {
        fixture.say(leave(&fixture.rooms[place].clone(), 1_000 + place as u64));
    }
    fixture.say(join(&elsewhere[0], 1));
    fixture.say(leave(&elsewhere[0], 2_000));
    fixture.say(join(&elsewhere[1], 2));
    fixture.node.end_burst();
    while fixture.node.deliver(0, 2) {}
    assert_eq!(fixture.memberships(), ROOMS_PER_USER_MAX);
    fixture.node.holds_entries = false;
    assert_eq!(fixture.join_states(), [(1, RoomState::Joined), (2, RoomState::JoinFailed)]);
    fixture.say(join(&elsewhere[1], 3));
    assert_eq!(fixture.join_states(), [(3, RoomState::Joined)]);
}

#[test]
fn room_that_is_left_and_joined_again_counts_once() {
    let mut fixture = Fixture::new(2, 0);
    fixture.join_all(0..ROOMS_PER_USER_MAX);
    fixture.frames();
    fixture.say(leave(&fixture.rooms[0].clone(), 1_000));
    fixture.join_all(0..1);
    assert_eq!(fixture.join_states(), [(0, RoomState::Joined)]);
    assert_eq!(fixture.memberships(), ROOMS_PER_USER_MAX);
}

#[test]
fn membership_that_waits_and_its_return_count_once() {
    let mut fixture = Fixture::new(2, 0);
    fixture.join_all(0..100);
    fixture.frames();
    fixture.at_alice = fixture.node.enter(&fixture.alice.clone());
    fixture.node.holds_entries = true;
    // No answer comes back before the last join.
    fixture.join_all(0..ROOMS_PER_USER_MAX);
    fixture.node.holds_entries = false;
    assert_eq!(fixture.join_states(), joined_all(0..ROOMS_PER_USER_MAX));
    fixture.join_all(ROOMS_PER_USER_MAX..ROOMS_PER_USER_MAX + 1);
    let refused = (ROOMS_PER_USER_MAX as u64, RoomState::JoinFailed);
    assert_eq!(fixture.join_states(), [refused]);
}

#[test]
fn member_joins_again_while_the_mailbox_is_full_and_stays_a_member() {
    let mut fixture = Fixture::new(2, 0);
    let room = fixture.rooms[0].clone();
    fixture.bob_joins(0);
    fixture.join_all(0..1);
    fixture.frames();
    fixture.node.congest(0, 1, true);
    fixture.say(join(&room, 5));
    assert_eq!(fixture.join_states(), [(5, RoomState::Joined)]);
    fixture.node.congest(0, 1, false);
    fixture.say(broadcast(&room, 6, "m"));
    let accepted = Frame::BroadcastResults {
        room: room.clone(),
        code: BroadcastCode::Ok,
        ids: [MessageId(6)].into(),
    };
    assert_eq!(fixture.frames(), [accepted]);
    fixture.say(Frame::Logout);
    fixture.node.end_burst();
    assert_eq!(fixture.memberships(), 1, "bob is left");
}

/// Otherwise a user that logs in again at a busy moment would lose its rooms for good.
#[test]
fn full_mailbox_refuses_only_repeated_joins() {
    let mut fixture = Fixture::new(2, 0);
    fixture.join_all(0..100);
    fixture.frames();
    fixture.at_alice = fixture.node.enter(&fixture.alice.clone());
    fixture.node.congest(0, 1, true);
    fixture.join_all(0..ROOMS_PER_USER_MAX);
    fixture.say(join(&fixture.rooms[0].clone(), 1_000));
    let mut expected = joined_all(0..ROOMS_PER_USER_MAX);
    expected.push((1_000, RoomState::JoinFailed));
    assert_eq!(fixture.join_states(), expected);
}

#[test]
fn every_join_has_an_answer_when_the_user_leaves_before_it() {
    for leaves_before_the_join_arrives in [true, false] {
        let mut fixture = Fixture::new(2, 0);
        let (alice, room) = (fixture.alice.clone(), fixture.rooms[0].clone());
        fixture.bob_joins(0);
        // Alice does not read, so her window has no space for lists of members.
        for id in 1..=9 {
            let text = "x".repeat(60_000);
            fixture.node.say(fixture.at_bob, message(id, &alice, &text));
        }
        assert_eq!(fixture.frames().len(), 9);
        fixture.say(join(&room, 1));
        if !leaves_before_the_join_arrives {
            assert_eq!(fixture.frames(), [], "the answer waits for space");
        }
        fixture.say(leave(&room, 2));
        fixture.say(join(&room, 3));
        let joined = |ticket| {
            let (state, members) = (RoomState::Joined, [].into());
            Frame::JoinAnswer { ticket, state, members }
        };
        assert_eq!(fixture.frames(), [joined(1), Frame::LeaveAnswer { ticket: 2 }]);
        fixture.say(Frame::Ack { received: 9 });
        let (state, members) = (RoomState::Joined, [fixture.bob.clone()].into());
        assert_eq!(fixture.frames(), [Frame::JoinAnswer { ticket: 3, state, members }]);
    }
}

#[test]
fn refused_joins_ask_no_other_shard() {
    let mut fixture = Fixture::new(2, 1);
    fixture.use_up_joins(0);
    fixture.node.holds_entries = true;
    fixture.join_all(0..100);
    let refused = (0..100).map(|ticket| (ticket, RoomState::JoinFailed)).collect::<Vec<_>>();
    assert_eq!(fixture.join_states(), refused);
    assert_eq!(fixture.node.under_way(0, 1), 0);
}

#[test]
fn logout_behind_a_join_is_a_leave_for_the_others() {
    let mut fixture = Fixture::new(2, 0);
    let (room, uid) = (fixture.rooms[0].clone(), fixture.alice.clone());
    fixture.bob_joins(0);
    fixture.join_all(0..1);
    fixture.frames();
    fixture.say(leave(&room, 1));
    fixture.say(join(&room, 2));
    fixture.say(Frame::Logout);
    let reason = LeaveReason::Left;
    let joined = Frame::MemberJoined { room: room.clone(), uid: uid.clone() };
    let left = Frame::MemberLeft { room, uid, reason };
    assert_eq!(fixture.bob_sees(), [joined.clone(), left.clone(), joined, left]);
}

#[test]
fn membership_of_a_displaced_session_waits_also_if_its_join_is_under_way() {
    let mut fixture = Fixture::new(2, 0);
    let (room, uid) = (fixture.rooms[0].clone(), fixture.alice.clone());
    fixture.bob_joins(0);
    fixture.node.holds_entries = true;
    fixture.join_all(0..1);
    fixture.at_alice = fixture.node.enter(&uid);
    fixture.join_all(0..1);
    fixture.node.holds_entries = false;
    assert_eq!(fixture.join_states(), [(0, RoomState::Joined)]);
    assert_eq!(fixture.bob_sees(), [Frame::MemberJoined { room, uid }]);
    assert_eq!(fixture.memberships(), 2);
}

/// The entries of the put out session, and of the next one, are under way at the same time.
#[test]
fn user_that_is_put_out_leaves_its_rooms_and_may_join_them_again_at_once() {
    let mut fixture = Fixture::new(2, 0);
    let (uid, rooms) = (fixture.alice.clone(), fixture.rooms.clone());
    let reason = LeaveReason::Kicked;
    fixture.bob_joins(0);
    fixture.node.say(fixture.at_bob, join(&rooms[1], 2));
    fixture.bob_sees();
    fixture.node.holds_entries = true;
    // She joins both rooms. Her next session joins one of them, so the other one waits for her.
    fixture.join_all(0..2);
    fixture.at_alice = fixture.node.enter(&uid);
    fixture.join_all(0..1);
    fixture.node.tick(0);
    let (app_id, put_out) = (&app(), &uid);
    fixture.node.command(Command::PutOut { app_id, uid: put_out });
    fixture.at_alice = fixture.node.enter(&uid);
    fixture.join_all(1..2);
    fixture.node.holds_entries = false;
    assert_eq!(fixture.join_states(), [(1, RoomState::Joined)]);
    let joined = |room: &RoomId| Frame::MemberJoined { room: room.clone(), uid: uid.clone() };
    let left = |room: &RoomId| Frame::MemberLeft { room: room.clone(), uid: uid.clone(), reason };
    let mut seen = fixture.bob_sees();
    let of_second = seen.extract_if(.., |frame| format!("{frame:?}").contains(rooms[1].as_str()));
    let of_second: Vec<Frame> = of_second.collect();
    assert_eq!(seen, [joined(&rooms[0]), left(&rooms[0])]);
    assert_eq!(of_second, [joined(&rooms[1]), left(&rooms[1]), joined(&rooms[1])]);
}
