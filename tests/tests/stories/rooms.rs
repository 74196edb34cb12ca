//! Rooms: joins, broadcasts, leaves.

use std::time::Duration;

use rts_proto::client::{
    BroadcastError, BusinessIdError, Client, CreateRoomError, Event, JoinError, JoinType, RoomEvent,
};
use rts_proto::server::Config;
use rts_proto::{BroadcastCode, LeaveReason, MessageId, Payload, RoomState};
use rts_testkit::World;

use super::seconds;
use rts_tests::without_rates;

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;
const DAVE: usize = 3;

fn three(config: Config) -> World {
    let mut world = World::new(config, 3, 1);
    for (who, uid) in [(ALICE, "alice"), (BOB, "bob"), (CAROL, "carol")] {
        world.log_in(who, uid);
    }
    world
}

fn room_events(events: Vec<Event>) -> Vec<RoomEvent> {
    let of_room = |event| match event {
        Event::Room { event, .. } => Some(event),
        _ => None,
    };
    events.into_iter().filter_map(of_room).collect()
}

fn results(events: Vec<Event>) -> Vec<(u64, BroadcastCode)> {
    let result = |event| match event {
        RoomEvent::MessageSendResult { id, code } => Some((id.0, code)),
        _ => None,
    };
    room_events(events).into_iter().filter_map(result).collect()
}

/// Forty joins a second, where 20 a second are allowed, and 256 at once.
#[test]
fn joins_over_rate_fail_unseen_by_others() {
    let mut world = three(Config::default());
    world.join(BOB, "room");
    let room = world.call(ALICE, |engine, now| engine.create_room(now, "room")).expect("a room");
    for _ in 0..800 {
        world.call(ALICE, |engine, now| engine.join_room(now, room)).expect("accepted");
        world.call(ALICE, |engine, now| engine.leave_room(now, room));
        world.run_for(Duration::from_millis(25));
    }
    let seen = room_events(world.take_events(BOB));
    let came = seen.iter().filter(|event| matches!(event, RoomEvent::UserJoined(_))).count();
    let left = seen.iter().filter(|event| matches!(event, RoomEvent::UserLeft { .. })).count();
    assert!((650..=656).contains(&came), "256 and 20 a second for 20 s, not {came}");
    assert_eq!(came, left);

    world.take_events(ALICE);
    for number in 0..10 {
        let join = |engine: &mut Client, now| {
            let room = engine.create_room(now, &format!("room-{number}")).expect("a room");
            engine.join_room(now, room).expect("accepted");
        };
        world.call(ALICE, join);
    }
    world.run_for(Duration::from_millis(50));
    let events = room_events(world.take_events(ALICE));
    let is_refusal = |event: &&RoomEvent| {
        matches!(event, RoomEvent::StateChanged { state: RoomState::JoinFailed, .. })
    };
    assert!(events.iter().filter(is_refusal).count() >= 8, "{events:?}");
    world.run_for(seconds(1));
    world.call(ALICE, |engine, now| engine.join_room(now, room)).expect("accepted");
    world.run_for(seconds(1));
    let events = room_events(world.take_events(ALICE));
    assert!(
        matches!(events[..], [RoomEvent::Joined { .. }, RoomEvent::UserJoined(_)]),
        "{events:?}"
    );
}

#[test]
fn join_and_leave_are_announced_to_members() {
    let mut world = three(Config::default());
    world.join(ALICE, "room");
    world.take_events(ALICE);
    let bobs = world.join(BOB, "room");
    let seen = room_events(world.take_events(BOB));
    assert!(
        matches!(&seen[..], [RoomEvent::Joined { how: JoinType::First, .. }, RoomEvent::UserJoined(uid)]
        if uid.as_str() == "alice"),
        "{seen:?}"
    );
    world.call(BOB, |engine, now| engine.leave_room(now, bobs));
    world.run_for(seconds(1));
    assert_eq!(room_events(world.take_events(BOB)), [RoomEvent::Left]);
    let seen = room_events(world.take_events(ALICE));
    assert!(
        matches!(
            &seen[..],
            [RoomEvent::UserJoined(_), RoomEvent::UserLeft { reason: LeaveReason::Left, .. }]
        ),
        "{seen:?}"
    );
}

