//! The nodes of a cluster, and what is between them.

mod bans;
mod bus;
mod clocks;
mod draining;
mod faults;
mod life;
mod outages;
mod register;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use bytes::Bytes;
use rts_cluster::node::{Input, Output};
use rts_cluster::shards::ShardMap;
use rts_cluster::view::{Epoch, Incarnation, Member, View, ViewId};
use rts_proto::Instant;
use rts_proto::server::{self, Entry, HomeTable, NodeNumber, ShardId};

pub use bus::Bus;
use clocks::Clocks;
pub(crate) use draining::Step;
pub(crate) use life::Life;
use life::member;
use outages::Outages;
use register::Asked;
pub use register::Register;

use crate::EngineIndex;

/// The most nodes of a cluster.
pub const NODES_MAX: usize = rts_cluster::limits::MEMBERS_MAX;

/// A node of a cluster, by its index in the world.
pub type NodeIndex = usize;

/// The nodes of a cluster, their bus and their register.
#[derive(Debug)]
pub struct Cluster {
    /// The bus between the nodes.
    pub bus: Bus,
    /// The register of their view.
    pub register: Register,
    /// The number of links of a hundred that go to any node. Each other link of an engine goes to
    /// the engine's own node, if that one is there.
    pub roaming_of_100: u32,
    /// The own nodes of engines, if they are other ones than at first.
    preferred: BTreeMap<EngineIndex, NodeIndex>,
    shards: u8,
    /// By node, its present life.
    lives: Vec<Option<Life>>,
    /// The nodes of the first view.
    founders: usize,
    last_incarnation: u64,
    /// By node, the lives that have ended.
    earlier: BTreeMap<NodeIndex, Vec<Incarnation>>,
    outages: Outages,
    /// The clocks of machines that are right.
    clocks: Clocks,
    /// By how much the monotonic clocks of machines may be fast or slow.
    drift_ppm_max: u32,
    /// By node, by how much its wall clock is wrong.
    jumped_micros: BTreeMap<NodeIndex, i64>,
    /// Nodes that begin again at a moment.
    restarts: BTreeMap<NodeIndex, Instant>,
    random: fastrand::Rng,
    /// What is under way, in the order of its arrival.
    due: BTreeMap<(Instant, u64), Due>,
    last_due: u64,
    seed: u64,
}

#[derive(Debug)]
enum Due {
    Packet {
        from: NodeIndex,
        to: Incarnation,
        packet: Bytes,
    },
    Asked {
        by: Incarnation,
        asked: Asked,
    },
    Answer {
        to: Incarnation,
        answer: Input,
    },
    /// A node learns that it has lost or found the bus.
    Bus {
        of: Incarnation,
        is_up: bool,
    },
}

impl Cluster {
    pub(crate) fn new(
        nodes: usize,
        shards: usize,
        seed: u64,
        wall_origin_micros: Arc<AtomicI64>,
    ) -> Self {
        let shards = u8::try_from(shards).expect("few shards");
        let mut cluster = Self {
            bus: Bus::new(seed),
            register: Register::new(seed),
            roaming_of_100: 0,
            preferred: BTreeMap::new(),
            shards,
            lives: Vec::new(),
            founders: nodes,
            last_incarnation: 0,
            earlier: BTreeMap::new(),
            outages: Outages::default(),
            clocks: Clocks::new(wall_origin_micros),
            drift_ppm_max: 0,
            jumped_micros: BTreeMap::new(),
            restarts: BTreeMap::new(),
            random: fastrand::Rng::with_seed(seed),
            due: BTreeMap::new(),
            last_due: 0,
            seed,
        };
        cluster.found(Instant::ORIGIN);
        cluster
    }

    /// All nodes begin anew, as the members of a first view.
    pub(crate) fn found(&mut self, now: Instant) {
        self.due.clear();
        self.restarts.clear();
        self.lives.clear();
        self.lives.resize_with(self.founders, || None);
        let members: Vec<Member> = (0..self.founders).map(|node| self.next_life(node)).collect();
        let incarnation = self.last_incarnation;
        let view = View::first(ViewId(incarnation.into()), self.seed, members.clone());
        self.register.found(view.expect("a valid view"));
        for (node, own) in members.into_iter().enumerate() {
            self.begin(now, node, own);
        }
    }

    /// The next life of a node, as it wants to be a member.
    fn next_life(&mut self, node: NodeIndex) -> Member {
        self.last_incarnation += 1;
        member(&format!("node-{node}"), Incarnation(self.last_incarnation), self.shards)
    }

