//! How the home of a user decides which shard of a cluster has the user's session.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::deliveries::Deliveries;
use super::request::RequestOnWay;
use crate::server::keys::SessionNumber;
use crate::server::placement::ShardId;
use crate::wire::ResumeKey;
use crate::{LoginId, RoomId, UserId};

/// The number of a grant of a user. Of the grants of one user a later one is greater, also if the
/// user's home has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tenure(pub u64);

/// An entry about the owner of a user: the shard that has the user's session, or may begin one.
///
/// ```text
///     shard of a login            home of the user            owner
///            | Ask                       |                       |
///            |-------------------------->| Revoke                |
///            |                           |---------------------->|
///            |                           |       Release or Keep |
///            |            Grant or Deny  |<----------------------|
///            |<--------------------------|
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Ownership {
    /// To the home: a login asks for the user. A shard that has not released the user, or has not
    /// got an answer, asks again only if a home is gone.
    Ask {
        /// The user.
        uid: UserId,
        /// The login.
        candidate: Candidate,
    },
    /// To the shard of the login: it owns the user. All its logins of the user go on.
    Grant {
        /// The user.
        uid: UserId,
        /// The number of the grant.
        tenure: Tenure,
        /// What is left of the user's sessions.
        left: LeftBehind,
    },
    /// To the shard of the login: another shard keeps the user.
    Deny {
        /// The user.
        uid: UserId,
        /// The login that has asked.
        login: LoginId,
        /// Why.
        denial: Denial,
    },
    /// To the owner: another login asks for the user.
    Revoke {
        /// The user.
        uid: UserId,
        /// The grant.
        tenure: Tenure,
        /// What decides between the login and the present session.
        login: AskedLogin,
        /// The login resumes the present session, and gets it or is denied.
        resume: Option<Box<AskedResume>>,
    },
    /// To the home: the owner has no session of the user any more. Or, from the shard of a login
    /// that resumes the session: it has the session now.
    Release {
        /// The user.
        uid: UserId,
        /// The grant.
        tenure: Tenure,
        /// What is left of the user's sessions.
        left: LeftBehind,
        /// The login that has the session, if it moved.
        next: Option<(ShardId, LoginId)>,
    },
    /// To the home: the owner denies the login for which the user was revoked.
    Keep {
        /// The user.
        uid: UserId,
        /// The grant.
        tenure: Tenure,
        /// Why.
        denial: Denial,
    },
}

/// A login that asks for a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Candidate {
    /// The shard of the login.
    pub shard: ShardId,
    /// Its number in that shard.
    pub login: LoginId,
    /// What decides between the login and the present session.
    pub asked: AskedLogin,
    /// The login resumes the present session. It is granted the user only with that session.
    pub resume: Option<Box<AskedResume>>,
}

/// What decides between a good login and the present session of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AskedLogin {
    /// The engine that logs in; 0 if it has no number (§3.8).
    pub engine: u64,
    /// The number of its attempt.
    pub attempt: u64,
    /// The claim of the login that it continues; 0 for a new one (§3.4).
    pub claim: u64,
    /// The claim that a new login would have.
    pub clock: u64,
}

/// What a login shows of the session that it resumes.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AskedResume {
    /// The key.
    #[cfg_attr(feature = "serde", serde(with = "key"))]
    pub key: ResumeKey,
    /// The number of frames that the client has.
    pub received: u64,
    /// The number that the session will have in the shard of the login.
    pub next: SessionNumber,
}

/// Why a login is denied a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Denial {
    /// A later login of the same engine is here (§3.8).
    Overtaken,
    /// It continues a login that a later one has displaced (§3.4).
    Displaced,
    /// No greater claim exists than that of the present session.
    NoGreaterClaim,
    /// The session cannot be resumed, or has ended. The login may go on as a fresh one.
    NotResumed,
    /// The app's back end has put the session out (§3.10).
    PutOut,
}

