//! A node of a cluster: its membership and its trunks, over a bus and an arbiter.

use bytes::Bytes;
use std::sync::Arc;

use rts_cluster::membership::{Ended, Wish};
use rts_cluster::node::Node;
use rts_cluster::view::{ClusterName, Epoch, Incarnation, Member, MemberState, NodeName};
use rts_cluster::wire::VERSION;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::arbiter::Arbiter;
use super::bus::Bus;
use super::clock::ClusterClock;
use super::drive::{Driver, Figures, Order, Shards};
use super::event::NodeEvent;
use super::life::Life;
use super::status::NodeStatus;

/// What a node is.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Its cluster. Packets of other clusters are dropped.
    pub cluster: ClusterName,
    /// Its name, which no other node of the cluster has.
    pub name: NodeName,
    /// The number of its shards, 1 to 64, which is its weight.
    pub shards: u8,
    /// Is set to the clock of the cluster.
    pub clock: Arc<ClusterClock>,
}

/// A node, as a task on a tokio runtime. Dropping it stops the node without a word to the others,
/// like a crash.
#[derive(Debug)]
pub struct ClusterNode {
    incarnation: Incarnation,
    orders: NodeSender,
    status: watch::Receiver<NodeStatus>,
    task: JoinSet<(Ended, Life)>,
}

/// Gives a node what its shards send to other nodes. Its clones share the order.
#[derive(Clone, Debug)]
pub struct NodeSender(mpsc::UnboundedSender<Order>);

impl ClusterNode {
    /// Starts a node. It becomes a member when the others agree.
    ///
    /// `on_event` gets what happens to its shards. While `keeps_up` is false, the node takes no
    /// entries for them. The other nodes send them again, and are congested when too many wait.
    /// Both are called on the task of the node, and must not block.
    pub fn start<B: Bus, A: Arbiter>(
        config: NodeConfig,
        life: Life,
        bus: B,
        arbiter: A,
        on_event: impl FnMut(NodeEvent) + Send + 'static,
        keeps_up: impl Fn() -> bool + Send + 'static,
    ) -> Self {
        let incarnation = life.incarnation();
        let NodeConfig { cluster, name, shards, clock } = config;
        let state = MemberState::Joining;
        let own = Member { name, incarnation, shards, version: VERSION, state };
        let (orders, ordered) = mpsc::unbounded_channel();
        let (report, status) = watch::channel(NodeStatus {
            bus_fault: Some("not connected yet".to_owned()),
            ..NodeStatus::default()
        });
        // The seed feeds the ids of views, which no two nodes may draw alike.
        let node = Node::new(cluster, own, incarnation.0);
        let mut task = JoinSet::new();
        let shards = Shards { on_event: Box::new(on_event), keeps_up: Box::new(keeps_up) };
        let driver = Driver::new(node, clock, life, bus, arbiter, shards, report);
        task.spawn(driver.run(ordered));
        Self { incarnation, orders: NodeSender(orders), status, task }
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

    /// For the shards of this node.
    #[must_use]
    pub fn sender(&self) -> NodeSender {
        self.orders.clone()
    }

    /// What the node wants to become. At first: `Up`. A node that wants to leave acts until the
    /// other members have acknowledged all that it has sent them.
    pub fn wish(&self, wish: Wish) {
        self.orders.wish(wish);
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

impl NodeSender {
    /// Sends entries of shards to another node, as
    /// [`encode`](rts_cluster::wire::entries::encode) makes them. They arrive once and in order, or
    /// come back as [`NodeEvent::PeerGone`] or [`NodeEvent::NotSent`]. Never waits. A node that
    /// has ended drops them.
    ///
    /// There is no bound but the congestion that [`NodeEvent::Congested`] reports, and the time
    /// after which one of two nodes ends if it acknowledges nothing:
    /// [`STALLED_MAX`](rts_cluster::limits::STALLED_MAX).
    pub fn send(&self, to: Incarnation, pieces: Vec<Bytes>) {
        let _ = self.0.send(Order::Send { to, pieces });
    }

    /// What the node wants to become, as [`ClusterNode::wish`] says. Never waits.
    pub fn wish(&self, wish: Wish) {
        // A node that has ended has no wishes.
        let _ = self.0.send(Order::Wish(wish));
    }

    /// What the node has sent and received, at this moment. Nothing of a node that has ended.
    /// Cancel safe.
    pub async fn figures(&self) -> Figures {
        let (answer, answered) = oneshot::channel();
        let _ = self.0.send(Order::Figures(answer));
        answered.await.unwrap_or_default()
    }

    /// All shards of this node decide by the homes of the view with this number. Until all members
    /// have said so, no node is added to the view. Never waits.
    pub fn served(&self, epoch: Epoch) {
        let _ = self.0.send(Order::Served(epoch));
    }
}
