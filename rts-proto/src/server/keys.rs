//! What parts of a shard call a session, and what they say to each other about messages.

use crate::slab;
use crate::{BroadcastCode, MessageId, RoomId, SendCode};

/// Finds a session in its shard. Its number is what clients call the session.
pub(super) type SessionNumber = slab::Key;

/// The send that a delivery came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) session: SessionNumber,
    pub(super) id: MessageId,
}

/// A result on its way to its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Send(SendCode, MessageId),
    Broadcast(RoomId, BroadcastCode, MessageId),
}
