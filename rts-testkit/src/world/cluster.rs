//! A server that is a cluster of nodes: their views, their leases, and what they send each other.

use std::time::Duration;

use rts_cluster::node::Output;
use rts_proto::Instant;
use rts_proto::server::{self, HomeTable, Input, ShardId};

use super::serving::shard_of_call;
use super::{Happening, World};
use crate::EngineIndex;
use crate::cluster::{Cluster, Life, NodeIndex};
use crate::node::Node;

/// The time after which the process of a node starts again that has ended by itself.
const RESTARTS_AFTER: Duration = Duration::from_secs(1);

impl World {
    /// Makes the server of a new world a cluster of nodes with this number of shards each.
    /// [`restart_server`](Self::restart_server) keeps the numbers.
    ///
    /// The links of an engine go to one node, the first engine's to the first node and so on,
    /// unless that node is down. Back ends ask with [`request`](Self::request).
    ///
    /// ```
    /// use std::time::Duration;
    /// use rts_testkit::World;
    ///
    /// let mut world = World::new(Default::default(), 2, 42).cluster(2, 1);
    /// world.run_for(Duration::from_secs(1));
    /// world.log_in(0, "alice");
    /// world.log_in(1, "bob");
    /// world.send(0, "bob", "hi");
    /// world.run_for(Duration::from_secs(1));
    /// assert_eq!(world.texts(1), ["hi"]);
    /// ```
    ///
    /// # Panics
    ///
    /// If a cluster cannot have this number of nodes or shards, or the world has run already.
    #[must_use]
    pub fn cluster(mut self, nodes: usize, shards: usize) -> Self {
        assert!(self.now() == Instant::ORIGIN && self.net.open_links() == 0, "too late");
        self.node.ids().for_each(|shard| self.set_shard_deadline(shard, None));
        self.node = Node::without_shards(self.node.config.clone());
        self.cluster =
            Some(Cluster::new(nodes, shards, self.seed, self.clock.wall_origin_micros()));
        self
    }

    /// The bus and the register of a cluster. `None` if the server is no cluster.
    pub fn nodes(&mut self) -> Option<&mut Cluster> {
        self.cluster.as_mut()
    }

    /// The shards of all nodes.
    #[must_use]
    pub fn all_shards(&self) -> Vec<ShardId> {
        self.node.ids().collect()
    }

    /// The homes of users and rooms in a cluster. `None` without a cluster, and while they move.
    #[must_use]
    pub fn homes(&self) -> Option<HomeTable> {
        let cluster = self.cluster.as_ref()?;
        let mut tables = cluster.tables();
        let first = tables.next().flatten()?;
        let are_equal = tables.all(|table| table.is_some_and(|table| table == first));
        are_equal.then(|| first.clone())
    }

    /// The entries that nodes of a cluster have sent each other, or will send, and of which they do
    /// not know that they arrived.
    #[must_use]
    pub fn entries_on_their_way(&self) -> usize {
        self.cluster.as_ref().map_or(0, |cluster| cluster.on_their_way(self.now()))
    }

    pub(super) fn restart_cluster(&mut self, config: server::Config) {
        let now = self.now();
        self.node.ids().for_each(|shard| self.set_shard_deadline(shard, None));
        self.node = Node::without_shards(config);
        if let Some(cluster) = &mut self.cluster {
            cluster.found(now);
        }
    }

    /// The shards that may accept a link of this engine or stranger.
    pub(super) fn shards_for(&mut self, who: EngineIndex) -> Vec<ShardId> {
        let Some(cluster) = &mut self.cluster else { return self.node.ids().collect() };
        let node = cluster.node_for(who);
        node.map(|node| self.shards_of(node)).unwrap_or_default()
    }

    /// Starts a node of the cluster, which may be a new one. It joins the others. Nothing happens
    /// if it runs.
    pub fn start_node(&mut self, node: NodeIndex) {
        let now = self.now();
        if let Some(cluster) = &mut self.cluster {
            cluster.start(now, node);
        }
    }

    /// Ends the process of a node, with all its sessions. If it is certified, another node learns
    /// that at once. Otherwise the others find out by its silence. It stays down until
    /// [`start_node`](Self::start_node).
    pub fn crash_node(&mut self, node: NodeIndex, is_certified: bool) {
        let now = self.now();
        self.end_node(node);
        if let Some(cluster) = self.cluster.as_mut().filter(|_| is_certified) {
            cluster.certify(now, node);
        }
    }

