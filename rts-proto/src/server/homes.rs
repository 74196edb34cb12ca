//! The home of each user and room: the shard that decides about it. In a cluster it may be a shard
//! of another node, and it may change.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::changes::Changes;
use super::home_table::HomeTable;
use super::io::HomesStep;
use super::placement::{Kind, Placement, ShardId};
use crate::{AppId, RoomId};

/// The homes as one shard sees them.
#[derive(Debug)]
pub(super) struct Homes {
    placement: Placement,
    /// Absent without a cluster: homes are the shards of the node then.
    changes: Option<Box<Changes>>,
}

impl Homes {
    /// `joins`: the other nodes of the cluster serve already.
    pub(super) fn new(placement: Placement, table: Option<HomeTable>, joins: bool) -> Self {
        let changes = table.map(|table| Changes::new(placement.own(), table, joins).into());
        Self { placement, changes }
    }

    /// Whether a user's session may be in another shard than the user's home.
    #[inline]
    pub(super) fn are_in_cluster(&self) -> bool {
        self.changes.is_some()
    }

    /// Whether this shard joins a cluster, and has not served yet.
    pub(super) fn are_being_joined(&self) -> bool {
        self.changes.as_ref().is_some_and(|changes| changes.served_epoch().is_none())
    }

    /// The epoch of the present table.
    pub(super) fn epoch(&self) -> u64 {
        self.changes.as_ref().map_or(0, |changes| changes.table().epoch())
    }

    /// The epoch of the latest table by which this shard decides about all names whose home it is.
    pub(super) fn served_epoch(&self) -> Option<u64> {
        self.changes.as_ref()?.served_epoch()
    }

    /// The tables of the cluster.
    pub(super) fn changes(&mut self) -> Option<&mut Changes> {
        self.changes.as_deref_mut()
    }

    /// Another shard has taken a step of a change.
    pub(super) fn reached(&mut self, shard: ShardId, epoch: u64, step: HomesStep) {
        if let Some(changes) = &mut self.changes {
            changes.reached(shard, epoch, step);
        }
    }

    /// Whether a shard has told the new homes all that it knew, in the present change.
    pub(super) fn has_handed_over(&self, shard: ShardId) -> bool {
        self.changes.as_ref().is_some_and(|changes| changes.has_handed_over(shard))
    }

    /// What a change waits for may have come: a moment, or the last answer of a former home.
    pub(super) fn look_again(&mut self) {
        if let Some(changes) = &mut self.changes {
            changes.look_again();
        }
    }

    /// Whether a step of a change may be possible that was not possible before.
    #[inline]
    pub(super) fn have_news(&self) -> bool {
        self.changes.as_ref().is_some_and(|changes| changes.has_news())
    }

    /// Whether homes change now.
    #[inline]
    pub(super) fn are_changing(&self) -> bool {
        self.changes.as_ref().is_some_and(|changes| changes.is_changing())
    }

    /// The home of a user, if it is another shard. It is this shard if this shard is the home but
    /// does not decide yet: entries to it wait then.
    #[inline]
    pub(super) fn other_of_user(&self, app_id: &AppId, uid: &str) -> Option<ShardId> {
        match &self.changes {
            None => self.placement.other_of_user(app_id, uid),
            Some(changes) => self.other(changes, self.placement.hash(Kind::User, app_id, uid)),
        }
    }

    /// The home of a room, if it is another shard. It is this shard if this shard is the home but
    /// does not decide yet: entries to it wait then.
    #[inline]
    pub(super) fn other_of_room(&self, app_id: &AppId, room: &RoomId) -> Option<ShardId> {
        match &self.changes {
            None => self.placement.other_of_room(app_id, room),
            Some(changes) => {
                self.other(changes, self.placement.hash(Kind::Room, app_id, room.as_str()))
            }
        }
    }

    /// The home of the rate of an app's back end, if it is another shard. It is this shard if this
    /// shard is the home but does not decide yet.
    pub(super) fn other_of_app(&self, app_id: &AppId) -> Option<ShardId> {
        match &self.changes {
            None => {
                let home = self.placement.of_app(app_id);
                (home != self.placement.own()).then_some(home)
            }
            Some(changes) => self.other(changes, self.placement.hash(Kind::App, app_id, "")),
        }
    }

    fn other(&self, changes: &Changes, hash: u64) -> Option<ShardId> {
        let home = changes.table().home(hash);
        (home != self.placement.own() || changes.is_unserved(hash)).then_some(home)
    }

    /// The home of the user with this name of some other app, for planted bugs.
    pub(super) fn other_of_name(&self, uid: &str) -> Option<ShardId> {
        let app_id = AppId::new("000000000000000000000000").ok()?;
        self.other_of_user(&app_id, uid)
    }

    /// Whether another shard addresses by a later table than this one.
    #[inline]
    pub(super) fn is_behind(&self, other: ShardId) -> bool {
        self.changes.as_ref().is_some_and(|changes| changes.is_ahead(other))
    }

