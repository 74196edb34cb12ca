//! The home of each user and room: the shard that decides about it. In a cluster it may be a shard
//! of another node.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::placement::{Kind, NodeNumber, Placement, ShardId, of_hash};
use crate::{AppId, RoomId};

/// The parts into which a cluster divides all users and rooms. Each part has a home node.
pub const SLOTS: usize = 4_096;

/// The home node of every user and room of a cluster.
///
/// All nodes of a cluster have the same table, and shards whose [`Placement`] has the same seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeTable {
    /// By the number of a node, the number of its shards; 0 for a node that is not there.
    shards: [u8; NodeNumber::COUNT],
    /// By slot, the home node.
    nodes: Vec<NodeNumber>,
}

impl HomeTable {
    /// A table of these nodes, with the number of shards of each. `home` is the home node of a
    /// slot, which is below [`SLOTS`]. Fails if a node cannot have so many shards, or if the home
    /// of a slot is not among the nodes.
    #[must_use]
    pub fn new(
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
        has_homes.then_some(Self { shards, nodes })
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

    fn home(&self, hash: u64) -> ShardId {
        let node = self.nodes[(hash % SLOTS as u64) as usize];
        of_hash(node, self.shards[node.number()], hash)
    }
}

/// The homes as one shard sees them.
#[derive(Debug)]
pub(super) struct Homes {
    placement: Placement,
    /// Absent without a cluster: homes are the shards of the node then.
    table: Option<Box<HomeTable>>,
}

impl Homes {
    pub(super) fn new(placement: Placement, table: Option<HomeTable>) -> Self {
        Self { placement, table: table.map(Box::new) }
    }

    /// Whether a user's session may be in another shard than the user's home.
    #[inline]
    pub(super) fn are_in_cluster(&self) -> bool {
        self.table.is_some()
    }

    /// The home of a user, if it is another shard.
    #[inline]
    pub(super) fn other_of_user(&self, app_id: &AppId, uid: &str) -> Option<ShardId> {
        match &self.table {
            None => self.placement.other_of_user(app_id, uid),
            Some(table) => self.other(table.of_user(&self.placement, app_id, uid)),
        }
    }

    /// The home of a room, if it is another shard.
    #[inline]
    pub(super) fn other_of_room(&self, app_id: &AppId, room: &RoomId) -> Option<ShardId> {
        match &self.table {
            None => self.placement.other_of_room(app_id, room),
            Some(table) => self.other(table.of_room(&self.placement, app_id, room)),
        }
    }

    /// The home of the user with this name of some other app, for planted bugs.
    pub(super) fn other_of_name(&self, uid: &str) -> Option<ShardId> {
        let app_id = AppId::new("000000000000000000000000").ok()?;
        self.other_of_user(&app_id, uid)
    }

    fn other(&self, home: ShardId) -> Option<ShardId> {
        Some(home).filter(|home| *home != self.placement.own())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::{app_id, room_id};

    fn node(number: usize) -> NodeNumber {
        NodeNumber::new(number).expect("valid")
    }

    /// Node 0 with one shard and node 5 with three, which is the home of three slots of four.
    fn table() -> HomeTable {
        let home = |slot| if slot % 4 == 0 { node(0) } else { node(5) };
        HomeTable::new([(node(0), 1), (node(5), 3)], home).expect("valid")
    }

    #[test]
    fn a_table_has_nodes_with_1_to_64_shards_and_homes_among_them() {
        let of_shards = |count| HomeTable::new([(node(1), count)], |_| node(1));
        assert_eq!((of_shards(0), of_shards(65)), (None, None));
        assert!(of_shards(1).is_some() && of_shards(64).is_some());
        assert_eq!(table().nodes().collect::<Vec<_>>(), [(node(0), 1), (node(5), 3)]);
        let last_is_elsewhere = |slot| node(if slot == SLOTS - 1 { 2 } else { 1 });
        assert_eq!(HomeTable::new([(node(1), 1)], last_is_elsewhere), None);
    }

    #[test]
    fn all_shards_of_all_nodes_agree_on_a_home() {
        let shards = [(0, 0, 1), (5, 0, 3), (5, 1, 3), (5, 2, 3)].map(|(of, number, count)| {
            let own = ShardId::of_node(node(of), number).expect("valid");
            let placement = Placement::new(own, count, 7).expect("valid");
            (own, Homes::new(placement, Some(table())))
        });
        let mut users = [0; 4];
        for name in (0..400).map(|name| alloc::format!("n{name}")) {
            let elsewhere = shards.each_ref().map(|(_, homes)| {
                (
                    homes.other_of_user(&app_id(), &name),
                    homes.other_of_room(&app_id(), &room_id(&name)),
                )
            });
            let users_of = elsewhere.map(|(user, _)| user);
            let rooms_of = elsewhere.map(|(_, room)| room);
            for homes in [users_of, rooms_of] {
                // It is elsewhere for all but one, and the others name that one.
                let here = homes.iter().position(Option::is_none).expect("somewhere");
                let others = homes.iter().flatten();
                assert_eq!(others.filter(|home| **home == shards[here].0).count(), 3);
            }
            users[users_of.iter().position(Option::is_none).expect("somewhere")] += 1;
        }
        assert!(users.iter().all(|count| (60..140).contains(count)), "{users:?}");
    }

    #[test]
    fn without_a_cluster_homes_are_in_the_node() {
        let own = ShardId::new(1).expect("valid");
        let placement = Placement::new(own, 2, 7).expect("valid");
        let homes = Homes::new(placement, None);
        for name in (0..100).map(|name| alloc::format!("u{name}")) {
            let home = placement.other_of_user(&app_id(), &name);
            assert_eq!(homes.other_of_user(&app_id(), &name), home);
        }
        assert!(!homes.are_in_cluster());
    }
}
