//! The membership of a room handle.

use crate::Instant;

/// ```text
///          join            answer 0            leave
/// Created ------> Joining ----------> Joined --------> Leaving
///    ^               |                  |                 |
///    +---------------+------------------+-----------------+  refused, forced out, left
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Created,
    /// `ticket` is the one of the newest Join frame. `again` is set when the room was joined before
    /// the session was lost.
    Joining {
        ticket: u64,
        since: Instant,
        again: bool,
    },
    Joined,
    /// `was_joined` is false when the join was not answered yet. `then_join` is set when `join` was
    /// called meanwhile.
    Leaving {
        ticket: u64,
        was_joined: bool,
        then_join: Option<Instant>,
    },
}

impl Phase {
    /// Whether the room counts among the engine's rooms. A room that is being left does not: the
    /// Leave reaches the server before a later Join.
    pub(super) fn is_entered(self) -> bool {
        match self {
            Self::Created => false,
            Self::Joining { .. } | Self::Joined => true,
            Self::Leaving { then_join, .. } => then_join.is_some(),
        }
    }

    /// Whether the handle may broadcast in its room. It may also while it joins again.
    pub(super) fn may_broadcast(self) -> bool {
        matches!(self, Self::Joined | Self::Joining { again: true, .. })
    }

    /// Whether the handle receives the room's messages and notices.
    pub(super) fn is_receiving(self) -> bool {
        matches!(self, Self::Joined | Self::Leaving { was_joined: true, .. })
    }
}

/// The membership of a room handle, as applications see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// Not in the room.
    Out,
    /// A join waits for its answer, or for the end of a leave.
    Joining,
    /// In the room. While it is joined again after a reconnect, it is [`Joining`](Self::Joining).
    Joined,
    /// A leave waits for its answer.
    Leaving,
}

impl From<Phase> for Membership {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Created => Self::Out,
            Phase::Joining { .. } | Phase::Leaving { then_join: Some(_), .. } => Self::Joining,
            Phase::Joined => Self::Joined,
            Phase::Leaving { then_join: None, .. } => Self::Leaving,
        }
    }
}