    /// Stops the process of a node for this time. What comes for it waits.
    pub fn pause_node(&mut self, node: NodeIndex, time: Duration) {
        let until = self.now() + time;
        if let Some(cluster) = &mut self.cluster {
            cluster.pause(node, until);
        }
    }

    /// For this time, the bus carries nothing between these nodes and all others. Partitions may
    /// hold at the same time.
    pub fn part_nodes(&mut self, one_side: impl IntoIterator<Item = NodeIndex>, time: Duration) {
        let until = self.now() + time;
        if let Some(cluster) = &mut self.cluster {
            cluster.part(one_side.into_iter().collect(), false, until);
        }
    }

    /// For this time, the bus carries nothing from these nodes to all others, which they hear.
    pub fn mute_nodes(&mut self, nodes: impl IntoIterator<Item = NodeIndex>, time: Duration) {
        let until = self.now() + time;
        if let Some(cluster) = &mut self.cluster {
            cluster.part(nodes.into_iter().collect(), true, until);
        }
    }

    /// From now on, the links of an engine go to this node of a cluster, if it is there. A client
    /// whose link breaks resumes its session there: the session moves.
    ///
    /// ```
    /// use std::time::Duration;
    /// use rts_testkit::World;
    ///
    /// let mut world = World::new(Default::default(), 2, 42).cluster(2, 1);
    /// world.run_for(Duration::from_secs(1));
    /// world.log_in(0, "alice");
    /// world.log_in(1, "bob");
    /// world.prefer_node(0, 1);
    /// world.cut(0);
    /// world.send(1, "alice", "are you there?");
    /// world.run_for(Duration::from_secs(2));
    /// assert_eq!(world.texts(0), ["are you there?"]);
    /// assert_eq!(world.call(0, |engine, _| engine.sessions_begun()), 1);
    /// ```
    pub fn prefer_node(&mut self, who: EngineIndex, node: NodeIndex) {
        if let Some(cluster) = &mut self.cluster {
            cluster.prefer(who, node);
        }
    }

    /// Connects a node to the bus, or cuts its connection. The register is a part of the bus.
    pub fn set_bus(&mut self, node: NodeIndex, is_up: bool) {
        let now = self.now();
        if let Some(cluster) = &mut self.cluster {
            cluster.set_bus(now, node, is_up);
        }
    }

    /// Connects all nodes to the bus but those that [`set_bus`](Self::set_bus) has cut off, or cuts
    /// them all off: the servers of the bus have ended.
    ///
    /// ```
    /// use std::time::Duration;
    /// use rts_testkit::World;
    ///
    /// let mut world = World::new(Default::default(), 2, 42).cluster(2, 1);
    /// world.run_for(Duration::from_secs(1));
    /// world.log_in(0, "alice");
    /// world.log_in(1, "bob");
    /// world.set_bus_of_all(false);
    /// world.send(0, "bob", "hi");
    /// world.run_for(Duration::from_secs(8));
    /// assert!(world.texts(1).is_empty());
    /// world.set_bus_of_all(true);
    /// world.run_for(Duration::from_secs(1));
    /// assert_eq!(world.texts(1), ["hi"]);
    /// ```
    pub fn set_bus_of_all(&mut self, is_up: bool) {
        let now = self.now();
        if let Some(cluster) = &mut self.cluster {
            cluster.set_bus_of_all(now, is_up);
        }
    }

    /// For this time, a node does not reach the register. Its bus works.
    pub fn take_register(&mut self, node: NodeIndex, time: Duration) {
        let until = self.now() + time;
        if let Some(cluster) = &mut self.cluster {
            cluster.take_register(node, until);
        }
    }

    /// Ends pauses, partitions, outages of the bus and the register, and drains, and starts each
    /// node that is down.
    pub fn heal_cluster(&mut self) {
        let now = self.now();
        for node in 0..self.cluster.as_ref().map_or(0, Cluster::len) {
            self.end_drain(node);
        }
        if let Some(cluster) = &mut self.cluster {
            cluster.heal(now);
        }
    }

