//! The shards of a node and the view of its cluster: which shard decides about whom, and what
//! shards of different nodes send each other.
//!
//! A driver makes a [`ShardMap`] of each view, and uses the latest one. Shards know nodes by their
//! numbers in the view, and the rest of this crate knows them by their incarnations.
//!
//! # Entries that are given back
//!
//! Drop the pieces of [`PeerGone`](crate::node::Output::PeerGone) and
//! [`NotSent`](crate::node::Output::NotSent). Nobody knows which of them the node has taken, so
//! none may be sent to another one. Shards learn by the next table of homes that the node is gone,
//! and do what that takes: logins ask the new home, and owners report to it. The sender of a
//! message gets result 1 from its own client core after 10 seconds.
//!
//! # Numbers that are used again
//!
//! The number of a session names its node and shard. A later node may get the number of a removed
//! one. It meets no number of an old session: a node is added only after all shards serve a view
//! without the removed one. By then they have ended all that concerned its sessions. And all that
//! they sent each other before has arrived, because it went ahead of the steps of that change.

use std::collections::BTreeMap;

use bytes::Bytes;
use rts_proto::Instant;
use rts_proto::server::{Entry, HomeTable, Input, NodeNumber, Placement, ShardId};

use crate::slots::{Homes, Slot};
use crate::view::{Epoch, Incarnation, Member, View};
use crate::wire::WireError;
use crate::wire::entries::{self, Route};

const NUMBER: &str = "numbers of members are below 64";

/// The shards of all members of a view, as the shards of one member know them.
#[derive(Clone, Debug)]
pub struct ShardMap {
    epoch: Epoch,
    joins: bool,
    seed: u64,
    own: (NodeNumber, u8),
    /// By its number, each other member.
    nodes: BTreeMap<NodeNumber, Incarnation>,
    /// By its incarnation, the number of each other member and that of its shards.
    numbers: BTreeMap<Incarnation, (NodeNumber, u8)>,
    table: HomeTable,
}

impl ShardMap {
    /// As the member with this incarnation knows them. `None` if it is no member.
    #[must_use]
    pub fn of(view: &View, own: Incarnation) -> Option<Self> {
        let number = |member: &Member| {
            let number = view.number(member.incarnation).map(usize::from);
            (number.and_then(NodeNumber::new).expect(NUMBER), member.shards)
        };
        let all = || view.members().iter().map(|member| (member.incarnation, number(member)));
        let is_own = |node: &Incarnation| *node == own;
        let (_, own) = all().find(|(node, _)| is_own(node))?;
        let numbers: BTreeMap<_, _> = all().filter(|(node, _)| !is_own(node)).collect();
        let nodes = numbers.iter().map(|(node, (number, _))| (*number, *node)).collect();
        let table = home_table(view, all().map(|(_, number)| number).collect());
        let (epoch, joins, seed) = (view.epoch(), view.parent().is_some(), view.seed());
        Some(Self { epoch, joins, seed, own, nodes, numbers, table })
    }

    /// The placements of the node's own shards, in their order. They are those of its first view
    /// for ever. A node makes its shards with its first view.
    pub fn placements(&self) -> impl Iterator<Item = Placement> {
        let (node, count) = self.own;
        let shards = (0..count.into()).filter_map(move |shard| ShardId::of_node(node, shard));
        shards.filter_map(move |shard| Placement::new(shard, count.into(), self.seed))
    }

    /// Whether shards that begin with this view have to learn what others know, which is
    /// [`joins_cluster`](rts_proto::server::Config::joins_cluster). Nobody knows anything in the
    /// first view of a cluster.
    #[must_use]
    pub fn joins(&self) -> bool {
        self.joins
    }

    /// The homes of all users and rooms, for shards that begin with this view.
    #[must_use]
    pub fn table(&self) -> &HomeTable {
        &self.table
    }