#[test]
fn broadcasts_have_one_order_without_echo() {
    let mut world = World::new(without_rates(), 4, 1);
    let users = [(ALICE, "alice"), (BOB, "bob"), (CAROL, "carol"), (DAVE, "dave")];
    let rooms = users.map(|(who, uid)| {
        world.log_in(who, uid);
        world.join(who, "room")
    });
    world.take_log();
    for round in 0..20 {
        for who in [ALICE, BOB, CAROL] {
            world.broadcast(who, rooms[who], &format!("{who}-{round}"));
        }
    }
    world.run_for(seconds(1));
    // Dave sends nothing, so he receives all broadcasts. The others receive all but their own.
    let all = world.room_texts(DAVE);
    assert_eq!(all.len(), 60);
    for who in [ALICE, BOB, CAROL] {
        let is_own = |text: &&String| text.starts_with(&format!("{who}-"));
        let own: Vec<String> = (0..20).map(|round| format!("{who}-{round}")).collect();
        assert!(all.iter().filter(is_own).eq(&own), "as it was said: {all:?}");
        let others: Vec<String> = all.iter().filter(|text| !is_own(text)).cloned().collect();
        assert_eq!(world.room_texts(who), others, "in one order, and no echo");
    }
    let ok: Vec<_> = (1..=20).map(|id| (id, BroadcastCode::Ok)).collect();
    assert_eq!(results(world.take_events(ALICE)), ok);
}

#[test]
fn room_calls_return_the_codes_of_the_contract() {
    let mut world = three(Config::default());
    let create = |world: &mut World, id: &str| world.call(ALICE, |e, now| e.create_room(now, id));
    let long = "x".repeat(129);
    for bad in ["", "a.b", "a b", &*long] {
        assert_eq!(create(&mut world, bad), Err(CreateRoomError::BadRoom), "{bad:?}");
    }
    let key = create(&mut world, &long[..128]).expect("128 bytes are allowed");
    assert_eq!(create(&mut world, &long[..128]), Err(CreateRoomError::InUse));
    let join = |world: &mut World| world.call(ALICE, |engine, now| engine.join_room(now, key));
    let tag =
        |world: &mut World, id| world.call(ALICE, |engine, now| engine.set_business_id(now, id));
    assert_eq!(tag(&mut world, "tag"), Ok(()));
    assert_eq!(join(&mut world), Ok(()));
    assert_eq!(join(&mut world), Err(JoinError::AlreadyJoined));
    assert_eq!(tag(&mut world, "tag"), Err(BusinessIdError::InRoom));
    assert_eq!(tag(&mut world, "bad tag"), Err(BusinessIdError::BadCharacters));
    world.run_for(seconds(1));
    world.call(ALICE, |engine, now| engine.destroy_room(now, key));
    assert_eq!(tag(&mut world, ""), Ok(()));
    assert_eq!(join(&mut world), Err(JoinError::NoRoom));
    let sent = world.call(ALICE, |e, now| e.send_room_message(now, key, Payload::text("x")));
    assert_eq!(sent, Err(BroadcastError::NoRoom));
}

#[test]
fn failed_broadcasts_get_their_codes() {
    let mut world = three(Config::default());
    let key = world.call(ALICE, |engine, now| engine.create_room(now, "room")).expect("room");
    world.broadcast(ALICE, key, "not joined");
    world.call(ALICE, |engine, now| engine.join_room(now, key)).expect("join");
    world.run_for(seconds(1));
    world.broadcast(ALICE, key, "nobody else is there");
    world.broadcast(ALICE, key, &"x".repeat(65_537));
    for _ in 0..65 {
        world.broadcast(ALICE, key, "x");
    }
    world.run_for(seconds(1));
    let codes: Vec<_> = results(world.take_events(ALICE));
    let count = |wanted| codes.iter().filter(|(_, code)| *code == wanted).count();
    assert_eq!(count(BroadcastCode::NotInRoom), 1);
    assert_eq!(count(BroadcastCode::TooLong), 1);
    assert_eq!((count(BroadcastCode::Ok), count(BroadcastCode::OverRate)), (65, 1));
}

#[test]
fn join_without_login_fails_later() {
    let mut world = World::new(Config::default(), 1, 1);
    world.join(ALICE, "room");
    let seen = room_events(world.take_events(ALICE));
    assert_eq!(seen, [RoomEvent::StateChanged { uid: None, state: RoomState::JoinFailed }]);
}

