//! How far a session is on its way to another shard of a cluster, or from one.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::deadlines::Deadline;
use super::io::{AskedResume, Candidate, MovedFrames, MovedPost, MovedSession};
use super::keys::SessionNumber;
use super::placement::ShardId;
use crate::RoomId;

#[derive(Debug)]
pub(super) enum Moves {
    /// To the shard of a login that resumes it.
    Away(Leaving),
    /// To this shard: its number is reserved. It has only what its rooms have sent so far.
    Here(Arriving),
}

/// A session that leaves.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) resume: AskedResume,
    /// Frames that the client lacks.
    pub(super) frames_resent: u32,
    /// All that it has sent has arrived.
    pub(super) is_fenced: bool,
    /// Rooms that were told its next number.
    pub(super) told: BTreeSet<RoomId>,
    /// Those that have not answered.
    pub(super) awaited: BTreeSet<RoomId>,
    /// When it gives up, until it ends.
    pub(super) until: Option<Deadline>,
}

/// A session that arrives.
#[derive(Debug)]
pub(super) struct Arriving {
    /// Its shard, as far as this one knows, and its number there.
    pub(super) from: ShardId,
    pub(super) session: SessionNumber,
    /// The login that resumes it.
    pub(super) candidate: Candidate,
    /// Rooms that may know its next number already.
    pub(super) rooms: Vec<RoomId>,
    /// Rooms from which it was removed by force meanwhile.
    pub(super) removed: BTreeSet<RoomId>,
    pub(super) frames: Vec<MovedFrames>,
    pub(super) posts: Vec<MovedPost>,
    /// The rest of it. The session is here, and waits for the grant of its user.
    pub(super) content: Option<Box<MovedSession>>,
    /// The credentials of its login were revoked meanwhile.
    pub(super) is_revoked: bool,
}

impl Moves {
    /// The number of a session in a room: that in the next shard, if the room was told.
    pub(super) fn number_in(&self, number: SessionNumber, room: &RoomId) -> SessionNumber {
        match self {
            Self::Away(leaving) if leaving.told.contains(room) => leaving.resume.next,
            Self::Away(_) | Self::Here(_) => number,
        }
    }
}

impl Leaving {
    /// The shard to which it goes.
    pub(super) fn to(&self) -> ShardId {
        ShardId::of_session(self.resume.next)
    }
}

impl Arriving {
    pub(super) fn new(from: ShardId, session: SessionNumber, candidate: Candidate) -> Self {
        Self {
            from,
            session,
            candidate,
            rooms: Vec::new(),
            removed: BTreeSet::new(),
            frames: Vec::new(),
            posts: Vec::new(),
            content: None,
            is_revoked: false,
        }
    }
}