    /// What each of the node's own shards gets when the view has changed to this one. `serve_after`
    /// is that of [`Output::View`](crate::node::Output::View), by the clock of the shards.
    #[must_use]
    pub fn homes_changed(&self, serve_after: Instant) -> Input {
        Input::HomesChanged { table: Box::new(self.table.clone()), serve_after }
    }

    /// Whether a shard is one of this node. Entries for it do not leave the node.
    #[must_use]
    pub fn is_own(&self, shard: ShardId) -> bool {
        shard.node() == self.own.0
    }

    /// The shards of another member of the view. None of a node that is no other member.
    pub fn shards_of(&self, node: Incarnation) -> impl Iterator<Item = ShardId> + use<> {
        let other = self.numbers.get(&node).copied();
        other.into_iter().flat_map(|(node, count)| {
            (0..count.into()).filter_map(move |shard| ShardId::of_node(node, shard))
        })
    }

    /// The node and the pieces for [`Input::Entries`](crate::node::Input::Entries), from
    /// [`Output::Peer`](rts_proto::server::Output::Peer) of one of the node's own shards, whose
    /// clock shows `now`. `None` if the other node is not in the view: then the entries are lost,
    /// as the head of this module says.
    #[must_use]
    pub fn outgoing(
        &self,
        from: ShardId,
        to: ShardId,
        entries: Vec<Entry>,
        now: Instant,
    ) -> Option<(Incarnation, Vec<Bytes>)> {
        let node = self.nodes.get(&to.node())?;
        let [from, to] = [from, to].map(|shard| u8::try_from(shard.number()).ok());
        let route = Route::new(from?, to?)?;
        Some((*node, entries::encode(route, entries, now)))
    }

    /// The number of the own shard that [`Output::Entries`](crate::node::Output::Entries) are for,
    /// and its input. Its clock shows `now`. `None` if the other node is not in the view.
    ///
    /// A shard gets the entries of a node behind [`homes_changed`](Self::homes_changed) of the view
    /// that added the node. [`Node`](crate::node::Node) passes both out in this order.
    ///
    /// # Errors
    ///
    /// No correct node sends this piece.
    pub fn incoming(
        &self,
        from: Incarnation,
        route: Route,
        piece: Bytes,
        now: Instant,
    ) -> Result<Option<(usize, Input)>, WireError> {
        let Some((node, _)) = self.numbers.get(&from) else { return Ok(None) };
        let Some(shard) = ShardId::of_node(*node, route.from().into()) else { return Ok(None) };
        let (_, entries) = entries::decode(piece, now)?;
        Ok(Some((route.to().into(), Input::Peer(shard, entries))))
    }

    /// What each of the node's own shards gets for
    /// [`Output::Congested`](crate::node::Output::Congested).
    pub fn congested(&self, node: Incarnation, is_congested: bool) -> impl Iterator<Item = Input> {
        self.shards_of(node).map(move |shard| Input::PeerCongested(shard, is_congested))
    }

    /// The view for [`Input::Served`](crate::node::Input::Served), if all of the node's own shards
    /// serve this one. `epochs` are the
    /// [`served_epoch`](rts_proto::server::Server::served_epoch)s of all of them.
    #[must_use]
    pub fn served(&self, epochs: impl IntoIterator<Item = Option<u64>>) -> Option<Epoch> {
        let is_served = epochs.into_iter().all(|epoch| epoch == Some(self.epoch.0));
        is_served.then_some(self.epoch)
    }
}

fn home_table(view: &View, nodes: Vec<(NodeNumber, u8)>) -> HomeTable {
    let homes = Homes::of(view);
    let home = |slot: usize| nodes[homes.home(Slot::of_hash(slot as u64))].0;
    let counts = nodes.iter().map(|(node, shards)| (*node, usize::from(*shards)));
    HomeTable::new(view.epoch().0, counts, home).expect("homes are members, and have shards")
}

#[cfg(test)]
mod tests;
