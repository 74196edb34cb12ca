//! One life of a node: the cluster side of a process, and the clock of its shards.

use std::collections::VecDeque;
use std::time::Duration;

use rts_cluster::node::Node;
use rts_cluster::shards::ShardMap;
use rts_cluster::view::{ClusterName, Epoch, Incarnation, Member, MemberState, NodeName};
use rts_cluster::wire::VERSION;
use rts_proto::Instant;
use rts_proto::server::{Input, ShardId};

use super::bans::Bans;
use super::draining::Draining;

/// One life of a node.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) incarnation: Incarnation,
    pub(crate) node: Node,
    /// Its present view, once it is a member.
    pub(crate) map: Option<ShardMap>,
    /// The view that its shards were last known to serve.
    pub(super) served: Option<Epoch>,
    /// When the node wants a tick.
    pub(super) wait: Instant,
    /// Whether it has outputs that were not taken.
    pub(super) has_outputs: bool,
    /// Before this moment, its process stands still.
    pub(super) paused_until: Instant,
    /// Whether it drains, and how far it is.
    pub(super) draining: Option<Draining>,
    /// The bans of which it knows.
    pub(super) bans: Bans,
    /// Inputs of its shards that wait for its lease.
    pub(super) waiting: VecDeque<(ShardId, Input)>,
    /// Since when it may not act.
    frozen_since: Option<Instant>,
    /// The time for which its shards' clock has stood still.
    frozen: Duration,
}

pub(super) fn member(name: &str, incarnation: Incarnation, shards: u8) -> Member {
    let name = NodeName::new(name).expect("a valid name");
    Member { name, incarnation, shards, version: VERSION, state: MemberState::Up }
}

impl Life {
    pub(super) fn new(now: Instant, own: Member, seed: u64) -> Self {
        let cluster = ClusterName::new("world").expect("a valid name");
        Self {
            incarnation: own.incarnation,
            node: Node::new(cluster, own, seed),
            map: None,
            served: None,
            wait: now,
            has_outputs: false,
            paused_until: now,
            draining: None,
            bans: Bans::new(),
            waiting: VecDeque::new(),
            frozen_since: Some(now),
            frozen: Duration::ZERO,
        }
    }

    /// Whether its shards may act now. If its lease has ended, their clock stands still from there
    /// on.
    pub(super) fn acts(&mut self, now: Instant) -> bool {
        if now < self.paused_until {
            return false;
        }
        if self.frozen_since.is_none() && !self.node.may_act(now) {
            let until = self.node.acts_until().unwrap_or(now);
            self.frozen_since = Some(until.min(now));
        }
        self.frozen_since.is_none()
    }

    /// Whether its shards could not act, and can from now on.
    pub(super) fn thaws(&mut self, now: Instant) -> bool {
        if now < self.paused_until || !self.node.may_act(now) {
            return false;
        }
        let since = self.frozen_since.take();
        self.frozen += since.map_or(Duration::ZERO, |since| now.since(since));
        since.is_some() || !self.waiting.is_empty()
    }

    /// The time of its shards' clock.
    pub(crate) fn shard_time(&self, now: Instant) -> Instant {
        let stopped = self.frozen_since.map_or(now, |since| since.min(now));
        Instant::ORIGIN + stopped.since(Instant::ORIGIN).saturating_sub(self.frozen)
    }

    /// The moment at which its shards' clock shows this, if it goes on.
    pub(super) fn moment(&self, shard_time: Instant) -> Instant {
        shard_time + self.frozen
    }
}
