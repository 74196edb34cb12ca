//! Nodes of a cluster come and go, and homes move.

use std::time::Duration;

use rts_proto::server::{HomeTable, Input, NodeNumber, ShardId};

use super::{Node, server};

impl Node {
    /// The homes move to drawn nodes of the cluster.
    pub(crate) fn move_homes(&mut self, seed: u64) {
        let nodes = self.node_list();
        self.next_homes(&nodes, Duration::ZERO, drawn(seed, &nodes));
    }

    /// All homes move to one node.
    pub(crate) fn move_homes_to(&mut self, number: usize) {
        let nodes = self.node_list();
        self.next_homes(&nodes, Duration::ZERO, |_| nodes[number].0);
    }

    /// A node joins the cluster. It is no home at first.
    pub(crate) fn add_node(&mut self, shards: usize) {
        let mut nodes = self.node_list();
        let node = NodeNumber::new(self.next_node).expect("few nodes");
        self.next_node += 1;
        nodes.push((node, shards));
        let homes = self.home_nodes();
        self.next_homes(&nodes, Duration::ZERO, |slot| homes[slot]);
        let of_node = (0..shards).map(|shard| ShardId::of_node(node, shard).expect("few shards"));
        self.ids.extend(of_node.clone());
        let mut config = self.config.clone();
        (config.homes, config.joins_cluster) = (self.homes.clone(), true);
        for own in of_node {
            self.servers.push(server(own, &self.ids, &config));
            self.known.insert(own, nodes.iter().map(|(node, _)| *node).collect());
            self.drain(own);
        }
    }

    /// A node of the cluster crashes. The others learn of it with the next table. Until this time
    /// is over, it may still have acted.
    pub(crate) fn remove_node(&mut self, number: usize, seed: u64, serve_after: Duration) {
        let mut nodes = self.node_list();
        let (gone, _) = nodes.remove(number);
        let is_gone = |shard: &ShardId| shard.node() == gone;
        let mut gone_servers = self.ids.iter().map(is_gone);
        self.servers.retain(|_| !gone_servers.next().expect("one for each id"));
        self.ids.retain(|id| !is_gone(id));
        let links = self.links.iter().filter(|(_, shard)| is_gone(shard));
        for link in links.map(|(link, _)| *link).collect::<Vec<_>>() {
            self.links.remove(&link);
            self.closed.entry(link).or_insert(None);
        }
        self.coming.retain(|shard, _| !is_gone(shard));
        self.deadlines.retain(|shard, _| !is_gone(shard));
        // What the node has sent may still arrive.
        self.mailboxes.retain(|(_, to), _| !is_gone(to));
        // Only the homes that the node had are others.
        let former = self.home_nodes();
        let next = drawn(seed, &nodes);
        let home = |slot: usize| if former[slot] == gone { next(slot) } else { former[slot] };
        self.next_homes(&nodes, serve_after, home);
    }

    /// Whether all shards have changed to the latest table.
    pub(crate) fn homes_are_settled(&self) -> bool {
        let latest = self.homes.as_ref().map(HomeTable::epoch);
        self.servers.iter().all(|server| server.served_epoch() == latest)
    }

    fn node_list(&self) -> Vec<(NodeNumber, usize)> {
        self.homes.as_ref().expect("a cluster").nodes().collect()
    }

    fn home_nodes(&self) -> Vec<NodeNumber> {
        self.homes.as_ref().expect("a cluster").home_nodes().to_vec()
    }

    /// The next table of homes. All shards get it, now or with [`Node::give_homes`].
    fn next_homes(
        &mut self,
        nodes: &[(NodeNumber, usize)],
        serve_after: Duration,
        home: impl Fn(usize) -> NodeNumber,
    ) {
        let epoch = self.homes.as_ref().map_or(0, HomeTable::epoch) + 1;
        let table = HomeTable::new(epoch, nodes.iter().copied(), home).expect("valid");
        self.homes = Some(table.clone());
        for id in &self.ids {
            self.coming.entry(*id).or_default().push_back((table.clone(), self.now + serve_after));
        }
        if !self.holds_homes {
            self.give_all_homes();
        }
    }

    /// Whether a shard has yet to get a table.
    pub(crate) fn has_homes_coming(&self, shard: usize) -> bool {
        self.coming.contains_key(&self.ids[shard])
    }

    /// Gives a shard the next table of homes. False if it has all of them.
    pub(crate) fn give_homes(&mut self, shard: usize) -> bool {
        let id = self.ids[shard];
        let Some(coming) = self.coming.get_mut(&id) else { return false };
        let (table, serve_after) = coming.pop_front().expect("not empty");
        if coming.is_empty() {
            self.coming.remove(&id);
        }
        self.known.insert(id, table.nodes().map(|(node, _)| node).collect());
        self.input(id, Input::HomesChanged { table: Box::new(table), serve_after });
        true
    }

    /// Gives a shard its next table: of the shards that have one coming, counted round and round.
    pub(crate) fn give_homes_to_any(&mut self, which: usize) {
        if !self.coming.is_empty() {
            let id = *self.coming.keys().nth(which % self.coming.len()).expect("one");
            self.give_homes(self.ids.iter().position(|known| *known == id).expect("it is there"));
        }
    }

    /// Gives all shards all tables.
    pub(crate) fn give_all_homes(&mut self) {
        for shard in 0..self.len() {
            while self.give_homes(shard) {}
        }
    }
}

/// Drawn homes of slots, among these nodes.
fn drawn(seed: u64, nodes: &[(NodeNumber, usize)]) -> impl Fn(usize) -> NodeNumber {
    move |slot| {
        let mixed = (seed ^ slot as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        nodes[(mixed >> 40) as usize % nodes.len()].0
    }
}
