//! Keys of sessions and messages that the parts of a shard exchange.

use crate::slab;
use crate::{BroadcastCode, MessageId, RoomId, SendCode};

/// Identifies a session among all sessions of a node, and names its shard. Clients know the session
/// by this number.
pub type SessionNumber = slab::Key;

/// The send that caused a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) session: SessionNumber,
    pub(super) id: MessageId,
}

/// A result on its way to its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Outcome {
    /// Of a message to a user.
    Send(SendCode, MessageId),
    /// Of a broadcast.
    Broadcast(RoomId, BroadcastCode, MessageId),
}
