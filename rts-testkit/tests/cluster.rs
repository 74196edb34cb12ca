//! A server that is a cluster.

use std::time::Duration;

use rts_proto::SendCode;
use rts_proto::server::Config;
use rts_testkit::{Happening, World};

const SECOND: Duration = Duration::from_secs(1);

/// A cluster whose nodes serve.
fn cluster(nodes: usize, shards: usize, engines: usize) -> World {
    let mut world = World::new(Config::default(), engines, 42).cluster(nodes, shards);
    world.run_for(SECOND);
    assert_eq!(world.homes().map(|table| table.nodes().count()), Some(nodes));
    world
}

fn log_in_all(world: &mut World, users: &[&str]) {
    users.iter().enumerate().for_each(|(who, uid)| world.log_in(who, uid));
}

#[test]
fn users_of_two_nodes_write_and_meet_in_a_room() {
    let mut world = cluster(2, 2, 2);
    log_in_all(&mut world, &["alice", "bob"]);
    let rooms = [0, 1].map(|who| world.join(who, "room"));
    let id = world.send(0, "bob", "hi");
    world.broadcast(1, rooms[1], "hello");
    world.run_for(SECOND);
    assert_eq!(world.results(0), [(id, SendCode::Ok)]);
    assert_eq!((world.texts(1), world.room_texts(0)), (vec!["hi".into()], vec!["hello".into()]));
    let nodes = |happening: &Happening| match happening {
        Happening::EntriesArrived(from, to, _) => Some(from.node() != to.node()),
        _ => None,
    };
    let log = world.take_log();
    assert!(log.iter().filter_map(|(_, happening)| nodes(happening)).any(|crosses| crosses));
}

#[test]
fn messages_arrive_over_a_bad_bus() {
    let mut world = cluster(2, 1, 2);
    log_in_all(&mut world, &["alice", "bob"]);
    let bus = &mut world.nodes().expect("a cluster").bus;
    (bus.lost_of_100, bus.doubled_of_100, bus.jitter) = (20, 30, Duration::from_millis(100));
    let texts: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    for text in &texts {
        world.send(0, "bob", text);
    }
    world.run_for(9 * SECOND);
    assert_eq!(world.texts(1), texts);
}

#[test]
fn node_joins_and_is_home_of_a_part() {
    let mut world = cluster(2, 1, 3);
    log_in_all(&mut world, &["alice", "bob"]);
    world.start_node(2);
    world.run_for(10 * SECOND);
    let homes = world.homes().expect("all nodes serve one view");
    assert_eq!(homes.nodes().count(), 3);
    let (newest, _) = homes.nodes().last().expect("three nodes");
    assert!(homes.home_nodes().contains(&newest));
    world.log_in(2, "carol");
    world.send(2, "alice", "hi");
    world.run_for(SECOND);
    assert_eq!(world.texts(0), ["hi"]);
}

#[test]
fn node_that_is_cut_off_is_frozen_and_goes_on_when_it_hears_the_others_again() {
    let mut world = cluster(3, 1, 3);
    log_in_all(&mut world, &["alice", "bob", "carol"]);
    world.part_nodes([2], 5 * SECOND);
    world.run_for(20 * SECOND);
    let frozen = world.take_log().into_iter().filter_map(|(_, happening)| match happening {
        Happening::NodeFrozen(node, is_frozen) => Some((node, is_frozen)),
        _ => None,
    });
    assert!(frozen.collect::<Vec<_>>().ends_with(&[(2, true), (2, false)]));
    world.send(0, "carol", "hi");
    world.run_for(SECOND);
    assert_eq!(world.texts(2), ["hi"]);
}
