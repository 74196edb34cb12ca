//! One life of a node: the cluster side of a process, and the clock of its shards.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use rts_cluster::node::{self, Node};
use rts_cluster::shards::ShardMap;
use rts_cluster::view::{ClusterName, Epoch, Incarnation, Member, MemberState, NodeName};
use rts_cluster::wire::VERSION;
use rts_proto::server::{Ban, Input, ShardId};
use rts_proto::{AppId, Instant};

use super::bans::Bans;
use super::clocks::Clocks;
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
    /// The clocks of its machine.
    pub(super) clocks: Clocks,
    /// How far the clock of the cluster is ahead of its own wall clock.
    ahead_micros: u64,
    last_claim: u64,
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
    /// The bans that back ends have set or lifted since it started.
    pub(super) decided: BTreeSet<(AppId, Ban)>,
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
    pub(super) fn new(now: Instant, own: Member, clocks: Clocks, seed: u64) -> Self {
        let cluster = ClusterName::new("world").expect("a valid name");
        Self {
            incarnation: own.incarnation,
            node: Node::new(cluster, own, seed),
            map: None,
            served: None,
            clocks,
            ahead_micros: 0,
            last_claim: 0,
            wait: now,
            has_outputs: false,
            paused_until: now,
            draining: None,
            bans: Bans::new(),
            decided: BTreeSet::new(),
            waiting: VecDeque::new(),
            frozen_since: Some(now),
            frozen: Duration::ZERO,
        }
    }

    /// Passes an input to the node, as the driver of `rts-server` does it.
    pub(super) fn handle(&mut self, now: Instant, input: node::Input) {
        self.node.set_clock(self.cluster_micros(now));
        self.node.handle(self.clocks.shows(now), input);
        if let Some(heard) = self.node.take_heard_clock() {
            let ahead = heard.saturating_sub(self.clocks.wall_micros(now));
            self.ahead_micros = self.ahead_micros.max(ahead);
        }
        self.has_outputs = true;
    }

    /// Unix time as the wall clock of its machine shows it.
    pub(crate) fn wall_micros(&self, now: Instant) -> u64 {
        self.clocks.wall_micros(now)
    }

    /// The clock of the cluster, as it knows it: that of the member whose clock is ahead.
    fn cluster_micros(&self, now: Instant) -> u64 {
        self.clocks.wall_micros(now).saturating_add(self.ahead_micros)
    }

    /// The claim of a login that it accepts now.
    pub(crate) fn next_claim(&mut self, now: Instant) -> u64 {
        self.last_claim = self.cluster_micros(now).max(self.last_claim.saturating_add(1));
        self.last_claim
    }

    fn may_act(&self, now: Instant) -> bool {
        self.node.may_act(self.clocks.shows(now))
    }

    /// Whether its shards may act now. If its lease has ended, their clock stands still from there
    /// on.
    pub(super) fn acts(&mut self, now: Instant) -> bool {
        // What has waited for the end of a pause goes first.
        if now < self.paused_until || !self.waiting.is_empty() {
            return false;
        }
        if self.frozen_since.is_none() && !self.may_act(now) {
            let until = self.node.acts_until().map_or(now, |until| self.clocks.moment(until));
            self.frozen_since = Some(until.min(now));
        }
        self.frozen_since.is_none()
    }

    /// Whether its shards could not act, and can from now on.
    pub(super) fn thaws(&mut self, now: Instant) -> bool {
        if now < self.paused_until || !self.may_act(now) {
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
