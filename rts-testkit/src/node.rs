//! The servers of a world: their shards, the shard of each link, and the links that move.

use std::collections::BTreeMap;

use rts_cluster::shards::ShardMap;
use rts_proto::server::{Config, Input, NodeNumber, Opened, Placement, Server, ShardId};
use rts_proto::{Instant, LinkId};

/// The shards of the only server, or of all nodes of a cluster.
#[derive(Debug)]
pub(crate) struct Node {
    shards: BTreeMap<ShardId, Shard>,
    pub(crate) config: Config,
    /// The shard of each link.
    shard_of: BTreeMap<LinkId, ShardId>,
    /// Links on their way to another shard.
    moving: BTreeMap<LinkId, Moving>,
    /// The shard that accepts the next link.
    accepts_next: usize,
}

#[derive(Debug)]
pub(crate) struct Shard {
    pub(crate) core: Server,
    pub(crate) deadline: Option<Instant>,
}

/// A link on its way to another shard.
#[derive(Debug)]
pub(crate) struct Moving {
    pub(crate) to: ShardId,
    arrives_at: Instant,
    pub(crate) opened: Box<Opened>,
    /// Inputs that came meanwhile.
    pub(crate) inputs: Vec<Input>,
}

impl Node {
    /// A server without any state.
    pub(crate) fn new(config: Config, shards: usize, placement_seed: u64, seed: u64) -> Self {
        let shard = |own: usize| {
            let own_id = ShardId::new(own)?;
            let mut config = config.clone();
            config.placement = Placement::new(own_id, shards, placement_seed)?;
            // Shard 0 has the seed of the only shard of a server.
            let core = Server::new(config, seed ^ ((own as u64) << 56));
            Some((own_id, Shard { core, deadline: None }))
        };
        let cores: Option<BTreeMap<_, _>> = (0..shards).map(shard).collect();
        let cores = cores.filter(|cores| !cores.is_empty());
        let shards = cores.expect("a server has from 1 to `ShardId::COUNT_MAX` shards");
        Self { shards, ..Self::without_shards(config) }
    }

    /// Before the nodes of a cluster have shards.
    pub(crate) fn without_shards(config: Config) -> Self {
        Self {
            shards: BTreeMap::new(),
            config,
            shard_of: BTreeMap::new(),
            moving: BTreeMap::new(),
            accepts_next: 0,
        }
    }

    /// The shards of a node of a cluster.
    pub(crate) fn add(&mut self, map: &ShardMap, seed: u64) {
        for placement in map.placements() {
            let mut config = self.config.clone();
            (config.placement, config.joins_cluster) = (placement, map.joins());
            config.homes = Some(map.table().clone());
            let own = placement.own();
            let seed = seed ^ ((own.number() as u64) << 56);
            self.shards.insert(own, Shard { core: Server::new(config, seed), deadline: None });
        }
    }

    /// The process of a node has ended. Returns its links.
    pub(crate) fn remove(&mut self, node: NodeNumber) -> Vec<LinkId> {
        self.shards.retain(|shard, _| shard.node() != node);
        let on_their_way = self.moving.iter().map(|(link, moving)| (*link, moving.to));
        let all = self.shard_of.iter().map(|(link, shard)| (*link, *shard)).chain(on_their_way);
        let links: Vec<LinkId> =
            all.filter(|(_, shard)| shard.node() == node).map(|(link, _)| link).collect();
        for link in &links {
            self.moving.remove(link);
            self.shard_of.remove(link);
        }
        links
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.len()
    }

    pub(crate) fn placement(&self) -> Placement {
        let (_, first) = self.shards.first_key_value().expect("a server has shards");
        first.core.placement()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = ShardId> + use<> {
        self.shards.keys().copied().collect::<Vec<_>>().into_iter()
    }

    /// The shards of a node of a cluster.
    pub(crate) fn of_node(&self, node: NodeNumber) -> Vec<ShardId> {
        self.ids().filter(|shard| shard.node() == node).collect()
    }

    pub(crate) fn has(&self, id: ShardId) -> bool {
        self.shards.contains_key(&id)
    }

    pub(crate) fn shard(&self, id: ShardId) -> &Shard {
        &self.shards[&id]
    }

    pub(crate) fn shard_mut(&mut self, id: ShardId) -> &mut Shard {
        self.shards.get_mut(&id).expect("a shard of this world")
    }

    /// Gives a new link to the next one in turn of these shards.
    pub(crate) fn accept(&mut self, link: LinkId, shards: &[ShardId]) -> ShardId {
        let shard = shards[self.accepts_next % shards.len()];
        self.accepts_next = (self.accepts_next + 1) % self.shards.len();
        self.shard_of.insert(link, shard);
        shard
    }

    /// The shard for an input of a link, and the input. A link on its way to another shard keeps
    /// its input until it arrives.
    pub(crate) fn shard_for(&mut self, link: LinkId, input: Input) -> Option<(ShardId, Input)> {
        if let Some(moving) = self.moving.get_mut(&link) {
            moving.inputs.push(input);
            return None;
        }
        let shard = *self.shard_of.get(&link)?;
        if let Input::Disconnected(_) = input {
            self.shard_of.remove(&link);
        }
        Some((shard, input))
    }

    /// The link goes to another shard, unless it is down. Returns the shard that it leaves.
    pub(crate) fn move_link(
        &mut self,
        link: LinkId,
        to: ShardId,
        arrives_at: Instant,
        opened: Box<Opened>,
    ) -> Option<ShardId> {
        let from = self.shard_of.remove(&link)?;
        self.moving.insert(link, Moving { to, arrives_at, opened, inputs: Vec::new() });
        Some(from)
    }

    pub(crate) fn forget(&mut self, link: LinkId) {
        self.shard_of.remove(&link);
    }

    pub(crate) fn next_move(&self) -> Option<Instant> {
        self.moving.values().map(|moving| moving.arrives_at).min()
    }

    /// Takes the next link that arrives at its new shard by now. It has its inputs with it.
    pub(crate) fn take_moved(&mut self, now: Instant) -> Option<(LinkId, Moving)> {
        let due = self.moving.iter().filter(|(_, moving)| moving.arrives_at <= now);
        let (link, _) = due.min_by_key(|(_, moving)| moving.arrives_at)?;
        let (link, moving) = self.moving.remove_entry(&{ *link })?;
        self.shard_of.insert(link, moving.to);
        Some((link, moving))
    }
}
