//! A server that is a cluster.

use std::collections::BTreeSet;
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

#[test]
fn nobody_loses_anything_while_the_bus_is_away_from_all_nodes() {
    let mut world = cluster(3, 1, 3);
    log_in_all(&mut world, &["alice", "bob", "carol"]);
    world.set_bus_of_all(false);
    let id = world.send(0, "carol", "hi");
    world.run_for(9 * SECOND);
    assert!(world.texts(2).is_empty());
    world.set_bus_of_all(true);
    world.run_for(2 * SECOND);
    assert_eq!((world.texts(2), world.results(0)), (vec!["hi".into()], vec![(id, SendCode::Ok)]));
    let is_end = |happening: &Happening| matches!(happening, Happening::NodeEnded(..));
    assert!(!world.take_log().iter().any(|(_, happening)| is_end(happening)));
    assert_eq!(world.homes().map(|table| table.nodes().count()), Some(3));
    assert!((0..3).all(|who| world.call(who, |engine, _| engine.sessions_begun()) == 1));
}

#[test]
fn node_that_nobody_hears_is_removed_and_joins_again() {
    let mut world = cluster(3, 1, 3);
    world.mute_nodes([2], 10 * SECOND);
    world.run_for(20 * SECOND);
    let is_end = |happening: &Happening| matches!(happening, Happening::NodeEnded(2, Some(_)));
    assert!(world.take_log().iter().any(|(_, happening)| is_end(happening)));
    let homes = world.homes().expect("one view");
    let nodes: Vec<_> = homes.nodes().map(|(node, _)| node.number()).collect();
    assert!(nodes.len() == 3 && !nodes.contains(&2), "it has another number now: {nodes:?}");
}

#[test]
fn cluster_changes_while_one_node_does_not_reach_the_register() {
    let mut world = cluster(3, 1, 3);
    world.take_register(0, 30 * SECOND);
    world.start_node(3);
    world.run_for(10 * SECOND);
    let views = |happening: &Happening| match happening {
        Happening::NodeHasView(node, view) => Some((*node, view.members().len())),
        _ => None,
    };
    let log = world.take_log();
    let views: Vec<_> = log.iter().filter_map(|(_, happening)| views(happening)).collect();
    assert!((1..=3).all(|node| views.contains(&(node, 4))) && !views.contains(&(0, 4)));
}

#[test]
fn users_of_a_node_that_ends_notice_nothing() {
    let mut world = cluster(3, 1, 3);
    log_in_all(&mut world, &["alice", "bob", "carol"]);
    let rooms = [0, 1, 2].map(|who| world.join(who, "room"));
    world.retire_node(0, 5, 60 * SECOND);
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(world.send(0, "bob", "hi"));
        world.broadcast(1, rooms[1], "hello");
        world.run_for(SECOND);
    }
    let results: Vec<_> = ids.into_iter().map(|id| (id, SendCode::Ok)).collect();
    assert_eq!((world.results(0), world.room_texts(0).len()), (results, 20));
    assert!((0..3).all(|who| world.call(who, |engine, _| engine.sessions_begun()) == 1));
    assert_eq!(world.homes().map(|table| table.nodes().count()), Some(2), "it has left");
    world.start_node(0);
    world.run_for(10 * SECOND);
    assert_eq!(world.homes().map(|table| table.nodes().count()), Some(3));
}

#[test]
fn node_that_drains_no_more_takes_links_and_homes_again() {
    let mut world = cluster(2, 1, 2);
    log_in_all(&mut world, &["alice", "bob"]);
    let home_nodes = |world: &World| {
        let homes = world.homes().expect("one view");
        homes.home_nodes().iter().copied().collect::<BTreeSet<_>>().len()
    };
    world.drain_node(0, 100);
    world.run_for(15 * SECOND);
    assert!(world.is_drained(0) && home_nodes(&world) == 1);
    world.reopen_node(0);
    world.run_for(2 * SECOND);
    assert!(!world.is_drained(0) && home_nodes(&world) == 2);
    world.cut(0);
    world.run_for(2 * SECOND);
    world.send(1, "alice", "hi");
    world.run_for(SECOND);
    assert_eq!(world.texts(0), ["hi"]);
    assert_eq!(world.call(0, |engine, _| engine.sessions_begun()), 1);
}
