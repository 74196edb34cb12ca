//! A node of a cluster: its membership, over a bus and an arbiter.

use rts_cluster::membership::{Ended, Wish};
use rts_cluster::view::{ClusterName, Incarnation, Member, MemberState, NodeName};
use rts_cluster::wire::VERSION;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::arbiter::Arbiter;
use super::bus::Bus;
use super::drive::Driver;
use super::life::Life;
use super::status::NodeStatus;

/// A node, as a task on a tokio runtime. Dropping it stops the node without a word to the others,
/// like a crash.
#[derive(Debug)]
pub struct ClusterNode {
    incarnation: Incarnation,
    wishes: mpsc::UnboundedSender<Wish>,
    status: watch::Receiver<NodeStatus>,
    task: JoinSet<(Ended, Life)>,
}

impl ClusterNode {
    /// Starts a node of a cluster. It becomes a member when the others agree. `shards` is its
    /// weight.
    pub fn start<B: Bus, A: Arbiter>(
        cluster: ClusterName,
        name: NodeName,
        shards: u8,
        life: Life,
        bus: B,
        arbiter: A,
    ) -> Self {
        let incarnation = life.incarnation();
        let state = MemberState::Joining;
        let own = Member { name, incarnation, shards, version: VERSION, state };
        let (wishes, wished) = mpsc::unbounded_channel();
        let (report, status) = watch::channel(NodeStatus {
            bus_fault: Some("not connected yet".to_owned()),
            ..NodeStatus::default()
        });
        let mut task = JoinSet::new();
        task.spawn(Driver::new(cluster, own, life, bus, arbiter, report).run(wished));
        Self { incarnation, wishes, status, task }
    }

    /// The incarnation of this node.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// What it knows, at any moment.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<NodeStatus> {
        self.status.clone()
    }

    /// What the node wants to become. At first: `Up`.
    pub fn wish(&self, wish: Wish) {
        // A node that has ended has no wishes.
        let _ = self.wishes.send(wish);
    }

    /// Waits until the node is no member any more and will be none. Cancel safe. May be called once
    /// after that.
    ///
    /// To join anew, end all sessions, drop the [`Life`], begin another one, and start a node. As
    /// long as the life exists, no other node believes that this one has ended.
    ///
    /// # Panics
    ///
    /// If the task has panicked, and if it was called after the end.
    pub async fn ended(&mut self) -> (Ended, Life) {
        let ended = self.task.join_next().await.expect("it is called once after the end");
        ended.expect("the node does not panic")
    }
}
