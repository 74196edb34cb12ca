//! Nodes that come and go, and what goes wrong between them.

use std::collections::BTreeSet;

use rts_cluster::node::Input;
use rts_proto::Instant;

use super::outages::Outages;
use super::{Cluster, Due, NodeIndex};

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

    /// Ends all pauses of processes, all outages, and starts each node that ever ran.
    pub(crate) fn heal(&mut self, now: Instant) {
        self.change_buses(now, Outages::end);
        self.register.down_until = now;
        for life in self.lives.iter_mut().flatten() {
            life.paused_until = life.paused_until.min(now);
        }
        self.restore_register(now);
        (0..self.lives.len()).for_each(|node| self.start(now, node));
    }

    /// Until this moment, no packets pass from these nodes to all others, nor back unless it is one
    /// way.
    pub(crate) fn part(&mut self, one_side: BTreeSet<NodeIndex>, is_one_way: bool, until: Instant) {
        self.outages.part(one_side, is_one_way, until);
    }

    /// Some living node learns that the earlier lives of a node have ended.
    pub(crate) fn certify(&mut self, now: Instant, node: NodeIndex) {
        let dead = self.earlier.get(&node).cloned().unwrap_or_default();
        if let Some(life) = self.lives.iter_mut().flatten().next() {
            dead.into_iter().for_each(|dead| life.handle(now, Input::Dead(dead)));
        }
    }

    /// The wall clock of the machine of a node is set.
    pub(crate) fn jump_wall(&mut self, node: NodeIndex, seconds: i64) {
        let jumped = self.jumped_micros.entry(node).or_default();
        *jumped = jumped.saturating_add(seconds.saturating_mul(1_000_000));
        let jumped_micros = *jumped;
        if let Some(life) = self.life_mut(node) {
            life.clocks.jumped_micros = jumped_micros;
        }
    }

    /// The register loses its last changes, though it has acknowledged them.
    pub(crate) fn forget_changes(&mut self, changes: usize) {
        self.register.forget(changes);
    }

    /// An operator gives a register that has lost changes the view of the node that acts, or the
    /// latest one if none does.
    fn restore_register(&mut self, now: Instant) {
        if !self.register.has_forgotten() {
            return;
        }
        let lives = self.lives.iter_mut().flatten();
        let views = lives.filter_map(|life| Some((life.acts(now), life.node.view()?.clone())));
        if let Some((_, view)) = views.max_by_key(|(acts, view)| (*acts, view.epoch())) {
            self.register.restore(view);
        }
    }

    /// The bus of a node works or does not.
    pub(crate) fn set_bus(&mut self, now: Instant, node: NodeIndex, is_up: bool) {
        self.change_buses(now, |outages| outages.set_bus(node, is_up));
    }

    /// The bus of all nodes works or does not.
    pub(crate) fn set_bus_of_all(&mut self, now: Instant, is_up: bool) {
        self.change_buses(now, |outages| outages.set_bus_of_all(is_up));
    }

    /// Until this moment, a node does not reach the register.
    pub(crate) fn take_register(&mut self, node: NodeIndex, until: Instant) {
        self.outages.take_register(node, until);
    }

    /// Nodes whose connection to the bus changes learn that. What is under way to a node that loses
    /// it is lost.
    fn change_buses(&mut self, now: Instant, change: impl FnOnce(&mut Outages)) {
        let has_bus = |outages: &Outages, nodes: usize| -> Vec<bool> {
            (0..nodes).map(|node| outages.has_bus(node)).collect()
        };
        let before = has_bus(&self.outages, self.lives.len());
        change(&mut self.outages);
        let after = has_bus(&self.outages, self.lives.len());
        for (node, (before, is_up)) in before.into_iter().zip(after).enumerate() {
            let Some(life) = self.life(node).filter(|_| before != is_up) else { continue };
            let of = life.incarnation;
            if is_up {
                self.bus.subscribed(now, of);
            } else {
                self.due.retain(|_, due| !matches!(due, Due::Packet { to, .. } if *to == of));
            }
            self.put(now, Due::Bus { of, is_up });
        }
    }
}
