//! Links that break, and sessions that are resumed or lost.

use std::num::NonZeroUsize;
use std::time::Duration;

use rts_proto::SendCode;
use rts_proto::client::{Event, JoinType, RoomEvent};
use rts_proto::server::Config;
use rts_testkit::World;

use super::seconds;
use rts_tests::without_rates;

const ALICE: usize = 0;
const BOB: usize = 1;

#[test]
fn messages_arrive_in_order_once_across_any_cut() {
    for cut_after_ms in 0..100 {
        let mut world = World::new(without_rates(), 2, cut_after_ms);
        world.log_in(ALICE, "alice");
        world.log_in(BOB, "bob");
        world.net.chunk_bytes = NonZeroUsize::new(7).expect("not 0");
        for number in 0..30 {
            world.send(ALICE, "bob", &number.to_string());
            world.run_for(Duration::from_millis(2));
            if number == 10 {
                world.run_for(Duration::from_millis(cut_after_ms % 25));
                world.cut(if cut_after_ms % 2 == 0 { ALICE } else { BOB });
            }
        }
        world.run_for(seconds(15));
        let wanted: Vec<String> = (0..30).map(|number| number.to_string()).collect();
        assert_eq!(world.texts(BOB), wanted, "cut after {cut_after_ms} ms");
        let mut results = world.results(ALICE);
        results.sort_unstable();
        assert_eq!(results, (1..=30).map(|id| (id, SendCode::Ok)).collect::<Vec<_>>());
    }
}

