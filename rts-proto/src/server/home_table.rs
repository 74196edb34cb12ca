//! A table of the homes of a cluster: which shard decides about each user and room.

use alloc::vec::Vec;

use super::placement::{Kind, NodeNumber, Placement, ShardId, of_hash};
use crate::{AppId, RoomId};

/// The parts into which a cluster divides all users and rooms. Each part has a home node.
pub const SLOTS: usize = 4_096;

/// The home node of every user and room of a cluster.
///
/// All nodes of a cluster get the same tables in the same order, and their shards have a
/// [`Placement`] with the same seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeTable {
    epoch: u64,
    /// By the number of a node, the number of its shards; 0 for a node that is not there.
    shards: [u8; NodeNumber::COUNT],
    /// By slot, the home node.
    nodes: Vec<NodeNumber>,
}

impl HomeTable {
    /// A table of these nodes, with the number of shards of each. `home` is the home node of a
    /// slot, which is below [`SLOTS`]. A later table of the cluster has a greater epoch. Fails if a
    /// node cannot have so many shards, or if the home of a slot is not among the nodes.
    #[must_use]
    pub fn new(
        epoch: u64,
        nodes: impl IntoIterator<Item = (NodeNumber, usize)>,
        home: impl Fn(usize) -> NodeNumber,
    ) -> Option<Self> {
        let mut shards = [0; NodeNumber::COUNT];
        for (node, count) in nodes {
            let count = Some(count).filter(|count| (1..=ShardId::COUNT_MAX).contains(count))?;
            shards[node.number()] = count as u8;
        }
        let nodes: Vec<NodeNumber> = (0..SLOTS).map(home).collect();
        let has_homes = nodes.iter().all(|node| shards[node.number()] > 0);
        has_homes.then_some(Self { epoch, shards, nodes })
    }

    /// Of two tables of a cluster the later one has the greater epoch.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The nodes, with the number of shards of each.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeNumber, usize)> {
        let nodes = (0..NodeNumber::COUNT).filter_map(NodeNumber::new);
        let counts = self.shards.iter().map(|count| usize::from(*count));
        nodes.zip(counts).filter(|(_, count)| *count > 0)
    }

    /// The home node of each slot.
    #[must_use]
    pub fn home_nodes(&self) -> &[NodeNumber] {
        &self.nodes
    }

    /// The home of a user, for shards with this placement.
    #[must_use]
    pub fn of_user(&self, placement: &Placement, app_id: &AppId, uid: &str) -> ShardId {
        self.home(placement.hash(Kind::User, app_id, uid))
    }

    /// The home of a room, for shards with this placement.
    #[must_use]
    pub fn of_room(&self, placement: &Placement, app_id: &AppId, room: &RoomId) -> ShardId {
        self.home(placement.hash(Kind::Room, app_id, room.as_str()))
    }

    /// Whether the cluster has this node.
    pub(super) fn has(&self, node: NodeNumber) -> bool {
        self.shards[node.number()] > 0
    }

    /// Whether a node of another table is not in this one.
    pub(super) fn lacks_node_of(&self, other: &Self) -> bool {
        other.nodes().any(|(node, _)| !self.has(node))
    }

    /// All shards of all nodes.
    pub(super) fn shards(&self) -> impl Iterator<Item = ShardId> {
        let of_node =
            |(node, count)| (0..count).filter_map(move |number| ShardId::of_node(node, number));
        self.nodes().flat_map(of_node)
    }

    /// The home of a name with this hash.
    #[inline]
    pub(super) fn home(&self, hash: u64) -> ShardId {
        let node = self.nodes[(hash % SLOTS as u64) as usize];
        of_hash(node, self.shards[node.number()], hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: usize) -> NodeNumber {
        NodeNumber::new(number).expect("valid")
    }

    #[test]
    fn a_table_has_nodes_with_1_to_64_shards_and_homes_among_them() {
        let of_shards = |count| HomeTable::new(1, [(node(1), count)], |_| node(1));
        assert_eq!((of_shards(0), of_shards(65)), (None, None));
        assert!(of_shards(1).is_some() && of_shards(64).is_some());
        let home = |slot| if slot % 4 == 0 { node(0) } else { node(5) };
        let table = HomeTable::new(1, [(node(0), 1), (node(5), 3)], home).expect("valid");
        assert_eq!(table.nodes().collect::<Vec<_>>(), [(node(0), 1), (node(5), 3)]);
        assert!(table.has(node(5)) && !table.has(node(4)));
        assert_eq!(table.shards().count(), 4);
        let last_is_elsewhere = |slot| node(if slot == SLOTS - 1 { 2 } else { 1 });
        assert_eq!(HomeTable::new(1, [(node(1), 1)], last_is_elsewhere), None);
    }
}