/// What a session leaves behind for the next one of its user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LeftBehind {
    /// The claim of a session that another login has displaced.
    pub displaced: Option<u64>,
    /// Rooms in which a membership waits for the user (§6.9), and how often each is counted.
    pub orphans: Vec<(RoomId, u32)>,
    /// What is used up of the user's rates (§8.3).
    pub used: Option<Box<UsedRates>>,
}

/// What is used up of each rate of a user, in millionths of an event or of a byte: of sends,
/// broadcasts, messages to the app server, params for them, status queries, joins, and bytes of
/// lists of members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UsedRates(pub [u64; 7]);

/// What the home of a user passes on to the user's owner.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum PassedOn {
    /// [`Entry::Deliver`](super::Entry::Deliver).
    Deliver(Deliveries),
    /// [`Entry::QueryStatus`](super::Entry::QueryStatus).
    QueryStatus {
        /// The session that asks.
        session: SessionNumber,
        /// The client's number of the question.
        query: u64,
        /// The user.
        uid: UserId,
    },
    /// [`Entry::Orphan`](super::Entry::Orphan).
    Orphan {
        /// The room.
        room: RoomId,
        /// The member.
        uid: UserId,
        /// Whether it waits now.
        waits: bool,
    },
    /// [`Entry::Request`](super::Entry::Request).
    Request(Box<RequestOnWay>),
}

/// Shows no key.
impl fmt::Debug for AskedResume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskedResume")
            .field("received", &self.received)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Ownership {
    /// The bytes of its names and lists.
    pub(super) fn more_bytes(&self) -> usize {
        match self {
            Self::Ask { uid, candidate } => uid.as_str().len() + candidate.more_bytes(),
            Self::Revoke { uid, resume, .. } => uid.as_str().len() + bytes_of(resume),
            Self::Deny { uid, .. } | Self::Keep { uid, .. } => uid.as_str().len(),
            Self::Grant { uid, left, .. } | Self::Release { uid, left, .. } => {
                uid.as_str().len() + left.bytes()
            }
        }
    }
}

impl Candidate {
    /// The bytes of its box.
    pub(super) fn more_bytes(&self) -> usize {
        bytes_of(&self.resume)
    }
}

fn bytes_of(resume: &Option<Box<AskedResume>>) -> usize {
    resume.as_ref().map_or(0, |_| size_of::<AskedResume>())
}

impl LeftBehind {
    pub(super) fn bytes(&self) -> usize {
        let names = self.orphans.iter().map(|(room, _)| room.as_str().len());
        let rates = self.used.as_ref().map_or(0, |_| size_of::<UsedRates>());
        self.orphans.capacity() * size_of::<(RoomId, u32)>() + names.sum::<usize>() + rates
    }
}

impl PassedOn {
    /// The number of messages, or 1.
    pub(super) fn counts_as(&self) -> usize {
        match self {
            Self::Deliver(deliveries) => deliveries.len(),
            Self::QueryStatus { .. } | Self::Orphan { .. } | Self::Request(_) => 1,
        }
    }

    /// Its memory.
    pub(in crate::server) fn size(&self) -> usize {
        size_of::<Self>() + self.more_bytes()
    }

    /// The memory of messages that are passed on.
    pub(in crate::server) fn size_of(deliveries: &Deliveries) -> usize {
        size_of::<Self>() + deliveries.bytes()
    }

    /// The bytes of its messages and names.
    pub(super) fn more_bytes(&self) -> usize {
        match self {
            Self::Deliver(deliveries) => deliveries.bytes(),
            Self::QueryStatus { uid, .. } => uid.as_str().len(),
            Self::Orphan { room, uid, .. } => room.as_str().len() + uid.as_str().len(),
            Self::Request(request) => request.more_bytes(),
        }
    }
}

/// Keys as plain bytes.
#[cfg(feature = "serde")]
pub(super) mod key {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::wire::ResumeKey;

    pub(in crate::server::io) fn serialize<S: Serializer>(
        key: &ResumeKey,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        key.0.serialize(to)
    }

    pub(in crate::server::io) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<ResumeKey, D::Error> {
        Ok(ResumeKey(<[u8; 16]>::deserialize(from)?))
    }
}
