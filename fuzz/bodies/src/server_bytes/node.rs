//! The shards of the server, the shard of each link, and everything that is under way between
//! shards.

use std::collections::{BTreeMap, VecDeque};

use rts_proto::server::{Config, Entry, Input, Opened, Placement, Server, ShardId, Shards, Stats};
use rts_proto::{Instant, LinkId};

/// With it, each of two shards has users and rooms of both apps.
const PLACEMENT_SEED: u64 = 8;

/// A shard, and another one to which it sends entries.
type Pair = (ShardId, ShardId);

pub(super) struct Node {
    shards: Vec<Server>,
    pub(super) now: Instant,
    /// The shard of each link that is not on its way to another one.
    shard_of: BTreeMap<LinkId, ShardId>,
    moving: VecDeque<Moving>,
    mailboxes: BTreeMap<Pair, VecDeque<Vec<Entry>>>,
}

/// A link on its way to another shard.
struct Moving {
    link: LinkId,
    to: ShardId,
    opened: Box<Opened>,
    /// Inputs that came meanwhile.
    inputs: Vec<Input>,
}

impl Node {
    pub(super) fn new(config: &Config, shards: usize) -> Self {
        let shard = |placement: Placement| {
            let mut config = config.clone();
            config.placement = placement;
            Server::new(config, 1 + placement.own().number() as u64)
        };
        Self {
            shards: Placement::of_node(shards, PLACEMENT_SEED).map(shard).collect(),
            now: Instant::ORIGIN,
            shard_of: BTreeMap::new(),
            moving: VecDeque::new(),
            mailboxes: BTreeMap::new(),
        }
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = ShardId> + use<> {
        self.shards[0].placement().shards()
    }

    pub(super) fn server(&mut self, shard: ShardId) -> &mut Server {
        &mut self.shards[shard.number()]
    }

    pub(super) fn handle(&mut self, shard: ShardId, input: Input) {
        self.shards[shard.number()].handle_input(self.now, input);
    }

    pub(super) fn tick(&mut self) {
        self.ids().for_each(|shard| self.handle(shard, Input::Tick));
    }

    /// The shards accept links in turn.
    pub(super) fn accept(&mut self, link: LinkId) -> ShardId {
        let number = link.0 as usize % self.shards.len();
        let shard = ShardId::new(number).expect("one of the shards");
        self.shard_of.insert(link, shard);
        shard
    }

    /// Gives a link's input to its shard. A link on its way keeps its input until it arrives.
    pub(super) fn handle_of(&mut self, link: LinkId, input: Input) {
        if let Some(moving) = self.moving.iter_mut().find(|moving| moving.link == link) {
            moving.inputs.push(input);
        } else if let Some(shard) = self.shard_of.get(&link).copied() {
            self.handle(shard, input);
        }
    }

    pub(super) fn hand_over(&mut self, link: LinkId, to: ShardId, opened: Box<Opened>) {
        let from = self.shard_of.remove(&link);
        assert!(from.is_some_and(|from| from != to), "only links of another shard move");
        self.moving.push_back(Moving { link, to, opened, inputs: Vec::new() });
    }

    pub(super) fn is_moving(&self, link: LinkId) -> bool {
        self.moving.iter().any(|moving| moving.link == link)
    }

    pub(super) fn send(&mut self, from: ShardId, to: ShardId, entries: Vec<Entry>) {
        assert!(from != to && !entries.is_empty(), "entries go to other shards");
        self.mailboxes.entry((from, to)).or_default().push_back(entries);
    }

    /// The next link arrives at its new shard. Returns false if no link is on its way.
    pub(super) fn link_arrives(&mut self) -> bool {
        let Some(Moving { link, to, opened, inputs }) = self.moving.pop_front() else {
            return false;
        };
        self.shard_of.insert(link, to);
        self.handle(to, Input::HandedOver(link, opened));
        inputs.into_iter().for_each(|input| self.handle(to, input));
        // The deadline of its login may have passed on the way.
        self.handle(to, Input::Tick);
        true
    }

    /// The next entries of a mailbox arrive. Returns false if none are in it.
    pub(super) fn entries_arrive(&mut self, (from, to): Pair) -> bool {
        let mailbox = self.mailboxes.get_mut(&(from, to));
        let Some(entries) = mailbox.and_then(VecDeque::pop_front) else { return false };
        self.handle(to, Input::Peer(from, entries));
        true
    }

    pub(super) fn set_congested(&mut self, (from, to): Pair, is_congested: bool) {
        self.handle(from, Input::PeerCongested(to, is_congested));
    }

    pub(super) fn pairs(&self) -> Vec<Pair> {
        let from_each = self.ids();
        let to_others = |from| self.ids().filter(move |to| *to != from).map(move |to| (from, to));
        from_each.flat_map(to_others).collect()
    }

    pub(super) fn sum(&mut self) -> Stats {
        Shards::stats(self)
    }
}

impl Shards for Node {
    fn placement(&self) -> Placement {
        self.shards[0].placement()
    }

    fn shard<T>(&mut self, shard: ShardId, call: impl FnOnce(&mut Server, Instant) -> T) -> T {
        let now = self.now;
        call(self.server(shard), now)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rts_proto::{AppId, RoomId};

    use super::*;
    use crate::script::{APPS, ROOMS, USERS};

    #[test]
    fn both_shards_have_users_and_rooms_of_each_app() {
        let placement = Placement::of_node(2, PLACEMENT_SEED).next().expect("two shards");
        for app in APPS {
            let app = AppId::new(app).expect("well formed");
            let users: BTreeSet<_> =
                USERS[..3].iter().map(|user| placement.of_user(&app, user)).collect();
            let room = |id: &&str| placement.of_room(&app, &RoomId::new(id).expect("well formed"));
            let rooms: BTreeSet<_> = ROOMS[..2].iter().map(room).collect();
            assert_eq!((users.len(), rooms.len()), (2, 2), "{app:?}");
        }
    }
}
