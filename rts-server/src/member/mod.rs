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
use tokio::time::timeout;

use crate::cluster::ClusterNode;
use crate::state::State;
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
    draining: Arc<Draining>,
    /// The time to drain before the end of the process.
    drain_patience: Duration,
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
    /// nodes.
    pub(crate) fn attach(&self, node: Node, state: Arc<State>) {
        self.shards.attach(node, state);
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