    /// Sets the wall clock of the machine of a node.
    pub fn jump_wall_of_node(&mut self, node: NodeIndex, seconds: i64) {
        if let Some(cluster) = &mut self.cluster {
            cluster.jump_wall(node, seconds);
        }
    }

    /// The register loses its last changes, though it has acknowledged them. Nodes that know of
    /// them keep their view. [`heal_cluster`](Self::heal_cluster) restores the register, as an
    /// operator does it.
    pub fn forget_changes(&mut self, changes: usize) {
        if let Some(cluster) = &mut self.cluster {
            cluster.forget_changes(changes);
        }
    }

    /// The wall clock of a shard.
    pub(super) fn wall_micros_of(&self, shard: ShardId) -> u64 {
        let node = self.cluster.as_ref().and_then(|cluster| cluster.of_shard(shard));
        let life = node.and_then(|node| self.cluster.as_ref()?.life(node));
        life.map_or(self.clock.wall_micros(), |life| life.wall_micros(self.now()))
    }

    /// The claim of a login that a shard accepts now.
    pub(super) fn next_claim(&mut self, shard: ShardId) -> u64 {
        let (now, wall_micros) = (self.now(), self.clock.wall_micros());
        let node = self.cluster.as_ref().and_then(|cluster| cluster.of_shard(shard));
        match node.and_then(|node| self.cluster.as_mut()?.life_mut(node)) {
            Some(life) => life.next_claim(now),
            None => self.gate.next_claim(wall_micros),
        }
    }

    /// Whether a shard may act now: its node has a lease. Without a cluster it may always.
    pub fn may_act(&mut self, shard: ShardId) -> bool {
        !self.is_frozen(shard)
    }

    /// Whether a shard may not act now.
    pub(super) fn is_frozen(&mut self, shard: ShardId) -> bool {
        let now = self.now();
        let Some(cluster) = &mut self.cluster else { return false };
        let node = cluster.of_shard(shard);
        node.is_none_or(|node| !cluster.acts(now, node))
    }

    /// An input waits for the lease of its shard's node.
    pub(super) fn hold(&mut self, shard: ShardId, input: Input) {
        let Some(cluster) = &mut self.cluster else { return };
        if let Some(node) = cluster.of_shard(shard) {
            cluster.hold(node, shard, input);
        }
    }

    /// The time of the clock of a shard.
    pub(super) fn time_of(&self, shard: ShardId) -> Instant {
        let now = self.now();
        let Some(cluster) = &self.cluster else { return now };
        cluster.of_shard(shard).map_or(now, |node| cluster.shard_time(now, node))
    }

    /// The moment at which the clock of a shard shows this.
    pub(super) fn moment_of(&self, shard: ShardId, time: Instant) -> Instant {
        let Some(cluster) = &self.cluster else { return time };
        cluster.of_shard(shard).map_or(time, |node| cluster.moment(node, time))
    }

    /// Lets the nodes of a cluster do what is due.
    pub(super) fn run_cluster(&mut self) {
        let now = self.now();
        loop {
            let Some(cluster) = &mut self.cluster else { return };
            let mut did_something = cluster.act(now);
            for node in 0..cluster.len() {
                while let Some(output) = self.poll_node(node) {
                    did_something = true;
                    self.carry_out(node, output);
                }
                self.look_at_lease(node);
                did_something |= self.drain_step(node);
            }
            if !did_something {
                return;
            }
        }
    }

    fn poll_node(&mut self, node: NodeIndex) -> Option<Output> {
        let now = self.now();
        self.cluster.as_mut()?.poll(now, node)
    }

