//! What a running node knows.

use std::time::Duration;

use rts_cluster::view::{Incarnation, View};

/// What a running node knows of its cluster.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NodeStatus {
    /// The view, while this node is a member.
    pub view: Option<View>,
    /// Whether it has a lease.
    pub may_act: bool,
    /// Why it has no connection to the others; `None` while it has one.
    pub bus_fault: Option<String>,
    /// Why the register could not be read when it was last asked for.
    pub register_fault: Option<String>,
    /// The register does not have the successor of this node's view: it was removed, or replaced
    /// by an older copy. The node keeps its view until the next change.
    pub register_is_foreign: bool,
    /// Another node with the name of this one, which was heard since the last change of the view.
    /// Only one of them can be a member.
    pub namesake: Option<Incarnation>,
    /// How far the clock of the system is behind that of another node, if it is 10 s or more.
    pub clock_behind: Duration,
}
