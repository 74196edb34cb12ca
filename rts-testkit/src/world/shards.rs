//! A server of several shards: links that move, and entries between shards.

use rts_proto::server::{Entry, Input, Opened, Placement, Server, ShardId, Shards};
use rts_proto::{Instant, LinkId};

use super::{Happening, World, owner};

impl World {
    /// Gives the server of a new world this number of shards, as on a machine with as many cores.
    /// A world has one shard otherwise. [`restart_server`](Self::restart_server) keeps the number.
    ///
    /// # Panics
    ///
    /// If the number is 0 or more than [`ShardId::COUNT_MAX`], or the world has run already.
    #[must_use]
    pub fn shards(mut self, shards: usize) -> Self {
        assert!(self.now() == Instant::ORIGIN && self.net.open_links() == 0, "too late");
        let config = self.node.config.clone();
        self.replace_node(config, shards);
        self
    }

    pub(super) fn hand_over(&mut self, link: LinkId, to: ShardId, opened: Box<Opened>) {
        let now = self.now();
        let arrives_at = now + self.mailboxes.draw_delay();
        if let Some(from) = self.node.move_link(link, to, arrives_at, opened) {
            self.log.push((now, Happening::HandedOver(owner(link).0, from, to)));
        }
    }

    /// Gives links to the shards to which they move.
    pub(super) fn move_links(&mut self) {
        let now = self.now();
        while let Some((link, moved)) = self.node.take_moved(now) {
            self.input(moved.to, Input::HandedOver(link, moved.opened));
            self.drain_shard(moved.to);
            for input in moved.inputs {
                let shard = self.input_of(link, input);
                shard.into_iter().for_each(|shard| self.drain_shard(shard));
            }
        }
    }

    pub(super) fn send_entries(&mut self, from: ShardId, to: ShardId, entries: Vec<Entry>) {
        let now = self.now();
        if from.node() != to.node() {
            let cluster = self.cluster.as_mut().expect("only a cluster has other nodes");
            return cluster.send_entries(now, (from, to), entries);
        }
        let congestion = self.mailboxes.put(now, (from, to), entries);
        self.report_congestion(from, to, congestion);
    }

    /// Gives shards the entries of others.
    pub(super) fn deliver_entries(&mut self) {
        let now = self.now();
        while let Some(((from, to), entries, congestion)) = self.mailboxes.take(now) {
            self.log.push((now, Happening::EntriesArrived(from, to, entries.clone())));
            self.input(to, Input::Peer(from, entries));
            self.drain_shard(to);
            if self.report_congestion(from, to, congestion) {
                self.drain_shard(from);
            }
        }
    }

    fn report_congestion(&mut self, from: ShardId, to: ShardId, congestion: Option<bool>) -> bool {
        let Some(is_congested) = congestion else { return false };
        let now = self.now();
        self.log.push((now, Happening::MailboxCongested(from, to, is_congested)));
        self.input(from, Input::PeerCongested(to, is_congested));
        true
    }
}

/// Commands of back ends, and questions, at the present moment.
impl Shards for World {
    fn placement(&self) -> Placement {
        self.node.placement()
    }

    fn shard<T>(&mut self, shard: ShardId, call: impl FnOnce(&mut Server, Instant) -> T) -> T {
        let time = self.time_of(shard);
        let returned = call(&mut self.node.shard_mut(shard).core, time);
        self.drain_shard(shard);
        returned
    }
}