    /// Whether this shard is the home of a user, and does not decide yet.
    pub(super) fn is_unserved_user(&self, app_id: &AppId, uid: &str) -> bool {
        self.other_of_user(app_id, uid) == Some(self.placement.own())
    }

    /// Whether this shard is the home of a room, and does not decide yet.
    pub(super) fn is_unserved_room(&self, app_id: &AppId, room: &RoomId) -> bool {
        self.other_of_room(app_id, room) == Some(self.placement.own())
    }

    /// Whether this shard is the home of the rate of an app's back end, and does not decide yet.
    pub(super) fn is_unserved_app(&self, app_id: &AppId) -> bool {
        self.other_of_app(app_id) == Some(self.placement.own())
    }

    /// All shards of the cluster, or of the node.
    pub(super) fn shards(&self) -> Vec<ShardId> {
        match &self.changes {
            None => self.placement.shards().collect(),
            Some(changes) => changes.others().into_iter().chain([self.placement.own()]).collect(),
        }
    }

    /// The next home of a user whose former home is this shard.
    pub(super) fn next_of_user(&self, app_id: &AppId, uid: &str) -> Option<ShardId> {
        self.next_home(|| self.placement.hash(Kind::User, app_id, uid))
    }

    /// The next home of a room whose former home is this shard.
    pub(super) fn next_of_room(&self, app_id: &AppId, room: &RoomId) -> Option<ShardId> {
        self.next_home(|| self.placement.hash(Kind::Room, app_id, room.as_str()))
    }

    fn next_home(&self, hash: impl FnOnce() -> u64) -> Option<ShardId> {
        let (changes, own, hash) = (self.changes.as_ref()?, self.placement.own(), hash());
        let was_here = changes.former_home(hash) == Some(own);
        Some(changes.table().home(hash)).filter(|home| was_here && *home != own)
    }

    /// Whether a shard is in a node of the cluster.
    pub(super) fn has(&self, shard: ShardId) -> bool {
        self.changes.as_ref().is_none_or(|changes| changes.latest().has(shard.node()))
    }

    /// Whether what a home knew about a user is lost with its node. All shards agree on that.
    pub(super) fn is_lost_user(&self, app_id: &AppId, uid: &str) -> bool {
        self.of_user(Changes::is_lost, app_id, uid)
    }

    /// Whether what a home knew about a room is lost with its node. All shards agree on that.
    pub(super) fn is_lost_room(&self, app_id: &AppId, room: &RoomId) -> bool {
        self.of_room(Changes::is_lost, app_id, room)
    }

    /// Whether the answer of the home of a room may be lost with its node.
    pub(super) fn is_answer_lost(&self, app_id: &AppId, room: &RoomId) -> bool {
        self.of_room(Changes::is_answer_lost, app_id, room)
    }

    /// Whether this shard may know only a part about a user, from a home that was removed.
    pub(super) fn is_partial_user(&self, app_id: &AppId, uid: &str) -> bool {
        self.of_user(Changes::is_partial, app_id, uid)
    }

    /// Whether this shard may know only a part about a room, from a home that was removed.
    pub(super) fn is_partial_room(&self, app_id: &AppId, room: &RoomId) -> bool {
        self.of_room(Changes::is_partial, app_id, room)
    }

    fn of_user(&self, holds: fn(&Changes, u64) -> bool, app_id: &AppId, uid: &str) -> bool {
        let hash = || self.placement.hash(Kind::User, app_id, uid);
        self.changes.as_ref().is_some_and(|changes| holds(changes, hash()))
    }

    fn of_room(&self, holds: fn(&Changes, u64) -> bool, app_id: &AppId, room: &RoomId) -> bool {
        let hash = || self.placement.hash(Kind::Room, app_id, room.as_str());
        self.changes.as_ref().is_some_and(|changes| holds(changes, hash()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::placement::NodeNumber;
    use crate::server::testing::{app_id, room_id};

    fn node(number: usize) -> NodeNumber {
        NodeNumber::new(number).expect("valid")
    }

    /// Node 0 with one shard and node 5 with three, which is the home of three slots of four.
    fn table() -> HomeTable {
        let home = |slot| if slot % 4 == 0 { node(0) } else { node(5) };
        HomeTable::new(1, [(node(0), 1), (node(5), 3)], home).expect("valid")
    }

    #[test]
    fn all_shards_of_all_nodes_agree_on_a_home() {
        let shards = [(0, 0, 1), (5, 0, 3), (5, 1, 3), (5, 2, 3)].map(|(of, number, count)| {
            let own = ShardId::of_node(node(of), number).expect("valid");
            let placement = Placement::new(own, count, 7).expect("valid");
            (own, Homes::new(placement, Some(table()), false))
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
        let homes = Homes::new(placement, None, false);
        for name in (0..100).map(|name| alloc::format!("u{name}")) {
            let home = placement.other_of_user(&app_id(), &name);
            assert_eq!(homes.other_of_user(&app_id(), &name), home);
        }
        assert!(!homes.are_in_cluster());
    }
}