    fn begin(&mut self, now: Instant, node: NodeIndex, own: Member) {
        let seed = self.seed.wrapping_add(own.incarnation.0 << 32);
        let incarnation = own.incarnation;
        let mut life = Life::new(now, own, self.clocks_of(node), seed);
        // The lock of its state directory shows that its earlier lives have ended.
        let earlier = self.earlier.get(&node).cloned().unwrap_or_default();
        earlier.into_iter().for_each(|dead| life.handle(now, Input::Dead(dead)));
        if self.outages.has_bus(node) {
            life.handle(now, Input::BusUp);
            self.bus.subscribed(now, incarnation);
        }
        life.has_outputs = true;
        self.lives[node] = Some(life);
    }

    /// In a world that has yet to run: gives the monotonic clock of each machine a drift of at most
    /// this many parts of a million.
    pub fn set_drift(&mut self, ppm_max: u32) {
        self.drift_ppm_max = ppm_max;
        for node in 0..self.lives.len() {
            let clocks = self.clocks_of(node);
            if let Some(life) = self.life_mut(node) {
                life.clocks = clocks;
            }
        }
    }

    fn clocks_of(&self, node: NodeIndex) -> Clocks {
        let max = i64::from(self.drift_ppm_max);
        let mut random = fastrand::Rng::with_seed(self.seed.rotate_left(20) ^ node as u64);
        let jumped_micros = self.jumped_micros.get(&node).copied().unwrap_or(0);
        Clocks { jumped_micros, drift_ppm: random.i64(-max..=max), ..self.clocks.clone() }
    }

    /// The number of nodes, also of those that are down.
    pub(crate) fn len(&self) -> usize {
        self.lives.len()
    }

    pub(crate) fn life(&self, node: NodeIndex) -> Option<&Life> {
        self.lives.get(node)?.as_ref()
    }

    pub(crate) fn life_mut(&mut self, node: NodeIndex) -> Option<&mut Life> {
        self.lives.get_mut(node)?.as_mut()
    }

    fn of_incarnation(&self, incarnation: Incarnation) -> Option<NodeIndex> {
        let is_it =
            |life: &Option<Life>| life.as_ref().map(|life| life.incarnation) == Some(incarnation);
        self.lives.iter().position(is_it)
    }

    /// The node with this shard.
    pub(crate) fn of_shard(&self, shard: ShardId) -> Option<NodeIndex> {
        let has_it = |life: &Life| life.map.as_ref().is_some_and(|map| map.is_own(shard));
        self.lives.iter().position(|life| life.as_ref().is_some_and(has_it))
    }

    /// The number of a node, which its shards have.
    pub(crate) fn number(&self, node: NodeIndex) -> Option<NodeNumber> {
        let map = self.life(node)?.map.as_ref()?;
        map.placements().next().map(|placement| placement.own().node())
    }

    /// The node to which the next link of an engine goes. `None` if none has shards.
    pub(crate) fn node_for(&mut self, who: EngineIndex) -> Option<NodeIndex> {
        let has_shards = |node: &NodeIndex| self.number(*node).is_some();
        let mut nodes: Vec<NodeIndex> = (0..self.lives.len()).filter(has_shards).collect();
        // Balancers know which nodes drain, and engines with several addresses try them all.
        let is_ready = |node: &NodeIndex| self.life(*node).is_some_and(Life::is_ready);
        if nodes.iter().any(is_ready) {
            nodes.retain(is_ready);
        }
        let own = self.preferred.get(&who).copied().unwrap_or(who % self.founders);
        let roams = self.random.u32(0..100) < self.roaming_of_100;
        match nodes.contains(&own) && !roams {
            true => Some(own),
            false => self.random.choice(nodes),
        }
    }

    /// From now on, the links of an engine go to this node, if it is there.
    pub(crate) fn prefer(&mut self, who: EngineIndex, node: NodeIndex) {
        self.preferred.insert(who, node);
    }

    /// The next moment at which something happens.
    pub(crate) fn next_moment(&self, now: Instant) -> Option<Instant> {
        let due = self.due.keys().next().map(|(at, _)| *at);
        let restart = self.restarts.values().min().copied();
        let lives = self.lives.iter().flatten();
        let awake = lives.map(|life| {
            let wakes = if life.has_outputs { now } else { life.wait };
            let wakes = life.next_step().map_or(wakes, |step| wakes.min(step));
            // It also looks at its shards when its process goes on.
            let goes_on = Some(life.paused_until).filter(|until| *until > now);
            goes_on.map_or(wakes, |until| wakes.max(until))
        });
        awake.chain(due).chain(restart).min()
    }

