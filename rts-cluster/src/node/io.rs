//! What happens to a node, and what it wants done.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::Instant;

use crate::membership::{CasResult, Ended, Question, Revision, Wish};
use crate::trunk::GivenBack;
use crate::view::{Epoch, Incarnation, View, ViewId};
use crate::wire::entries::Route;

/// What happens to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A packet of the bus, for this node or for all.
    Packet(Bytes),
    /// The bus works. What was sent before may be lost. A node begins without it.
    BusUp,
    /// The bus does not work. Nothing is sent until it does.
    BusDown,
    /// The answer to [`Output::Read`]; `None` for a register that was never set. A stale value is
    /// no answer.
    Read(Question, Option<(Revision, View)>),
    /// The answer to [`Output::Read`] did not come.
    ReadFailed(Question),
    /// The answer to [`Output::Cas`].
    Cas(Question, CasResult),
    /// The answer to [`Output::Vote`], as
    /// [`membership::Input::Voted`](crate::membership::Input::Voted) says.
    Voted(Question, Option<Incarnation>),
    /// The process of a node has ended for certain, as
    /// [`membership::Input::Dead`](crate::membership::Input::Dead) says.
    Dead(Incarnation),
    /// All shards of this node decide by the homes of the view with this number, as
    /// [`ShardMap::served`](crate::shards::ShardMap::served) finds out.
    Served(Epoch),
    /// What this node wants to become. At first: `Up`.
    Wish(Wish),
    /// Entries of shards of this node for shards of another one, as
    /// [`encode`](crate::wire::entries::encode) makes them.
    Entries {
        /// The other node.
        to: Incarnation,
        /// Pieces, in their order.
        pieces: Vec<Bytes>,
    },
    /// Time has passed.
    Tick,
}

/// What a node wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a packet over the bus.
    Send {
        /// The node that it is for; `None` for all.
        to: Option<Incarnation>,
        /// Less than twice [`BATCH_BYTES_MAX`](crate::limits::BATCH_BYTES_MAX).
        packet: Bytes,
    },
    /// Read the register.
    Read(Question),
    /// Set the register if it has this revision, or was never set.
    Cas(Question, Option<Revision>, View),
    /// Ask the arbiter for its vote in a view of two members, as
    /// [`membership::Output::Vote`](crate::membership::Output::Vote) says.
    Vote {
        /// The question.
        question: Question,
        /// The view.
        view: ViewId,
        /// The member that this node wants to remove.
        remove: Incarnation,
    },
    /// Entries of a shard of another node have come, for a shard of this one.
    Entries {
        /// The other node.
        from: Incarnation,
        /// Both shards. They exist.
        route: Route,
        /// For [`decode`](crate::wire::entries::decode).
        piece: Bytes,
    },
    /// The view has changed, and this node is a member. [`View::number`] has the numbers of all
    /// members.
    View {
        /// The view.
        view: View,
        /// Before this moment, new homes of the slots of a removed member must not serve them.
        serve_after: Instant,
    },
    /// A node is no member of the view any more, which has been passed out before. No entries come
    /// from it after this, and none of it is congested.
    PeerGone {
        /// The node.
        node: Incarnation,
        /// Pieces for it that it has not acknowledged.
        given_back: GivenBack,
    },
    /// These pieces were not sent: the node is not in the view.
    NotSent {
        /// The node.
        to: Incarnation,
        /// The pieces, in their order.
        pieces: Vec<Bytes>,
    },
    /// A node is congested or no longer so: too many entries wait for it. Shards send it only what
    /// must not be lost.
    Congested(Incarnation, bool),
    /// Whether this node may act. At first it may not.
    Lease(bool),
    /// This node is no member any more, and its sessions have to end. After this, it wants nothing.
    Ended(Ended),
    /// No other member answers the beats of this node: the bus should get another connection, to
    /// another server if there is one.
    Unheard,
    /// Another node with the name of this one beats. Only one of them can be a member. It may be an
    /// earlier incarnation, whose last packets are late.
    Namesake(Incarnation),
    /// The register does not have the successor of this node's view. Somebody has to look.
    RegisterIsForeign,
    /// Nothing more until this moment, or until something happens.
    Wait(Instant),
}

/// Packets that were dropped, and entries in them, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Packets that no correct node sends.
    pub malformed: u64,
    /// Packets of kinds that this version does not know.
    pub unknown_kind: u64,
    /// Packets of another cluster.
    pub other_cluster: u64,
    /// Packets for another node, or for another incarnation of this one.
    pub for_other_node: u64,
    /// Packets of trunks, of a node that is not in the view. It sends them again.
    pub unknown_sender: u64,
    /// Batches that came while this node had no lease. The other node sends them again.
    pub without_lease: u64,
    /// Packets of trunks with an acknowledgement of entries that were never sent.
    pub never_sent: u64,
    /// Entries from or for a shard that does not exist. They are lost.
    pub bad_entries: u64,
}

/// The trunk to another member, at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrunkFigures {
    /// The other member.
    pub node: Incarnation,
    /// Entries for it that it has not acknowledged.
    pub entries: usize,
    /// The bytes of those entries.
    pub bytes: usize,
    /// Whether shards send it only what must not be lost.
    pub is_congested: bool,
    /// The time since its last beat arrived; `None` if none has.
    pub silent_for: Option<Duration>,
}
