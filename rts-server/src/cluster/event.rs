//! What happens to the shards of a node.

use std::time::Instant;

use bytes::Bytes;
use rts_cluster::trunk::GivenBack;
use rts_cluster::view::{Incarnation, View};
use rts_cluster::wire::entries::Route;

/// What happens to the shards of a node, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// The view has changed, and this node is a member.
    View {
        /// The view.
        view: View,
        /// Before this moment, new homes of the slots of a removed member must not serve them.
        serve_after: Instant,
    },
    /// A node is no member any more. No entries come from it after this.
    PeerGone {
        /// The node.
        node: Incarnation,
        /// Pieces for it that it has not acknowledged.
        given_back: GivenBack,
    },
    /// Entries of a shard of another node have come, for a shard of this one.
    Entries {
        /// The other node.
        from: Incarnation,
        /// Both shards. They exist.
        route: Route,
        /// For [`decode`](rts_cluster::wire::entries::decode).
        piece: Bytes,
    },
    /// These pieces were not sent: the node is not in the view.
    NotSent {
        /// The node.
        to: Incarnation,
        /// The pieces, in their order.
        pieces: Vec<Bytes>,
    },
    /// A node is congested, or no longer so. Shards send it only what must not be lost.
    Congested {
        /// The node.
        node: Incarnation,
        /// Whether it is.
        is_congested: bool,
    },
    /// This node may act before this moment, and not from then on. `None`: it may not act, as at
    /// first. A node alone has a moment years ahead. Each renewal is an event.
    Lease(Option<Instant>),
}
