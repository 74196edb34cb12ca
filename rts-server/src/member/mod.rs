//! This server as a member of its cluster.

mod draining;
mod end;
mod join;
mod shards;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use rts_cluster::membership::{Ended, Wish};
use rts_cluster::shards::ShardMap;
use rts_cluster::view::NodeName;
use rts_transport_tokio::server::{Node, SendToNodes};
use tokio::time::{Instant, timeout, timeout_at};

use crate::cluster::ClusterNode;
use crate::state::State;
use crate::webhooks::{NodeChange, Queues};
use draining::Draining;
pub(crate) use draining::Stage;
pub use end::MembershipEnded;
pub(crate) use join::join;
use shards::Shards;
pub(crate) use standing::Standing;

/// The time for the other nodes to acknowledge what a node has sent them before it leaves.
const LEAVE_PATIENCE: Duration = Duration::from_secs(10);

/// A member of a cluster. Dropping it stops the node without a word to the others, like a crash.
#[derive(Debug)]
pub(crate) struct Member {
    name: NodeName,
    node: ClusterNode,
    shards: Arc<Shards>,
    /// The shards of the view in which it became a member.
    first: ShardMap,
    origin: Origin,
    draining: Arc<Draining>,
    /// The time to drain before the end of the process.
    drain_patience: Duration,
}

/// How a node became a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is alone: the first one, or the next one after all others have ended.
    Founds,
    /// It is one of a fixed set, whose nodes start together.
    InSet,
    /// Others serve.
    Joins,
}

impl Member {
    /// What the shards of this node begin with.
    pub(crate) fn first(&self) -> &ShardMap {
        &self.first
    }

    /// Carries entries of the shards.
    pub(crate) fn hook(&self) -> Arc<dyn SendToNodes> {
        Arc::clone(&self.shards) as _
    }

    /// From now on, these shards get what happens in the cluster, also what has happened since the
    /// node became a member. `state` gets the bans and revocations of back ends that ask other
    /// nodes, and `webhooks` what becomes of nodes.
    pub(crate) fn attach(&self, node: Node, state: Arc<State>, webhooks: Queues) {
        match self.origin {
            Origin::Founds => webhooks.server_started(),
            Origin::InSet => webhooks.cluster_changed(self.name.clone(), NodeChange::Started),
            Origin::Joins => state.hear_others(),
        }
        self.shards.attach(node, state, webhooks);
    }

    /// Takes over the bans and revocations of the others when this node serves. Then never ends.
    pub(crate) fn takes_over(
        &self,
        node: Node,
        state: Arc<State>,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (joins, standing) = (self.origin == Origin::Joins, self.standing());
        let own = self.node.incarnation();
        async move {
            if joins {
                standing.until_up(own).await;
                state.take_over(&node).await;
            }
            std::future::pending().await
        }
    }

    /// Waits until the back ends have all events of this node, if other nodes go on, but not beyond
    /// the time to drain. Cancel safe.
    pub(crate) async fn posts_events(&self, webhooks: &Queues, draining_since: Instant) {
        if self.draining.is_alone() {
            return;
        }
        let until = draining_since + self.drain_patience;
        if timeout_at(until, webhooks.emptied()).await.is_err() {
            let events = webhooks.waiting();
            tracing::warn!(events, "the webhooks did not accept the last events: they are lost");
        }
    }

    /// What the node knows, at any moment.
    pub(crate) fn standing(&self) -> Standing {
        let (shards, draining) = (Arc::clone(&self.shards), Arc::clone(&self.draining));
        Standing::new(self.name.clone(), self.node.status(), shards, draining)
    }

    /// Drains when it is told to. Never ends.
    pub(crate) fn drains(&self, node: Node) -> impl Future<Output = ()> + Send + 'static {
        let draining = Arc::clone(&self.draining);
        async move { draining.run(node).await }
    }

    /// Drains before the end of the process, and returns when no session is left, or the time for
    /// that is over. Cancel safe.
    pub(crate) fn empty_before_end(&self) -> impl Future<Output = ()> + Send + 'static {
        let (draining, patience) = (Arc::clone(&self.draining), self.drain_patience);
        async move {
            if !patience.is_zero() && timeout(patience, draining.empty_before_end()).await.is_err()
            {
                let seconds = patience.as_secs();
                tracing::warn!("not drained after {seconds} s: the sessions that are left end");
            }
        }
    }

    /// Waits until the node is no member any more. Cancel safe. May be called once after that.
    pub(crate) async fn ended(&mut self) -> MembershipEnded {
        let (why, _) = self.node.ended().await;
        MembershipEnded(why)
    }

    /// Leaves the cluster, after all other members have what this node has sent them, if that does
    /// not take too long.
    pub(crate) async fn leave(mut self) {
        self.node.wish(Wish::Leave);
        match timeout(LEAVE_PATIENCE, self.node.ended()).await {
            Ok((Ended::Left, _)) => tracing::info!("left the cluster"),
            Ok((why, _)) => tracing::warn!("not left the cluster: {}", MembershipEnded(why)),
            Err(_) => tracing::warn!(
                "the other nodes do not answer: this one ends, and they notice it by themselves"
            ),
        }
    }
}

/// The shards and the way between them and the cluster hold each other.
impl Drop for Member {
    fn drop(&mut self) {
        self.shards.detach();
    }
}
