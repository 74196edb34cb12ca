use super::*;
use crate::client::io::Output;
use crate::client::parameters::Parameters;

const LOST_AT: Instant = Instant::from_millis(400);
const NOW: Instant = Instant::from_millis(1_000);
const JOINING: Phase = Phase::Joining { ticket: 7, since: LOST_AT, again: false };

fn shared() -> Shared {
    let mut shared = Shared::new(Parameters::default());
    shared.advance(NOW);
    shared
}

fn lobby() -> RoomId {
    RoomId::new("lobby").expect("a valid id")
}

fn alice() -> UserId {
    UserId::new("alice").expect("a valid id")
}

/// A handle in this phase.
fn rooms(phase: Phase) -> (Rooms, RoomKey) {
    let mut rooms = Rooms::default();
    let key = rooms.create(lobby()).expect("a handle");
    rooms.set_phase(key, phase);
    (rooms, key)
}

fn take_events(shared: &mut Shared) -> Vec<RoomEvent> {
    core::iter::from_fn(|| shared.take_output())
        .filter_map(|output| match output {
            Output::Event(Event::Room { event, .. }) => Some(event),
            _ => None,
        })
        .collect()
}

#[test]
fn room_has_one_handle_and_keys_are_not_reused() {
    let (mut rooms, key) = rooms(Phase::Created);
    assert_eq!(rooms.create(lobby()), Err(CreateRoomError::InUse));
    rooms.remove(key);
    assert_eq!(rooms.create(lobby()), Ok(RoomKey(key.0 + 1)));
}

#[test]
fn an_engine_has_1024_handles_and_not_one_more() {
    let mut rooms = Rooms::default();
    let id = |n: usize| RoomId::new(&alloc::format!("room{n}")).expect("a valid id");
    for n in 0..1_024 {
        rooms.create(id(n)).expect("a handle");
    }
    assert_eq!(rooms.create(id(1_024)), Err(CreateRoomError::TooMany));
}

#[test]
fn only_the_join_that_is_wanted_is_answered() {
    let (mut rooms, key) = rooms(JOINING);
    let mut shared = shared();
    rooms.join_answered(6, RoomState::Joined, Vec::new(), &alice(), &mut shared);
    assert_eq!((rooms.phase(key), take_events(&mut shared)), (Some(JOINING), Vec::new()));
    let bob = UserId::new("bob").expect("a valid id");
    rooms.join_answered(7, RoomState::Joined, [bob.clone()].into(), &alice(), &mut shared);
    assert_eq!(rooms.phase(key), Some(Phase::Joined));
    let (how, elapsed) = (JoinType::First, NOW.since(LOST_AT));
    let joined = RoomEvent::Joined { uid: alice(), how, elapsed };
    assert_eq!(take_events(&mut shared), [joined, RoomEvent::UserJoined(bob)]);
}

#[test]
fn refused_join_ends_outside_with_reason() {
    let (mut rooms, key) = rooms(JOINING);
    let mut shared = shared();
    let state = RoomState::JoinFailed;
    rooms.join_answered(7, state, Vec::new(), &alice(), &mut shared);
    assert_eq!(rooms.phase(key), Some(Phase::Created));
    let expected = RoomEvent::StateChanged { uid: Some(alice()), state };
    assert_eq!(take_events(&mut shared), [expected]);
}

#[test]
fn rejoins_rooms_after_a_lost_session() {
    let (mut rooms, key) = rooms(Phase::Joined);
    rooms.session_lost(LOST_AT);
    let joining = |ticket| Phase::Joining { ticket, since: LOST_AT, again: true };
    assert_eq!(rooms.phase(key), Some(joining(0)));
    assert_eq!(rooms.broadcast_room(key), Some(lobby()));
    rooms.set_phase(key, joining(8));
    let mut shared = shared();
    rooms.join_answered(8, RoomState::Joined, Vec::new(), &alice(), &mut shared);
    let (how, elapsed) = (JoinType::Anew, NOW.since(LOST_AT));
    assert_eq!(take_events(&mut shared), [RoomEvent::Joined { uid: alice(), how, elapsed }]);
}

#[test]
fn only_joined_handles_get_room_events() {
    let leaving = |was_joined| Phase::Leaving { ticket: 1, was_joined, then_join: None };
    let heard = |phase| {
        let (mut shared, (rooms, _)) = (shared(), rooms(phase));
        rooms.emit_to_member(&lobby(), RoomEvent::UserJoined(alice()), &mut shared);
        take_events(&mut shared).len()
    };
    assert_eq!((heard(Phase::Joined), heard(leaving(true))), (1, 1));
    assert_eq!((heard(Phase::Created), heard(JOINING), heard(leaving(false))), (0, 0, 0));
}

#[test]
fn notice_ends_membership_unless_it_is_only_informative() {
    let (mut rooms, key) = rooms(Phase::Joined);
    let mut shared = shared();
    rooms.noticed(&lobby(), RoomState::NoticesStop, Some(alice()), &mut shared);
    assert_eq!(rooms.phase(key), Some(Phase::Joined));
    rooms.noticed(&lobby(), RoomState::Kicked, Some(alice()), &mut shared);
    assert_eq!(rooms.phase(key), Some(Phase::Created));
    rooms.noticed(&lobby(), RoomState::Kicked, Some(alice()), &mut shared);
    assert_eq!(take_events(&mut shared).len(), 2);
}