    /// Carries out an output that concerns the shards of a node. What was given back is dropped, as
    /// [`rts_cluster::shards`] says.
    fn carry_out(&mut self, node: NodeIndex, output: Output) {
        let now = self.now();
        let Some(cluster) = &mut self.cluster else { return };
        match output {
            Output::View { view, serve_after } => {
                let former = cluster.view_changed(node, &view);
                self.log.push((now, Happening::NodeHasView(node, view)));
                self.homes_changed(node, former.is_none(), serve_after);
                former.into_iter().for_each(|former| self.tell_of_bans(node, &former));
            }
            Output::Entries { from, route, piece } => {
                let time = cluster.shard_time(now, node);
                let Some(map) = cluster.life(node).and_then(|life| life.map.as_ref()) else {
                    return;
                };
                let arrived = map.incoming(from, route, piece, time).expect("nodes are correct");
                let Some((shard, Input::Peer(other, entries))) = arrived else { return };
                let own = map.placements().nth(shard).expect("it has this shard").own();
                if shard == 0 {
                    self.keep_bans(node, &entries);
                }
                self.log.push((now, Happening::EntriesArrived(other, own, entries.clone())));
                self.input(own, Input::Peer(other, entries));
                self.drain_shard(own);
            }
            Output::Congested(other, is_congested) => {
                let Some(map) = cluster.life(node).and_then(|life| life.map.as_ref()) else {
                    return;
                };
                let inputs: Vec<Input> = map.congested(other, is_congested).collect();
                for shard in self.shards_of(node) {
                    inputs.iter().for_each(|input| self.input(shard, input.clone()));
                    self.drain_shard(shard);
                }
            }
            Output::Lease(false) if cluster.number(node).is_some() => {
                self.log.push((now, Happening::NodeFrozen(node, true)));
            }
            Output::Ended(_) => {
                if !cluster.life(node).is_some_and(Life::is_ending) {
                    cluster.restart_at(node, now + RESTARTS_AFTER);
                }
                self.end_node(node);
            }
            _ => {}
        }
    }

    /// The shards of a node, if it has some.
    pub(super) fn shards_of(&self, node: NodeIndex) -> Vec<ShardId> {
        let number = self.cluster.as_ref().and_then(|cluster| cluster.number(node));
        number.map(|number| self.node.of_node(number)).unwrap_or_default()
    }

    fn homes_changed(&mut self, node: NodeIndex, is_first: bool, serve_after: Instant) {
        let now = self.now();
        let Some(life) = self.cluster.as_ref().and_then(|cluster| cluster.life(node)) else {
            return;
        };
        let map = life.map.as_ref().expect("a view has come");
        if is_first {
            let seed = self.seed.wrapping_add(self.restarts) ^ life.incarnation.0 << 32;
            self.node.add(map, seed);
        } else {
            let serve_after = life.shard_time(now) + serve_after.since(now);
            let input = map.homes_changed(serve_after);
            self.shards_of(node).into_iter().for_each(|shard| self.input(shard, input.clone()));
        }
        self.shards_of(node).into_iter().for_each(|shard| self.drain_shard(shard));
    }

    /// Whether all shards of the node serve its view is passed on.
    pub(super) fn look_at_homes(&mut self, shard: ShardId) {
        let now = self.now();
        let Some(cluster) = &mut self.cluster else { return };
        let Some(node) = cluster.of_shard(shard).filter(|node| !cluster.is_served(*node)) else {
            return;
        };
        let shards = self.node.of_node(shard.node());
        let epochs = shards.into_iter().map(|shard| self.node.shard(shard).core.served_epoch());
        if let Some(epoch) = cluster.serves(now, node, epochs) {
            let outside = cluster.act_outside(now, node);
            self.log.push((now, Happening::NodeServes(node, epoch, outside)));
        }
    }

    fn look_at_lease(&mut self, node: NodeIndex) {
        let now = self.now();
        let Some(cluster) = &mut self.cluster else { return };
        if !cluster.thaws(now, node) {
            return;
        }
        self.log.push((now, Happening::NodeFrozen(node, false)));
        let waiting = self.cluster.as_mut().map(|all| all.release(node)).unwrap_or_default();
        for (shard, input) in waiting {
            self.input(shard, input);
            self.drain_shard(shard);
        }
        for shard in self.shards_of(node) {
            self.input(shard, Input::Tick);
            self.drain_shard(shard);
        }
    }

    /// The process of a node ends, with all its sessions.
    pub(super) fn end_node(&mut self, node: NodeIndex) {
        let now = self.now();
        let Some(cluster) = &mut self.cluster else { return };
        let number = cluster.number(node);
        cluster.end(node);
        self.log.push((now, Happening::NodeEnded(node, number)));
        let Some(number) = number else { return };
        self.requests_end(|shard| shard.node() == number);
        self.app_server.forget_callers(|call| shard_of_call(call).node() == number);
        for shard in self.node.of_node(number) {
            self.set_shard_deadline(shard, None);
        }
        for link in self.node.remove(number) {
            self.congested.remove(&link);
            self.net.cut(now, link);
        }
    }
}
