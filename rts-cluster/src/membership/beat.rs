//! What a node says to all others, twice a second.

use crate::view::{Epoch, Incarnation, Member, MemberState};

/// What a node wants to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A member in this state.
    Be(MemberState),
    /// No member: it has nothing left to do.
    Leave,
}

/// A change of a view. A view differs from the one before it by one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A node becomes a member.
    Add(Member),
    /// A member is one no longer.
    Remove(Incarnation),
    /// A member's state changes.
    Set(Incarnation, MemberState),
}

/// An answer to a beat. While the sender of the answer repeats it, and for a while after, it does
/// not vote to remove the other node: the answer is a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// The node whose beat it was.
    pub of: Incarnation,
    /// The number of the beat.
    pub number: u64,
}

/// A beat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The node, as it is or wants to be a member.
    pub node: Member,
    /// Its view; `None` if it is no member yet.
    pub epoch: Option<Epoch>,
    /// The number of this beat. Later beats have greater ones.
    pub number: u64,
    /// What it wants to become.
    pub wish: Wish,
    /// The last beat that it heard of each node that it grants. They count in its epoch only.
    pub echoes: Vec<Echo>,
    /// The changes that it votes for in its epoch.
    pub votes: Vec<Change>,
    /// Nodes whose process has ended for certain.
    pub dead: Vec<Incarnation>,
}