#[test]
fn end_of_notices_is_reported_as_long_as_there_are_notices() {
    let leaving = |was_joined| Phase::Leaving { ticket: 1, was_joined, then_join: None };
    let heard = |phase| {
        let (mut shared, (mut rooms, key)) = (shared(), rooms(phase));
        rooms.noticed(&lobby(), RoomState::NoticesStop, Some(alice()), &mut shared);
        assert_eq!(rooms.phase(key), Some(phase));
        take_events(&mut shared).len()
    };
    assert_eq!((heard(Phase::Joined), heard(leaving(true))), (1, 1));
    assert_eq!((heard(Phase::Created), heard(JOINING), heard(leaving(false))), (0, 0, 0));
}

#[test]
fn leaving_room_counts_only_if_joined_again() {
    let leaving = |then_join| Phase::Leaving { ticket: 1, was_joined: true, then_join };
    let entered = |phase| rooms(phase).0.entered();
    assert_eq!((entered(Phase::Joined), entered(JOINING), entered(Phase::Created)), (1, 1, 0));
    assert_eq!((entered(leaving(None)), entered(leaving(Some(NOW)))), (0, 1));
}

#[test]
fn join_is_sent_from_outside_and_refused_inside() {
    let ask = |phase| {
        let (mut rooms, key) = rooms(phase);
        rooms.ask_join(key, NOW)
    };
    let (mut rooms, key) = rooms(Phase::Created);
    let join = Join { key, since: NOW, again: false };
    assert_eq!(rooms.ask_join(key, NOW), Ok(JoinStep::Send(join)));
    rooms.join_queued(join, 7);
    assert_eq!((rooms.join_ticket(key), rooms.joins()), (Some(7), [join].into()));
    rooms.join_not_queued(join);
    assert_eq!((rooms.join_ticket(key), rooms.joins()), (None, Vec::new()));
    assert_eq!(rooms.ask_join(RoomKey(9), NOW), Err(JoinError::NoRoom));
    assert_eq!(ask(JOINING), Err(JoinError::AlreadyJoined));
    assert_eq!(ask(Phase::Joined), Err(JoinError::AlreadyJoined));
}

#[test]
fn room_being_left_is_joined_again_unless_it_is_left_again() {
    let (mut rooms, key) = rooms(Phase::Joined);
    let mut shared = shared();
    assert!(rooms.ask_leave(key));
    rooms.leave_queued(key, 3);
    assert_eq!((rooms.left_with(3), rooms.left_with(2)), (Some(key), None));
    assert_eq!(rooms.leaving(), [key]);
    assert_eq!(rooms.ask_join(key, NOW), Ok(JoinStep::AfterLeave));
    assert_eq!(rooms.ask_join(key, NOW), Err(JoinError::AlreadyJoined));
    assert!(!rooms.ask_leave(key), "one Leave is enough");
    assert_eq!(rooms.ask_join(key, LOST_AT), Ok(JoinStep::AfterLeave));
    let join = Join { key, since: LOST_AT, again: false };
    assert_eq!(rooms.finish_leave(key, &mut shared), Some(join));
    assert_eq!(rooms.membership(key), Some(Membership::Out));
    assert_eq!(rooms.finish_leave(key, &mut shared), None);
    assert_eq!(take_events(&mut shared), [RoomEvent::Left, RoomEvent::Left]);
    assert!(!rooms.ask_leave(key));
    assert_eq!(rooms.leaving(), []);
}

#[test]
fn joins_128_rooms_and_not_one_more() {
    let mut rooms = Rooms::default();
    let mut ask = |n: usize| {
        let id = RoomId::new(&alloc::format!("room{n}")).expect("a valid id");
        let key = rooms.create(id).expect("a handle");
        let step = rooms.ask_join(key, NOW);
        if let Ok(JoinStep::Send(join)) = step {
            rooms.join_queued(join, 1);
        }
        step
    };
    assert!((0..128).all(|n| matches!(ask(n), Ok(JoinStep::Send(_)))));
    assert_eq!(ask(128), Ok(JoinStep::TooMany));
}

#[test]
fn business_id_changes_only_outside_all_rooms() {
    let tag = BusinessId::new("shop").expect("a valid id");
    let (mut rooms, key) = rooms(JOINING);
    assert_eq!(rooms.set_business_id(Some(tag.clone())), Err(BusinessIdError::InRoom));
    rooms.set_phase(key, Phase::Created);
    assert_eq!(rooms.set_business_id(Some(tag.clone())), Ok(()));
    assert_eq!(rooms.business_id(), Some(&tag));
}

#[test]
fn ended_memberships_are_reported_and_forgotten_ones_not() {
    let mut shared = shared();
    let (mut rooms, key) = rooms(Phase::Joined);
    rooms.end_memberships(&alice(), RoomState::ServerAbnormal, &mut shared);
    assert_eq!((rooms.phase(key), take_events(&mut shared).len()), (Some(Phase::Created), 1));
    rooms.end_memberships(&alice(), RoomState::ServerAbnormal, &mut shared);
    rooms.set_phase(key, Phase::Joined);
    rooms.forget_memberships();
    assert_eq!((rooms.phase(key), take_events(&mut shared).len()), (Some(Phase::Created), 0));
}
