//! What happens to the membership of a node, and what it wants done.

use rts_proto::Instant;

use super::beat::{Beat, Wish};
use super::register::Question;
use crate::view::{Epoch, Incarnation, View, ViewId};

/// The revision of the register's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// How a compare-and-set ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CasResult {
    /// The value is set.
    Done,
    /// The register has another value than expected.
    Conflict,
    /// No answer came: it may have happened or not.
    Unknown,
}

/// What happens to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A beat of another node arrived.
    Beat(Beat),
    /// The process of a node has ended for certain. One node has to know it: beats pass it on. A
    /// node that holds the lock of its state directory knows it of its own earlier incarnations.
    Dead(Incarnation),
    /// A member has acknowledged no entries of this node since this moment, while some wait for it,
    /// and more than [`SUSPECT`](crate::limits::SUSPECT) ago. Its beats may come all the same. This
    /// node grants it nothing from now on, votes to remove it when its earlier grants have ended,
    /// and ends itself after [`STALLED_MAX`](crate::limits::STALLED_MAX).
    Stalled {
        /// The member.
        node: Incarnation,
        /// The last acknowledgement, or the first of the entries.
        since: Instant,
    },
    /// A member that stalled does so no longer.
    Moved(Incarnation),
    /// Whether the bus works. At first it does not. Of two members, one votes to remove the other
    /// one for its silence only while the bus works.
    Bus(bool),
    /// The answer to [`Output::Read`]; `None` for a register that was never set. It is the latest
    /// value: a stale one would count as a register that went back.
    Read(Question, Option<(Revision, View)>),
    /// The answer to [`Output::Read`] did not come.
    ReadFailed(Question),
    /// The answer to [`Output::Cas`]. However it ended, the register is read next.
    Cas(Question, CasResult),
    /// The answer to [`Output::Vote`]: the member that the arbiter votes to remove. `None` if no
    /// answer came, or it does not vote.
    Voted(Question, Option<Incarnation>),
    /// All shards of this node decide by the homes of the view with this number, or of a later one.
    /// Until all members know that of each other, no member is added or changed.
    Served(Epoch),
    /// What this node wants to become. At first: `Up`. `Leave` cannot be taken back.
    Wish(Wish),
    /// Time has passed.
    Tick,
}

/// What a node wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this to all nodes.
    Beat(Beat),
    /// Read the register.
    Read(Question),
    /// Set the register if it has this revision, or was never set.
    Cas(Question, Option<Revision>, View),
    /// Ask the arbiter for its vote in a view of two members. It votes once in a view, to remove
    /// the member that it was first asked to remove.
    Vote {
        /// The question.
        question: Question,
        /// The view.
        view: ViewId,
        /// The member that this node wants to remove.
        remove: Incarnation,
    },
    /// The view has changed, and this node is a member.
    View {
        /// The view.
        view: View,
        /// Before this moment, new homes of the slots of a removed member must not serve them: the
        /// member may still act in an older view.
        serve_after: Instant,
    },
    /// Whether this node may act.
    Lease(bool),
    /// This node is no member any more, and its sessions have to end.
    Ended(Ended),
    /// The register does not have the successor of this node's view. Somebody has to look.
    RegisterIsForeign,
    /// Nothing more until this moment, or until something happens.
    Wait(Instant),
}

/// Why a node is no member any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The others have removed it.
    Removed,
    /// It was without a lease for too long.
    Frozen,
    /// It has waited to become a member, and seen more views pass than the others remember removed
    /// nodes. They may have removed it meanwhile, and not know it any more.
    Overtaken,
    /// Another member has acknowledged nothing for too long, and the others did not remove it.
    Stalled,
    /// It has left, as it wished.
    Left,
}