    /// Lets happen what is due by now. Returns whether something was.
    pub(crate) fn act(&mut self, now: Instant) -> bool {
        let mut did_something = false;
        while let Some(first) = self.due.first_entry().filter(|first| first.key().0 <= now) {
            did_something = true;
            let due = first.remove();
            self.occur(now, due);
        }
        let due: Vec<NodeIndex> =
            self.restarts.iter().filter(|(_, at)| **at <= now).map(|(node, _)| *node).collect();
        for node in due {
            did_something = true;
            self.start(now, node);
        }
        let is_due = |life: &&mut Life| life.wait <= now && life.paused_until <= now;
        for life in self.lives.iter_mut().flatten().filter(is_due) {
            did_something = true;
            life.handle(now, Input::Tick);
        }
        did_something
    }

    fn occur(&mut self, now: Instant, due: Due) {
        let to = match &due {
            Due::Packet { to, .. } | Due::Answer { to, .. } | Due::Bus { of: to, .. } => *to,
            Due::Asked { by, asked } => {
                let node = self.of_incarnation(*by);
                let is_away = node.is_none_or(|node| !self.outages.has_register(now, node));
                let answer = self.register.answer(now, asked.clone(), is_away);
                return self.put(now + self.register.latency, Due::Answer { to: *by, answer });
            }
        };
        let Some(node) = self.of_incarnation(to) else { return };
        let paused_until = self.life(node).map_or(now, |life| life.paused_until);
        match due {
            // What comes to a socket waits for its process, unless the connection is gone.
            Due::Packet { from, .. }
                if self.outages.is_cut(now, from, node) || !self.outages.has_bus(node) => {}
            due if now < paused_until => self.put(paused_until, due),
            Due::Packet { packet, .. } => self.handle(now, to, Input::Packet(packet)),
            Due::Answer { answer, .. } => {
                let has_register = self.outages.has_register(now, node);
                self.handle(now, to, if has_register { answer } else { register::lost(answer) });
            }
            Due::Bus { is_up: true, .. } => self.handle(now, to, Input::BusUp),
            Due::Bus { is_up: false, .. } => self.handle(now, to, Input::BusDown),
            Due::Asked { .. } => unreachable!("it is for the register"),
        }
    }

    fn handle(&mut self, now: Instant, to: Incarnation, input: Input) {
        let node = self.of_incarnation(to);
        if let Some(life) = node.and_then(|node| self.life_mut(node)) {
            life.handle(now, input);
            // The next output tells.
            life.wait = now;
        }
    }

    fn put(&mut self, at: Instant, due: Due) {
        self.last_due += 1;
        self.due.insert((at, self.last_due), due);
    }

    /// The next output of a node that concerns its shards. Carries out the others.
    pub(crate) fn poll(&mut self, now: Instant, node: NodeIndex) -> Option<Output> {
        loop {
            let life = self.life_mut(node)?;
            if !life.has_outputs || now < life.paused_until {
                return None;
            }
            let by = life.incarnation;
            let asked = match life.node.poll() {
                Output::Send { to, packet } => {
                    self.send(now, (node, by), to, &packet);
                    continue;
                }
                Output::Read(question) => Asked::Read(question),
                Output::Cas(question, expected, view) => Asked::Cas(question, expected, view),
                Output::Vote { question, view, remove } => Asked::Vote { question, view, remove },
                Output::Wait(until) => {
                    (life.wait, life.has_outputs) = (life.clocks.moment(until), false);
                    return None;
                }
                Output::View { view, serve_after } => {
                    let serve_after = life.clocks.moment(serve_after);
                    return Some(Output::View { view, serve_after });
                }
                other => return Some(other),
            };
            let has_register = self.outages.has_register(now, node);
            let after = self.register.latency;
            self.put(
                now + after,
                match has_register {
                    true => Due::Asked { by, asked },
                    false => Due::Answer { to: by, answer: asked.failed() },
                },
            );
        }
    }

    fn send(
        &mut self,
        now: Instant,
        (node, from): (NodeIndex, Incarnation),
        to: Option<Incarnation>,
        packet: &Bytes,
    ) {
        if !self.outages.has_bus(node) {
            return;
        }
        let others = self.lives.iter().flatten().map(|life| life.incarnation);
        let is_for = |other: &Incarnation| *other != from && to.is_none_or(|to| to == *other);
        for to in others.filter(is_for).collect::<Vec<_>>() {
            for at in self.bus.send(now, from, to) {
                self.put(at, Due::Packet { from: node, to, packet: packet.clone() });
            }
        }
    }

    /// Whether the shards of this node may act now.
    pub(crate) fn acts(&mut self, now: Instant, node: NodeIndex) -> bool {
        self.life_mut(node).is_some_and(|life| life.acts(now))
    }

