//! What a node says to all others, twice a second.

use crate::view::{Incarnation, Member, MemberState, View, ViewRef};

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

impl Change {
    /// The members of a view after this change.
    pub(super) fn applied(&self, view: &View) -> Vec<Member> {
        let mut members = view.members().to_vec();
        match self {
            Self::Add(member) => members.push(member.clone()),
            Self::Remove(node) => members.retain(|member| member.incarnation != *node),
            Self::Set(node, state) => {
                for member in members.iter_mut().filter(|member| member.incarnation == *node) {
                    member.state = *state;
                }
            }
        }
        members
    }
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
    pub view: Option<ViewRef>,
    /// Whether it knows that no other view than its own can follow the one before.
    pub is_settled: bool,
    /// Whether all its shards decide by the homes of this view. A member is added or changed only
    /// after all members say so.
    pub is_served: bool,
    /// The number of this beat. Later beats have greater ones.
    pub number: u64,
    /// What it wants to become.
    pub wish: Wish,
    /// The last beat that it heard of each node that it grants. They count in its view only.
    pub echoes: Vec<Echo>,
    /// The changes that it votes for in its view.
    pub votes: Vec<Change>,
    /// Nodes whose process has ended for certain.
    pub dead: Vec<Incarnation>,
    /// The clock of the cluster as the node knows it, in microseconds of Unix time.
    pub clock: u64,
}
