//! Nodes that drain, as `rts-server` does it: their users go on at the other nodes.

use std::time::Duration;

use rts_proto::server::{Command, Server, Shards};

use super::World;
use crate::cluster::{Life, NodeIndex, Step};

/// The clients of one step come back spread over this time.
const RETRY_AFTER_MAX: Duration = Duration::from_millis(200);
/// The clients that are left at the end come back spread over this time.
const SHUTDOWN_SPREAD: Duration = Duration::from_secs(2);

impl World {
    /// A node drains, as by `rts admin drain`: the others take its homes, then it closes its links
    /// at this rate. New links go to other nodes. Nothing happens if no other node is up. It drains
    /// until [`reopen_node`](Self::reopen_node) or [`retire_node`](Self::retire_node).
    ///
    /// ```
    /// use std::time::Duration;
    /// use rts_testkit::World;
    ///
    /// let mut world = World::new(Default::default(), 2, 42).cluster(2, 1);
    /// world.run_for(Duration::from_secs(1));
    /// world.log_in(0, "alice");
    /// world.log_in(1, "bob");
    /// world.drain_node(0, 10);
    /// world.run_for(Duration::from_secs(20));
    /// assert!(world.is_drained(0));
    /// world.send(1, "alice", "hi");
    /// world.run_for(Duration::from_secs(1));
    /// assert_eq!(world.texts(0), ["hi"]);
    /// assert_eq!(world.call(0, |engine, _| engine.sessions_begun()), 1);
    /// ```
    pub fn drain_node(&mut self, node: NodeIndex, links_per_second: u32) {
        let now = self.now();
        if let Some(cluster) = &mut self.cluster {
            cluster.drain(now, node, links_per_second, None);
        }
    }

    /// A node drains no more: it takes homes and links again. It cannot be taken back that a
    /// process ends.
    pub fn reopen_node(&mut self, node: NodeIndex) {
        let now = self.now();
        let Some(cluster) = &mut self.cluster else { return };
        if cluster.cancel_drain(now, node) {
            self.reopen(node);
        }
    }

    /// A node drains and then ends, as by SIGTERM. It ends after `patience` with all sessions that
    /// are left. It stays down until [`start_node`](Self::start_node).
    pub fn retire_node(&mut self, node: NodeIndex, links_per_second: u32, patience: Duration) {
        let now = self.now();
        if let Some(cluster) = &mut self.cluster {
            cluster.drain(now, node, links_per_second, Some(now + patience));
        }
    }

    /// Whether a node that drains has nothing left to do.
    #[must_use]
    pub fn is_drained(&self, node: NodeIndex) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.is_drained(node))
    }

    /// Does the next step of a node that drains. Returns whether it was due.
    pub(super) fn drain_step(&mut self, node: NodeIndex) -> bool {
        let now = self.now();
        if !self.cluster.as_ref().is_some_and(|cluster| cluster.has_step(now, node)) {
            return false;
        }
        let shards = self.shards_of(node);
        let sessions = shards.iter().map(|shard| self.node.shard(*shard).core.sessions()).sum();
        let step = self.cluster.as_mut().and_then(|cluster| cluster.step(now, node, sessions));
        match step {
            Some(Step::Reopens) => self.reopen(node),
            Some(Step::Closes(mut links_max)) => {
                for shard in shards {
                    let drain =
                        |server: &mut Server, now| server.drain(now, links_max, RETRY_AFTER_MAX);
                    links_max -= Shards::shard(self, shard, drain);
                }
            }
            Some(Step::Leaves) => {
                let shutdown = Command::Shutdown { retry_after_max: SHUTDOWN_SPREAD };
                self.command_node(node, shutdown);
            }
            Some(Step::Ends) => self.end_node(node),
            None => {}
        }
        true
    }

    /// A node drains no more. If its process is to end, it does.
    pub(super) fn end_drain(&mut self, node: NodeIndex) {
        let life = self.cluster.as_ref().and_then(|cluster| cluster.life(node));
        match life.is_some_and(Life::is_ending) {
            true => self.end_node(node),
            false => self.reopen_node(node),
        }
    }

    fn reopen(&mut self, node: NodeIndex) {
        self.command_node(node, Command::Reopen);
    }

    fn command_node(&mut self, node: NodeIndex, command: Command<'_>) {
        for shard in self.shards_of(node) {
            Shards::shard(self, shard, |server, now| server.command(now, command));
        }
    }
}
