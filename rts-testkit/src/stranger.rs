//! Strangers: peers without an engine, whose bytes the test writes itself.

use bytes::Bytes;
use rts_proto::LinkId;

use crate::net::{Arrival, Side};
use crate::world::{link_of, owner};
use crate::{EngineIndex, World};

/// The number of the first stranger.
const FIRST: EngineIndex = 1 << 31;

/// The bytes that a stranger received, and whether its link has ended.
#[derive(Debug, Default)]
pub(crate) struct Stranger {
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_over: bool,
}

impl World {
    /// Opens a link of a stranger.
    pub fn stranger(&mut self) -> LinkId {
        let link = link_of(FIRST + self.strangers.len(), LinkId(1));
        self.strangers.push(Stranger::default());
        let now = self.now();
        self.net.open(now, link);
        link
    }

    /// Writes bytes to the server on a stranger's link.
    pub fn say(&mut self, link: LinkId, bytes: Bytes) {
        let now = self.now();
        self.net.write(now, link, Side::Server, bytes);
    }

    /// Closes a stranger's link.
    pub fn hang_up(&mut self, link: LinkId) {
        let now = self.now();
        self.net.close(now, link, Side::Client);
    }

    /// All bytes that the server wrote to a stranger.
    #[must_use]
    pub fn received(&self, link: LinkId) -> &[u8] {
        self.strangers.get(owner(link).0 - FIRST).map_or(&[], |stranger| &stranger.bytes)
    }

    /// Whether the server closed a stranger's link.
    #[must_use]
    pub fn is_hung_up(&self, link: LinkId) -> bool {
        self.strangers.get(owner(link).0 - FIRST).is_none_or(|stranger| stranger.is_over)
    }

    /// Whether a number in a [`Happening`](crate::Happening) is a stranger's.
    #[must_use]
    pub fn is_stranger(who: EngineIndex) -> bool {
        who >= FIRST
    }

    pub(crate) fn stranger_received(&mut self, who: EngineIndex, arrival: Arrival) {
        let Some(stranger) = self.strangers.get_mut(who - FIRST) else { return };
        match arrival {
            Arrival::Open | Arrival::Marked(_) => {}
            Arrival::Bytes(bytes) => stranger.bytes.extend_from_slice(&bytes),
            Arrival::End => stranger.is_over = true,
        }
    }
}
