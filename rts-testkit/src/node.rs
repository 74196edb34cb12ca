//! The server of a world: its shards, the shard of each link, and the links that move.

use std::collections::BTreeMap;

use rts_proto::server::{Config, Input, Opened, Placement, Server, ShardId};
use rts_proto::{Instant, LinkId};

/// The shards of one server.
#[derive(Debug)]
pub(crate) struct Node {
    shards: Vec<Shard>,
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
            Some(Shard { core, deadline: None })
        };
        let cores: Option<Vec<Shard>> = (0..shards).map(shard).collect();
        let cores = cores.filter(|cores| !cores.is_empty());
        let shards = cores.expect("a server has from 1 to `ShardId::COUNT_MAX` shards");
        Self { shards, config, shard_of: BTreeMap::new(), moving: BTreeMap::new(), accepts_next: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.len()
    }

    pub(crate) fn placement(&self) -> Placement {
        self.shards[0].core.placement()
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = ShardId> + use<> {
        self.placement().shards()
    }

    pub(crate) fn shard(&self, id: ShardId) -> &Shard {
        &self.shards[id.number()]
    }

    pub(crate) fn shard_mut(&mut self, id: ShardId) -> &mut Shard {
        &mut self.shards[id.number()]
    }

    pub(crate) fn handle(&mut self, now: Instant, shard: ShardId, input: Input) {
        self.shards[shard.number()].core.handle_input(now, input);
    }

    /// Gives a new link to the next shard in turn.
    pub(crate) fn accept(&mut self, link: LinkId) -> ShardId {
        let shard = ShardId::new(self.accepts_next).expect("a shard of this server");
        self.accepts_next = (self.accepts_next + 1) % self.shards.len();
        self.shard_of.insert(link, shard);
        shard
    }

    /// Gives a link's input to its shard, and returns that shard. A link on its way to another
    /// shard keeps its input until it arrives.
    pub(crate) fn handle_of(
        &mut self,
        now: Instant,
        link: LinkId,
        input: Input,
    ) -> Option<ShardId> {
        if let Some(moving) = self.moving.get_mut(&link) {
            moving.inputs.push(input);
            return None;
        }
        let shard = *self.shard_of.get(&link)?;
        if let Input::Disconnected(_) = input {
            self.shard_of.remove(&link);
        }
        self.handle(now, shard, input);
        Some(shard)
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
