//! Nodes that come and go, and what goes wrong between them.

use std::collections::BTreeSet;

use rts_cluster::node::Input;
use rts_proto::Instant;

use super::{Cluster, NodeIndex};

impl Cluster {
    /// A node starts, which may be a new one, and wants to be a member. Nothing happens if it runs.
    pub(crate) fn start(&mut self, now: Instant, node: NodeIndex) {
        if self.lives.len() <= node {
            self.lives.resize_with(node + 1, || None);
        }
        self.restarts.remove(&node);
        if self.lives[node].is_none() {
            let own = self.next_life(node);
            self.begin(now, node, own);
        }
    }

    /// A node starts again at this moment.
    pub(crate) fn restart_at(&mut self, node: NodeIndex, at: Instant) {
        self.restarts.insert(node, at);
    }

    /// The process of a node stands still until this moment.
    pub(crate) fn pause(&mut self, node: NodeIndex, until: Instant) {
        if let Some(life) = self.life_mut(node) {
            life.paused_until = life.paused_until.max(until);
        }
    }

    /// Ends all pauses of processes, all partitions, and starts each node that ever ran.
    pub(crate) fn heal(&mut self, now: Instant) {
        self.partition.1 = now;
        self.register.down_until = now;
        for life in self.lives.iter_mut().flatten() {
            life.paused_until = life.paused_until.min(now);
        }
        (0..self.lives.len()).for_each(|node| self.start(now, node));
    }

    /// Until this moment, no packets pass between these nodes and all others.
    pub(crate) fn part(&mut self, one_side: BTreeSet<NodeIndex>, until: Instant) {
        self.partition = (one_side, until);
    }

    pub(super) fn is_cut(&self, now: Instant, one: NodeIndex, other: NodeIndex) -> bool {
        let (one_side, until) = &self.partition;
        now < *until && one_side.contains(&one) != one_side.contains(&other)
    }

    /// Some living node learns that the earlier lives of a node have ended.
    pub(crate) fn certify(&mut self, now: Instant, node: NodeIndex) {
        let dead = self.earlier.get(&node).cloned().unwrap_or_default();
        if let Some(life) = self.lives.iter_mut().flatten().next() {
            dead.into_iter().for_each(|dead| life.node.handle(now, Input::Dead(dead)));
            life.has_outputs = true;
        }
    }

    /// The bus of a node works or does not.
    pub(crate) fn set_bus(&mut self, now: Instant, node: NodeIndex, is_up: bool) {
        if let Some(life) = self.life_mut(node) {
            life.node.handle(now, if is_up { Input::BusUp } else { Input::BusDown });
            life.has_outputs = true;
        }
    }
}
