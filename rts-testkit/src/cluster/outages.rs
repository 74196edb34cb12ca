//! What the nodes of a cluster cannot reach: each other, the bus, the register.

use std::collections::{BTreeMap, BTreeSet};

use rts_proto::Instant;

use super::NodeIndex;

/// Nodes between which the bus carries nothing, for a time.
#[derive(Clone, Debug)]
struct Partition {
    one_side: BTreeSet<NodeIndex>,
    is_one_way: bool,
    until: Instant,
}

/// What does not work between the nodes of a cluster. Each part of it is independent of the others.
#[derive(Debug, Default)]
pub(super) struct Outages {
    partitions: Vec<Partition>,
    /// Whether the bus is away from all nodes, also from those that start meanwhile.
    is_bus_away: bool,
    /// Nodes from which the bus is away.
    bus_away_from: BTreeSet<NodeIndex>,
    /// By node, the moment before which it does not reach the register.
    register_away_from: BTreeMap<NodeIndex, Instant>,
}

impl Outages {
    /// Until this moment, nothing passes from these nodes to all others, nor back unless it is one
    /// way.
    pub(super) fn part(&mut self, one_side: BTreeSet<NodeIndex>, is_one_way: bool, until: Instant) {
        self.partitions.push(Partition { one_side, is_one_way, until });
    }

    /// Whether the bus carries nothing from one node to another.
    pub(super) fn is_cut(&self, now: Instant, from: NodeIndex, to: NodeIndex) -> bool {
        self.partitions.iter().any(|Partition { one_side, is_one_way, until }| {
            let (leaves, comes) = (one_side.contains(&from), one_side.contains(&to));
            now < *until && leaves != comes && (leaves || !is_one_way)
        })
    }

    /// Connects a node to the bus, or cuts its connection.
    pub(super) fn set_bus(&mut self, node: NodeIndex, is_up: bool) {
        match is_up {
            true => self.bus_away_from.remove(&node),
            false => self.bus_away_from.insert(node),
        };
    }

    /// Connects all nodes to the bus but those that are cut off one by one, or cuts them all off.
    pub(super) fn set_bus_of_all(&mut self, is_up: bool) {
        self.is_bus_away = !is_up;
    }

    /// Whether a node is connected to the bus.
    pub(super) fn has_bus(&self, node: NodeIndex) -> bool {
        !self.is_bus_away && !self.bus_away_from.contains(&node)
    }

    /// A node does not reach the register before this moment.
    pub(super) fn take_register(&mut self, node: NodeIndex, until: Instant) {
        self.register_away_from.insert(node, until);
    }

    /// Whether a node reaches the register. It is a part of the bus.
    pub(super) fn has_register(&self, now: Instant, node: NodeIndex) -> bool {
        let until = self.register_away_from.get(&node);
        self.has_bus(node) && until.is_none_or(|until| *until <= now)
    }

    /// Ends all of them.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn partitions_hold_side_by_side_and_one_way_ones_let_the_other_way_pass() {
        let mut outages = Outages::default();
        outages.part([0].into(), false, at(10));
        outages.part([1].into(), true, at(20));
        let cut = |now, pairs: &[(NodeIndex, NodeIndex)]| {
            pairs.iter().map(|(from, to)| outages.is_cut(at(now), *from, *to)).collect::<Vec<_>>()
        };
        let pairs = [(0, 2), (2, 0), (1, 2), (2, 1), (3, 2)];
        assert_eq!(cut(9, &pairs), [true, true, true, false, false]);
        assert_eq!(cut(10, &pairs), [false, false, true, false, false]);
        assert_eq!(cut(20, &pairs), [false; 5]);
    }

    #[test]
    fn node_whose_own_bus_is_away_stays_cut_off_when_the_bus_of_all_is_back() {
        let mut outages = Outages::default();
        outages.set_bus(1, false);
        outages.set_bus_of_all(false);
        assert!(!outages.has_bus(0) && !outages.has_bus(1));
        outages.set_bus_of_all(true);
        assert!(outages.has_bus(0) && !outages.has_bus(1));
        assert!(!outages.has_register(at(0), 1), "the register is a part of the bus");
    }
}
