//! The bus of a world, which may be away from nodes.

use std::collections::BTreeMap;
use std::ops::Range;

use rts_proto::Instant;

use super::{Due, World, ms};
use crate::node::Input;

/// The connections of nodes to the bus.
#[derive(Debug, Default)]
pub(super) struct Connections {
    /// The time for which the bus is away from a node.
    away: BTreeMap<u64, Range<Instant>>,
}

impl Connections {
    fn is_away(&self, name: u64, now: Instant) -> bool {
        self.away.get(&name).is_some_and(|away| away.contains(&now))
    }
}

impl World {
    /// The bus is away from a node for a while. A node that does not notice it finds out when it
    /// hears nobody.
    pub(crate) fn bus_away(&mut self, name: u64, from_ms: u64, until_ms: u64, is_noticed: bool) {
        let (from, until) = (self.now + ms(from_ms), self.now + ms(until_ms));
        self.connections.away.insert(name, from..until);
        if is_noticed {
            self.due.push((from, Due::Disconnected(name)));
        }
        self.due.push((until, Due::Connected(name)));
    }

    /// Whether packets and questions of the node are lost.
    pub(super) fn is_off(&self, name: u64) -> bool {
        let is_away = self.connections.is_away(name, self.now);
        is_away || self.nodes.get(&name).is_some_and(|node| !node.is_connected)
    }

    /// A node drops its connection, and gets another one soon, if the bus is there.
    pub(super) fn disconnect(&mut self, name: u64) {
        let Some(node) = self.nodes.get_mut(&name).filter(|node| node.is_connected) else { return };
        node.is_connected = false;
        self.input(name, Input::BusDown);
        let wait = ms(self.random.u64(100..=200));
        self.due.push((self.now + wait, Due::Connected(name)));
    }

    pub(crate) fn connect(&mut self, name: u64) {
        if self.connections.is_away(name, self.now) {
            return;
        }
        let Some(node) = self.nodes.get_mut(&name).filter(|node| !node.is_connected) else {
            return;
        };
        node.is_connected = true;
        self.input(name, Input::BusUp);
    }

    pub(super) fn bus_is_back(&mut self) {
        self.connections = Connections::default();
        let names: Vec<u64> = self.nodes.keys().copied().collect();
        names.into_iter().for_each(|name| self.connect(name));
    }
}
