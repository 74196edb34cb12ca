//! The names of a cluster in NATS. A name of a cluster has no character that means something there.

use rts_cluster::view::{ClusterName, Incarnation};

/// The subject of packets for one node.
pub(super) fn inbox(cluster: &ClusterName, node: Incarnation) -> String {
    format!("rts.{cluster}.in.{:016x}", node.0)
}

/// The subject of packets for all nodes.
pub(super) fn all(cluster: &ClusterName) -> String {
    format!("rts.{cluster}.all")
}

/// All subjects of the cluster, for the permissions of its NATS user.
pub(super) fn everything(cluster: &ClusterName) -> String {
    format!("rts.{cluster}.>")
}

/// What the subjects of answers begin with.
pub(super) fn replies(cluster: &ClusterName) -> String {
    format!("rts.{cluster}.reply")
}

/// A subject of the register. `>` is all of them.
pub(super) fn register(cluster: &ClusterName, which: &str) -> String {
    format!("rts.{cluster}.register.{which}")
}

/// The stream of the register.
pub(super) fn stream(cluster: &ClusterName) -> String {
    format!("rts_{cluster}")
}
