//! What a shard knows of a user or a room as its former home, for the next home of a cluster.

use alloc::vec::Vec;

use super::ownership::{Candidate, LeftBehind, PassedOn, Tenure};
use crate::server::keys::SessionNumber;
use crate::server::placement::ShardId;
use crate::{Instant, RoomId, UserId};

/// How far a shard is with a change of the homes of a cluster. All shards have to take a step
/// before one of them takes the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum HomesStep {
    /// What it sends from now on is addressed by the next table.
    Switched,
    /// It has sent all that it knew as a former home, and decides no more as one.
    HandedOver,
    /// All that former homes have sent has arrived.
    Settled,
}

/// What a next home has to know. It comes from a former home. If that one is gone, it comes from
/// the shards that have the user or the members.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Moved {
    /// A user.
    User {
        /// The user.
        uid: UserId,
        /// Absent if no shard owns the user.
        owner: Option<MovedOwner>,
        /// What is left of the user's sessions.
        left: LeftBehind,
    },
    /// What waits until it is decided who owns the user, behind [`User`](Self::User).
    Held(PassedOn),
    /// Members of a room. A large room comes in several parts.
    Members {
        /// The room.
        room: RoomId,
        /// What is used up of its rate of broadcasts, in millionths of a broadcast.
        used: u64,
        /// The members.
        members: Vec<(UserId, MovedMember)>,
    },
}

/// The owner of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MovedOwner {
    /// The owner.
    pub shard: ShardId,
    /// Its grant.
    pub tenure: Tenure,
    /// The logins that ask for the user, in their order, at most one of a shard. The owner was
    /// asked to release the user for the first one.
    pub candidates: Vec<Candidate>,
}

/// A member of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum MovedMember {
    /// With this session.
    Here(SessionNumber),
    /// It waits until this moment for the user's next session.
    WaitsUntil(Instant),
}

impl Moved {
    /// The number of messages, or 1.
    pub(super) fn counts_as(&self) -> usize {
        match self {
            Self::Held(passed_on) => passed_on.counts_as(),
            Self::User { .. } | Self::Members { .. } => 1,
        }
    }

    /// The bytes of its names and lists.
    pub(super) fn more_bytes(&self) -> usize {
        match self {
            Self::User { uid, owner, left } => {
                let candidates = owner.iter().flat_map(|owner| &owner.candidates);
                let asked = candidates.map(|asked| size_of::<Candidate>() + asked.more_bytes());
                uid.as_str().len() + asked.sum::<usize>() + left.bytes()
            }
            Self::Held(passed_on) => passed_on.more_bytes(),
            Self::Members { room, members, .. } => {
                let names = members.iter().map(|(uid, _)| uid.as_str().len()).sum::<usize>();
                room.as_str().len() + size_of_val(members.as_slice()) + names
            }
        }
    }
}
