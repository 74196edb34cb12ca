//! The encoding of what goes over the bus and into the register. `proto/rts/bus/v1/bus.proto`.
//!
//! Only this module uses the protobuf types. Decoding checks every value.

pub mod entries;
mod from;
mod into;
mod packet;

use bytes::Bytes;
use prost::Message as _;

use crate::view::View;
pub use packet::{Kind, Packet, WireError};

mod generated {
    #![allow(missing_docs, unreachable_pub)]
    include!("generated.rs");
}

/// The version of the protocol between nodes. Nodes of two versions that follow each other form one
/// cluster, so that it can be upgraded node by node.
///
/// A version skips kinds of packets and of entries that it does not know, and leaves unknown fields
/// out. So the next one may add both, if nothing is wrong when they are skipped. What must not be
/// skipped, such as an entry that asks for an answer, may be sent only when each member of the view
/// has the version that knows it. An unknown value of an enum is refused with its whole packet, so
/// the same holds for it. A member that writes the next view drops the fields of a view that it
/// does not know.
pub const VERSION: u16 = 1;

impl Packet {
    /// The bytes for the bus.
    #[must_use]
    pub fn encode(self) -> Bytes {
        encoded(&generated::Packet::from(self))
    }

    /// Reads a message of the bus. `None` for a kind that this version does not know.
    ///
    /// # Errors
    ///
    /// No correct node sends these bytes.
    pub fn decode(bytes: Bytes) -> Result<Option<Self>, WireError> {
        let packet = generated::Packet::decode(bytes).map_err(|_| WireError::Malformed)?;
        from::packet(packet)
    }
}

impl View {
    /// The bytes for the register.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        encoded(&generated::View::from(self))
    }

    /// Reads the value of the register.
    ///
    /// # Errors
    ///
    /// No correct node sets these bytes.
    pub fn decode(bytes: Bytes) -> Result<Self, WireError> {
        let view = generated::View::decode(bytes).map_err(|_| WireError::Malformed)?;
        from::view(view)
    }
}

/// A `Vec` of the exact size becomes `Bytes` without a copy.
fn encoded(message: &impl prost::Message) -> Bytes {
    message.encode_to_vec().into()
}

#[cfg(test)]
mod tests;
