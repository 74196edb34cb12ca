//! Every call has its result, even if its link, its session or its time ends.

use rts_proto::client::{Event, RoomEvent};
use rts_proto::limits::OPEN_QUERIES_MAX;
use rts_proto::{BroadcastCode, OnlineStatus};
use rts_testkit::World;

use super::seconds;
use rts_tests::without_rates;

const ALICE: usize = 0;
const BOB: usize = 1;

fn statuses(world: &mut World) -> Vec<OnlineStatus> {
    let status = |event| match event {
        Event::PeerOnlineStatus { status, .. } => Some(status),
        _ => None,
    };
    world.take_events(ALICE).into_iter().filter_map(status).collect()
}

fn ask(world: &mut World, times: usize) {
    for _ in 0..times {
        world.call(ALICE, |engine, now| engine.get_peer_online_status(now, "bob"));
    }
}

#[test]
fn query_limit_holds_and_answers_free_places() {
    let mut world = World::new(without_rates(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    // The second round shows that answers free their places.
    for _ in 0..2 {
        ask(&mut world, OPEN_QUERIES_MAX);
        assert_eq!(statuses(&mut world), []);
        ask(&mut world, 1);
        assert_eq!(statuses(&mut world), [OnlineStatus::Unreachable]);
        world.run_for(seconds(1));
        assert_eq!(statuses(&mut world), [OnlineStatus::Online; OPEN_QUERIES_MAX]);
    }
}

#[test]
fn query_is_repeated_after_server_restart() {
    let mut world = World::new(without_rates(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    statuses(&mut world);
    ask(&mut world, 1);
    world.restart_server(without_rates());
    world.run_for(seconds(9));
    let answer = statuses(&mut world);
    assert!(
        matches!(answer.as_slice(), [OnlineStatus::Online | OnlineStatus::Offline]),
        "{answer:?}"
    );
}

#[test]
fn unsent_broadcast_fails_and_is_never_sent() {
    let mut world = World::new(without_rates(), 2, 1);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    let alices = world.join(ALICE, "room");
    world.join(BOB, "room");
    world.take_events(ALICE);
    world.block_connects(ALICE);
    world.run_for(seconds(1));
    let id = world.broadcast(ALICE, alices, "never");
    world.run_for(seconds(11));
    let result = |event| match event {
        Event::Room { event: RoomEvent::MessageSendResult { id, code }, .. } => Some((id.0, code)),
        _ => None,
    };
    let results: Vec<_> = world.take_events(ALICE).into_iter().filter_map(result).collect();
    assert_eq!(results, [(id, BroadcastCode::Broken)]);
    world.allow_connects(ALICE);
    world.run_for(seconds(15));
    world.broadcast(ALICE, alices, "later");
    world.run_for(seconds(1));
    assert_eq!(world.room_texts(BOB), ["later"]);
}
