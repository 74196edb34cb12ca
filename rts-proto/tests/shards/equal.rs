//! A node of several shards, and a cluster of several nodes, do what a node of one shard does:
//! clients get the same frames, commands return the same values, and the app's back end gets the
//! same reports.

use proptest::prelude::*;

use crate::events::event;
use crate::world::World;

proptest! {
    #[test]
    fn several_shards_do_what_one_does(
        shards in 2_usize..=4,
        events in prop::collection::vec(event(), 1..80),
    ) {
        let mut one = World::new(1);
        let mut several = World::new(shards);
        for (number, event) in events.iter().enumerate() {
            let (expected, seen) = (one.happens(event), several.happens(event));
            prop_assert_eq!(seen, expected, "at event {}: {:?}", number, event);
        }
    }

    #[test]
    fn a_cluster_does_what_one_node_does(
        shape in prop::collection::vec(1_usize..=2, 2..=4),
        events in prop::collection::vec(event(), 1..80),
    ) {
        let mut one = World::new(1);
        let mut cluster = World::cluster(&shape);
        for (number, event) in events.iter().enumerate() {
            let (expected, seen) = (one.happens(event), cluster.happens(event));
            prop_assert_eq!(seen.without_pages(), expected.without_pages(), "at event {}: {:?}", number, event);
        }
    }

    #[test]
    fn a_cluster_whose_homes_move_does_what_one_node_does(
        shape in prop::collection::vec(1_usize..=2, 2..=4),
        events in prop::collection::vec((prop::option::weighted(0.2, any::<u64>()), event()), 1..80),
    ) {
        let mut one = World::new(1);
        let mut cluster = World::cluster(&shape);
        for (number, (moves, event)) in events.iter().enumerate() {
            if let Some(seed) = moves {
                cluster.node.move_homes(*seed);
            }
            let (expected, seen) = (one.happens(event), cluster.happens(event));
            prop_assert_eq!(seen.without_pages(), expected.without_pages(), "at event {}: {:?}", number, event);
        }
    }
}
