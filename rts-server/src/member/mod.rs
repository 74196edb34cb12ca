//! This server as a member of its cluster.

mod end;
mod join;
mod shards;

use std::sync::Arc;
use std::time::Duration;

use rts_cluster::membership::{Ended, Wish};
use rts_cluster::shards::ShardMap;
use rts_cluster::view::NodeName;
use rts_transport_tokio::server::{Node, SendToNodes};
use tokio::time::timeout;

use crate::cluster::ClusterNode;
use crate::state::State;
pub use end::MembershipEnded;
pub(crate) use join::join;
use shards::Shards;
pub(crate) use shards::Standing;

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
        Standing::new(self.name.clone(), self.node.status(), Arc::clone(&self.shards))
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