    /// Whether the node was frozen, and acts again from now on.
    pub(crate) fn thaws(&mut self, now: Instant, node: NodeIndex) -> bool {
        self.life_mut(node).is_some_and(|life| life.map.is_some() && life.thaws(now))
    }

    /// An input waits until its shard may act.
    pub(crate) fn hold(&mut self, node: NodeIndex, shard: ShardId, input: server::Input) {
        if let Some(life) = self.life_mut(node) {
            life.waiting.push_back((shard, input));
        }
    }

    /// The inputs that have waited.
    pub(crate) fn release(&mut self, node: NodeIndex) -> VecDeque<(ShardId, server::Input)> {
        self.life_mut(node).map(|life| std::mem::take(&mut life.waiting)).unwrap_or_default()
    }

    /// The time of the clock of a node's shards.
    pub(crate) fn shard_time(&self, now: Instant, node: NodeIndex) -> Instant {
        self.life(node).map_or(now, |life| life.shard_time(now))
    }

    /// The moment at which the clock of a node's shards shows this.
    pub(crate) fn moment(&self, node: NodeIndex, shard_time: Instant) -> Instant {
        self.life(node).map_or(shard_time, |life| life.moment(shard_time))
    }

    /// The node has another view. Returns its shards as they were in the one before.
    pub(crate) fn view_changed(&mut self, node: NodeIndex, view: &View) -> Option<ShardMap> {
        let life = self.life_mut(node)?;
        let map = ShardMap::of(view, life.incarnation);
        life.map.replace(map.expect("it is a member"))
    }

    /// Entries of a shard for one of another node.
    pub(crate) fn send_entries(
        &mut self,
        now: Instant,
        (from, to): (ShardId, ShardId),
        entries: Vec<Entry>,
    ) {
        let Some(node) = self.of_shard(from) else { return };
        let time = self.shard_time(now, node);
        let Some(life) = self.life_mut(node) else { return };
        let map = life.map.as_ref().expect("it has shards");
        if let Some((to, pieces)) = map.outgoing(from, to, entries, time) {
            life.handle(now, Input::Entries { to, pieces });
        }
    }

    /// Looks whether all shards of a node serve its view. `epochs` are those that they serve.
    /// Returns the view if they did not before.
    pub(crate) fn serves(
        &mut self,
        now: Instant,
        node: NodeIndex,
        epochs: impl IntoIterator<Item = Option<u64>>,
    ) -> Option<Epoch> {
        let life = self.life_mut(node)?;
        let served = life.map.as_ref().and_then(|map| map.served(epochs));
        let epoch = served.filter(|_| served != life.served)?;
        life.served = served;
        life.handle(now, Input::Served(epoch));
        Some(epoch)
    }

    /// The nodes that may act now and are not in the view of this node.
    pub(crate) fn act_outside(&mut self, now: Instant, node: NodeIndex) -> Vec<NodeIndex> {
        let Some(view) = self.life(node).and_then(|life| life.node.view()).cloned() else {
            return Vec::new();
        };
        let outside = |(other, life): (NodeIndex, &mut Option<Life>)| {
            let life = life.as_mut()?;
            let is_outside = view.member(life.incarnation).is_none();
            (is_outside && life.map.is_some() && life.acts(now)).then_some(other)
        };
        self.lives.iter_mut().enumerate().filter_map(outside).collect()
    }

    /// The entries that nodes have for others, and of which they do not know that they arrived.
    pub(crate) fn on_their_way(&self, now: Instant) -> usize {
        let trunks =
            self.lives.iter().flatten().flat_map(|life| life.node.trunks(life.clocks.shows(now)));
        trunks.map(|trunk| trunk.entries).sum()
    }

    /// Whether it is known that all shards of a node serve its view.
    pub(crate) fn is_served(&self, node: NodeIndex) -> bool {
        let life = self.life(node);
        let epoch = |life: &Life| life.node.view().map(View::epoch);
        life.is_some_and(|life| life.served.is_some() && life.served == epoch(life))
    }

    /// By living node, the homes of its view, if all its shards serve it.
    pub(crate) fn tables(&self) -> impl Iterator<Item = Option<&HomeTable>> {
        let lives = self.lives.iter().enumerate();
        let living = lives.filter_map(|(node, life)| Some((node, life.as_ref()?)));
        living
            .map(|(node, life)| life.map.as_ref().filter(|_| self.is_served(node)))
            .map(|map| map.map(ShardMap::table))
    }

    /// The process of a node has ended.
    pub(crate) fn end(&mut self, node: NodeIndex) {
        if let Some(life) = self.lives.get_mut(node).and_then(Option::take) {
            self.earlier.entry(node).or_default().push(life.incarnation);
        }
    }
}
