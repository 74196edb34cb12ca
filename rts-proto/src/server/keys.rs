//! Keys of sessions and messages that the parts of a shard exchange.

use crate::slab;
use crate::{BroadcastCode, MessageId, RoomId, SendCode};

/// Identifies a session in its shard. Clients know the session by this number.
pub(super) type SessionNumber = slab::Key;

/// The send that caused a delivery.
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