#[test]
fn join_while_leaving_happens_after_the_leave() {
    let mut world = three(Config::default());
    let key = world.join(ALICE, "room");
    world.take_events(ALICE);
    world.call(ALICE, |engine, now| engine.leave_room(now, key));
    world.call(ALICE, |engine, now| engine.join_room(now, key)).expect("join");
    world.run_for(seconds(1));
    let seen = room_events(world.take_events(ALICE));
    assert!(matches!(seen[..], [RoomEvent::Left, RoomEvent::Joined { .. }]), "{seen:?}");
}

#[test]
fn late_result_of_destroyed_room_is_ignored() {
    let mut world = three(without_rates());
    let first = world.join(ALICE, "room");
    world.take_events(ALICE);
    world.broadcast(ALICE, first, "x");
    let open = world.call(ALICE, |engine, now| engine.destroy_room(now, first));
    assert_eq!(open, [(MessageId(1), BroadcastCode::Timeout)]);
    assert_eq!(results(world.take_events(ALICE)), []);
    let second = world.join(ALICE, "room");
    world.broadcast(ALICE, second, "y");
    world.run_for(seconds(1));
    assert_eq!(results(world.take_events(ALICE)), [(1, BroadcastCode::Ok)]);
}

#[test]
fn destroyed_room_is_left_and_its_id_free() {
    let mut world = three(Config::default());
    let first = world.join(ALICE, "room");
    world.join(BOB, "room");
    world.take_events(ALICE);
    world.take_events(BOB);
    world.call(ALICE, |engine, now| engine.destroy_room(now, first));
    let second = world.call(ALICE, |engine, now| engine.create_room(now, "room")).expect("free");
    world.run_for(seconds(1));
    assert_eq!(room_events(world.take_events(ALICE)), [], "nothing more is called back");
    let seen = room_events(world.take_events(BOB));
    assert!(
        matches!(&seen[..], [RoomEvent::UserLeft { reason: LeaveReason::Left, .. }]),
        "{seen:?}"
    );
    world.call(ALICE, |engine, now| engine.join_room(now, second)).expect("join");
    world.run_for(seconds(1));
    let seen = room_events(world.take_events(ALICE));
    assert!(matches!(&seen[..], [RoomEvent::Joined { .. }, RoomEvent::UserJoined(_)]), "{seen:?}");
}

#[test]
fn leave_without_join_does_nothing() {
    let mut world = three(Config::default());
    world.take_events(ALICE);
    let key = world.call(ALICE, |engine, now| engine.create_room(now, "room")).expect("room");
    world.call(ALICE, |engine, now| engine.leave_room(now, key));
    world.run_for(seconds(1));
    assert_eq!(world.take_events(ALICE), []);
}

#[test]
fn broadcast_outside_the_room_has_result_without_warning() {
    let mut world = three(Config::default());
    let key = world.join(ALICE, "room");
    world.call(ALICE, |engine, now| engine.leave_room(now, key));
    world.run_for(seconds(1));
    world.take_events(ALICE);
    world.broadcast(ALICE, key, "x");
    world.run_for(seconds(1));
    let code = BroadcastCode::NotInRoom;
    let result = RoomEvent::MessageSendResult { id: MessageId(1), code };
    assert_eq!(room_events(world.take_events(ALICE)), [result]);
}

#[test]
fn logout_leaves_all_rooms_silently() {
    let mut world = three(Config::default());
    let key = world.join(ALICE, "room");
    world.join(BOB, "room");
    world.take_events(ALICE);
    world.take_events(BOB);
    world.call(ALICE, |engine, now| engine.logout(now));
    world.run_for(seconds(1));
    assert_eq!(room_events(world.take_events(ALICE)), []);
    let seen = room_events(world.take_events(BOB));
    assert!(
        matches!(&seen[..], [RoomEvent::UserLeft { reason: LeaveReason::Left, .. }]),
        "{seen:?}"
    );
    world.log_in(ALICE, "alice");
    world.take_events(ALICE);
    world.call(ALICE, |engine, now| engine.join_room(now, key)).expect("the handle is still good");
    world.run_for(seconds(1));
    assert!(matches!(
        room_events(world.take_events(ALICE))[..],
        [RoomEvent::Joined { how: JoinType::First, .. }, RoomEvent::UserJoined(_)]
    ));
}
