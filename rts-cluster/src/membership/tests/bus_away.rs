//! Stories and the law of clusters from whose nodes the bus is away for a while.

use proptest::prelude::*;

use super::cluster;
use super::world::{World, ms};
use crate::view::Incarnation;

/// The time for which nobody is removed, after the bus is back for the first one.
const LATE_MS: u64 = 3_000;

/// A cluster that has just formed its view.
fn whole(seed: u64, nodes: u64, more_ms: u64) -> World {
    let mut world = World::new(seed);
    (0..nodes).for_each(|name| world.start(name));
    world.pass(10_000 + more_ms);
    assert!(world.is_whole(), "{}", world.summary());
    world
}

#[test]
fn nobody_is_removed_while_the_bus_is_away_from_all() {
    for nodes in 2..=5 {
        for seconds in [6, 10, 16, 24] {
            for is_noticed in [false, true] {
                let mut world = cluster(nodes);
                let (views, incarnations) = (world.history.len(), world.incarnations());
                for name in 0..nodes {
                    world.bus_away(name, 0, seconds * 1_000, is_noticed);
                }
                world.pass(seconds * 1_000 - 1);
                assert_eq!(world.acting(), [0; 0]);
                world.pass(1_500);
                assert!(world.is_whole(), "{}", world.summary());
                world.pass(15_000);
                assert_eq!((world.history.len(), world.incarnations()), (views, incarnations));
            }
        }
    }
}

#[test]
fn node_whose_bus_is_back_later_than_that_of_the_others_goes_on() {
    for nodes in 2..=5 {
        for late_ms in [1_000, 2_000, LATE_MS] {
            for is_noticed in [false, true] {
                let mut world = cluster(nodes);
                let (views, incarnations) = (world.history.len(), world.incarnations());
                world.bus_away(0, 0, 10_000 + late_ms, is_noticed);
                (1..nodes).for_each(|name| world.bus_away(name, 0, 10_000, is_noticed));
                world.pass(11_500 + late_ms);
                assert!(world.is_whole(), "{}", world.summary());
                world.pass(15_000);
                assert_eq!((world.history.len(), world.incarnations()), (views, incarnations));
            }
        }
    }
}

#[test]
fn node_that_is_lost_while_the_bus_is_away_is_removed_when_it_is_back() {
    for nodes in 2..=5 {
        let mut world = cluster(nodes);
        (0..nodes).for_each(|name| world.bus_away(name, 0, 10_000, true));
        world.pass(5_000);
        world.crash(0);
        world.pass(12_500);
        let others: Vec<u64> = (1..nodes).collect();
        assert_eq!((world.members() as u64, world.acting()), (nodes - 1, others));
    }
}

#[test]
fn node_from_which_alone_the_bus_is_away_is_removed() {
    for nodes in 2..=5 {
        let mut world = cluster(nodes);
        world.bus_away(0, 0, 30_000, true);
        world.pass(7_000);
        let others: Vec<u64> = (1..nodes).collect();
        assert_eq!((world.members() as u64, world.acting()), (nodes - 1, others));
    }
}

#[test]
fn node_that_was_paused_removes_nobody() {
    for nodes in 3..=5 {
        let mut world = cluster(nodes);
        // The others are gone for a while too.
        let until = world.now + ms(12_000);
        world.nodes.values_mut().for_each(|node| node.paused_until = until);
        world.pass(30_000);
        assert!(world.is_whole(), "{}", world.summary());
        assert!(world.nodes[&0].incarnation() == Incarnation(1) && world.incarnations() == nodes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// When the bus is away from all nodes for less than 25 s, and the first one to lose it and
    /// the last one to have it back are at most 3 s from the others, all go on in the same view.
    #[test]
    fn all_go_on_in_one_view_after_the_bus_was_away(
        seed in any::<u64>(),
        before_ms in 0..1_000_u64,
        away_ms in 4_000..21_000_u64,
        edges in proptest::collection::vec((0..LATE_MS, 0..LATE_MS, any::<bool>()), 2..=5),
    ) {
        let nodes = edges.len() as u64;
        let mut world = whole(seed, nodes, before_ms);
        let (views, incarnations) = (world.history.len(), world.incarnations());
        for (name, (from, late, is_noticed)) in (0..).zip(edges) {
            world.bus_away(name, from, LATE_MS + away_ms + late, is_noticed);
        }
        world.pass(2 * LATE_MS + away_ms + 1_500);
        prop_assert!(world.is_whole(), "{}", world.summary());
        world.pass(15_000);
        prop_assert_eq!((world.history.len(), world.incarnations()), (views, incarnations));
    }
}