#[test]
fn short_break_in_a_room_is_invisible_and_lossless() {
    let mut world = World::new(without_rates(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    let alices = world.join(ALICE, "room");
    world.join(BOB, "room");
    world.take_events(ALICE);
    world.take_events(BOB);
    for number in 0..10 {
        world.broadcast(ALICE, alices, &number.to_string());
        if number == 4 {
            // One way is 10 ms: the first five are on their way to bob, and lost with his link.
            world.run_for(Duration::from_millis(15));
            assert_eq!(world.room_texts(BOB).len(), 0);
            world.cut(BOB);
        }
    }
    world.run_for(seconds(10));
    let all: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    assert_eq!(world.room_texts(BOB), all);
    let notices = world.take_events(ALICE).into_iter().filter(|event| {
        matches!(
            event,
            Event::Room { event: RoomEvent::UserJoined(_) | RoomEvent::UserLeft { .. }, .. }
        )
    });
    assert_eq!(notices.count(), 0);
}

#[test]
fn reported_break_confirms_rooms() {
    let mut world = World::new(Config::default(), 1, 1);
    world.log_in(ALICE, "alice");
    world.join(ALICE, "room");
    world.take_events(ALICE);
    world.net.refuses = true;
    world.cut(ALICE);
    world.run_for(seconds(13));
    world.net.refuses = false;
    world.run_for(seconds(6));
    let events = world.take_events(ALICE);
    let rejoined = |e: &Event| {
        matches!(e, Event::Room { event: RoomEvent::Joined { how: JoinType::Resumed, .. }, .. })
    };
    assert_eq!(events.iter().filter(|event| rejoined(event)).count(), 1, "{events:?}");
}

#[test]
fn rejoin_reports_whether_broadcasts_may_be_missing() {
    let cases = [
        (13, vec!["joined: Resumed"], vec!["while she is away"]),
        (40, vec!["joined: Anew", "bob joined"], vec![]),
    ];
    for (away, rooms, received) in cases {
        let mut world = World::new(without_rates(), 2, 1);
        world.log_in(ALICE, "alice");
        world.log_in(BOB, "bob");
        world.join(ALICE, "room");
        let bobs = world.join(BOB, "room");
        world.take_log();
        world.block_connects(ALICE);
        world.run_for(seconds(1));
        world.broadcast(BOB, bobs, "while she is away");
        world.run_for(seconds(away));
        world.allow_connects(ALICE);
        world.run_for(seconds(6));
        assert_eq!(world.room_texts(ALICE), received, "{away} s");
        let mut events = room_events(&mut world, ALICE);
        events.retain(|line| line.contains("joined"));
        assert_eq!(events, rooms, "{away} s");
    }
}

#[test]
fn engines_and_rooms_return_after_server_restart() {
    let mut world = World::new(without_rates(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    let alices = world.join(ALICE, "room");
    world.join(BOB, "room");
    for _ in 0..5 {
        world.send(ALICE, "bob", "under way");
    }
    world.restart_server(without_rates());
    world.run_for(seconds(15));
    let results = world.results(ALICE);
    assert_eq!(results.len(), 5, "each has its result");
    assert!(
        results
            .iter()
            .all(|(_, code)| [SendCode::Ok, SendCode::Timeout, SendCode::Broken].contains(code)),
        "{results:?}"
    );
    world.take_events(BOB);
    world.broadcast(ALICE, alices, "here again");
    world.send(ALICE, "bob", "and again");
    world.run_for(seconds(1));
    assert_eq!(world.room_texts(BOB), ["here again"]);
    assert_eq!(world.texts(BOB), ["and again"]);
}

#[test]
fn backlog_is_sent_at_the_servers_rate() {
    let mut world = World::new(Config::default(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    world.net.refuses = true;
    world.cut(ALICE);
    world.run_for(seconds(1));
    for number in 0..300 {
        world.send(ALICE, "bob", &number.to_string());
    }
    world.net.refuses = false;
    world.run_for(seconds(9));
    let codes: Vec<SendCode> = world.results(ALICE).into_iter().map(|(_, code)| code).collect();
    assert_eq!(codes, [SendCode::Ok; 300]);
}

#[test]
fn expired_message_is_never_sent() {
    let mut world = World::new(Config::default(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    world.net.refuses = true;
    world.cut(ALICE);
    world.run_for(seconds(1));
    world.send(ALICE, "bob", "never");
    world.run_for(seconds(11));
    assert_eq!(world.results(ALICE), [(1, SendCode::Broken)]);
    world.net.refuses = false;
    world.run_for(seconds(30));
    assert_eq!(world.texts(BOB), Vec::<String>::new());
}

#[test]
fn message_waits_during_the_grace_period() {
    let mut world = World::new(Config::default(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    world.net.refuses = true;
    world.cut(BOB);
    world.run_for(seconds(1));
    world.send(ALICE, "bob", "wait for it");
    world.run_for(seconds(3));
    assert_eq!(world.results(ALICE), []);
    world.net.refuses = false;
    world.run_for(seconds(5));
    assert_eq!((world.results(ALICE), world.texts(BOB).len()), (vec![(1, SendCode::Ok)], 1));
}

#[test]
fn user_is_gone_after_the_grace_period() {
    let mut world = World::new(Config::default(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    world.join(ALICE, "room");
    world.join(BOB, "room");
    world.freeze(ALICE);
    world.freeze(BOB);
    world.run_for(seconds(31));
    assert_eq!(world.stats().sessions, 0);
    assert_eq!((world.stats().rooms, world.stats().memberships), (0, 0));
    assert_eq!(world.stats().links, 0);
}

/// An engine's room events, in a short form.
fn room_events(world: &mut World, who: usize) -> Vec<String> {
    let short = |event: Event| match event {
        Event::Room { event, .. } => Some(match event {
            RoomEvent::Joined { how, .. } => format!("joined: {how:?}"),
            RoomEvent::StateChanged { state, .. } => format!("state {}", state.code()),
            RoomEvent::Left => "left".to_owned(),
            RoomEvent::UserJoined(uid) => format!("{uid} joined"),
            RoomEvent::UserLeft { uid, reason } => format!("{uid} left: {}", reason.code()),
            other => format!("{other:?}"),
        }),
        Event::Logout(reason) => Some(format!("logout: {}", reason.code())),
        _ => None,
    };
    world.take_events(who).into_iter().filter_map(short).collect()
}

/// Alice and bob in a room, and a third engine.
fn two_in_a_room() -> (World, rts_proto::RoomKey) {
    let mut world = World::new(without_rates(), 3, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    let key = world.join(ALICE, "room");
    world.join(BOB, "room");
    world.take_events(ALICE);
    world.take_events(BOB);
    (world, key)
}

const OTHER: usize = 2;

#[test]
fn leave_while_offline_is_reported_on_reconnect() {
    let (mut world, key) = two_in_a_room();
    world.block_connects(ALICE);
    world.run_for(seconds(1));
    world.call(ALICE, |engine, now| engine.leave_room(now, key));
    assert_eq!(room_events(&mut world, ALICE), ["left"]);
    assert_eq!(room_events(&mut world, BOB), Vec::<String>::new());
    world.allow_connects(ALICE);
    world.run_for(seconds(8));
    assert_eq!(room_events(&mut world, BOB), ["alice left: 0"]);
    assert_eq!(room_events(&mut world, ALICE), Vec::<String>::new());
}

#[test]
fn logout_while_offline_is_reported_after_the_grace_period() {
    let (mut world, _) = two_in_a_room();
    world.block_connects(ALICE);
    world.run_for(seconds(1));
    world.call(ALICE, |engine, now| engine.logout(now));
    assert_eq!(room_events(&mut world, ALICE), ["logout: 0"]);
    world.run_for(seconds(27));
    assert_eq!(room_events(&mut world, BOB), Vec::<String>::new());
    world.run_for(seconds(3));
    assert_eq!(room_events(&mut world, BOB), ["alice left: 1"]);
}

#[test]
fn join_while_offline_happens_on_reconnect() {
    let mut world = World::new(without_rates(), 1, 1);
    world.log_in(ALICE, "alice");
    world.block_connects(ALICE);
    world.run_for(seconds(1));
    world.join(ALICE, "room");
    assert_eq!(room_events(&mut world, ALICE), Vec::<String>::new());
    world.allow_connects(ALICE);
    world.run_for(seconds(8));
    assert_eq!(room_events(&mut world, ALICE), ["joined: First"]);
}

#[test]
fn short_break_of_a_member_is_invisible() {
    let (mut world, _) = two_in_a_room();
    world.cut(ALICE);
    world.run_for(seconds(60));
    assert_eq!(room_events(&mut world, ALICE), Vec::<String>::new());
    assert_eq!(room_events(&mut world, BOB), Vec::<String>::new());
}

#[test]
fn lost_session_rejoins_rooms_with_their_members() {
    let (mut world, _) = two_in_a_room();
    world.restart_server(without_rates());
    world.run_for(seconds(10));
    assert_eq!(room_events(&mut world, ALICE), ["joined: Anew", "bob joined"]);
    assert_eq!(room_events(&mut world, BOB), ["joined: Anew", "alice joined"]);
}

#[test]
fn displaced_member_is_gone_after_the_grace_period() {
    let (mut world, _) = two_in_a_room();
    world.log_in(OTHER, "alice");
    assert_eq!(room_events(&mut world, ALICE), ["logout: 1"], "its rooms end silently");
    world.run_for(seconds(25));
    assert_eq!(room_events(&mut world, BOB), Vec::<String>::new());
    world.run_for(seconds(6));
    assert_eq!(room_events(&mut world, BOB), ["alice left: 1"]);
}

#[test]
fn displaced_member_stays_if_new_login_joins() {
    let (mut world, _) = two_in_a_room();
    world.log_in(OTHER, "alice");
    world.run_for(seconds(20));
    world.join(OTHER, "room");
    world.run_for(seconds(60));
    assert_eq!(room_events(&mut world, BOB), Vec::<String>::new());
    assert_eq!(room_events(&mut world, OTHER), ["joined: First", "bob joined"]);
}
