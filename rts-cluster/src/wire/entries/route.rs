//! The shards at both ends of the way of entries.

use bytes::Bytes;
use prost::Message as _;

use super::super::generated as proto;
use super::super::packet::WireError;
use crate::limits::SHARDS_MAX;

/// The shard that sends entries, and the shard of the other node that they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    from: u8,
    to: u8,
}

impl Route {
    /// From a shard with this number in its node to one with this number in the other node. `None`
    /// if a node cannot have it.
    #[must_use]
    pub fn new(from: u8, to: u8) -> Option<Self> {
        (from.max(to) < SHARDS_MAX).then_some(Self { from, to })
    }

    /// The number of the sender in its node.
    #[must_use]
    pub fn from(self) -> u8 {
        self.from
    }

    /// The number of the receiver in its node.
    #[must_use]
    pub fn to(self) -> u8 {
        self.to
    }

    /// Reads the route of encoded entries, and none of the entries.
    ///
    /// # Errors
    ///
    /// No correct node sends these bytes.
    pub fn read(entries: &Bytes) -> Result<Self, WireError> {
        let route = proto::Route::decode(&entries[..]).map_err(|_| WireError::Malformed)?;
        Self::checked(route.from_shard, route.to_shard)
    }

    pub(super) fn checked(from: u32, to: u32) -> Result<Self, WireError> {
        let shard = |number: u32| u8::try_from(number).unwrap_or(u8::MAX);
        Self::new(shard(from), shard(to)).ok_or(WireError::Invalid("shard"))
    }
}
