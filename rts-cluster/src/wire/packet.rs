//! One message of the bus.

use crate::membership::Beat;
use crate::trunk;
use crate::view::{ClusterName, Incarnation};

/// One message of the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The cluster of its sender.
    pub cluster: ClusterName,
    /// The node that sent it.
    pub from: Incarnation,
    /// The node that it is for; `None` for all.
    pub to: Option<Incarnation>,
    /// What it contains.
    pub kind: Kind,
}

/// What a packet contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A beat.
    Beat(Beat),
    /// A packet of a trunk.
    Trunk(trunk::Packet),
}

/// Bytes that no correct node sends, and a register that no correct node has set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes are no protobuf message of this kind.
    #[error("it is not encoded as the bus demands")]
    Malformed,
    /// A value is missing or out of its range.
    #[error("its {0} is invalid")]
    Invalid(&'static str),
}
