//! The links of engines, and the owner of each link.

use bytes::Bytes;
use rts_proto::LinkId;
use rts_proto::server::{Input, ShardId};
use rts_proto::wire::ResumeKey;

use super::{Happening, World};
use crate::{EngineIndex, Side};

/// A link is congested while this many bytes wait on it, until half of them are left (§2.9).
const CONGESTED_BYTES: usize = 786_432;

impl World {
    /// Reports to the server if this change of the link's waiting bytes begins or ends
    /// congestion. Returns the shard that got the report.
    pub(super) fn look_at_congestion(&mut self, link: LinkId) -> Option<ShardId> {
        let waiting_bytes = self.net.waiting_bytes(link, Side::Client);
        self.waiting_bytes_most = self.waiting_bytes_most.max(waiting_bytes);
        let was_congested = self.congested.contains(&link);
        let is_congested = match was_congested {
            true => waiting_bytes > CONGESTED_BYTES / 2,
            false => waiting_bytes >= CONGESTED_BYTES,
        };
        if is_congested == was_congested {
            return None;
        }
        match is_congested {
            true => self.congested.insert(link),
            false => self.congested.remove(&link),
        };
        let now = self.now();
        self.log.push((now, Happening::Congested(owner(link).0, is_congested)));
        self.input_of(link, Input::Congested(link, is_congested))
    }

    pub(super) fn open_link(&mut self, who: EngineIndex, own: LinkId) {
        let (now, link) = (self.now(), link_of(who, own));
        self.log.push((now, Happening::Dialled(who)));
        if self.net.refuses || self.engines[who].connects_blocked {
            self.net.refuse(now, link);
        } else {
            self.net.open(now, link);
        }
        self.hold_up(who);
    }

    /// Sends a core's frames to the other end of the link.
    pub(super) fn transmit(&mut self, link: LinkId, to: Side, frames: Bytes) {
        let now = self.now();
        let Some(middlebox) = &mut self.middlebox else {
            return self.net.write(now, link, to, frames);
        };
        for piece in middlebox.pass(owner(link).0, to, frames) {
            self.net.write(now, link, to, piece.bytes);
            if let Some(mark) = piece.mark {
                self.net.mark(link, to, mark);
            }
        }
    }

    /// Stops and starts the streams of an engine, as its state requires.
    pub(crate) fn hold_up(&mut self, who: EngineIndex) {
        let engine = &self.engines[who];
        let inbound = engine.is_stalled || engine.is_frozen || !engine.reads;
        let outbound = engine.is_stalled;
        for link in self.links(who) {
            self.net.set_stalled(link, Side::Client, inbound);
            self.net.set_stalled(link, Side::Server, outbound);
        }
    }

    /// The links of an engine, oldest first. The engine uses the newest.
    pub(crate) fn links(&self, who: EngineIndex) -> Vec<LinkId> {
        self.net.links(link_of(who, LinkId(0)), link_of(who + 1, LinkId(0)))
    }

    /// Whether the engine has a link, at either end.
    #[must_use]
    pub fn has_link(&self, who: EngineIndex) -> bool {
        !self.links(who).is_empty()
    }

    /// The resume keys of all engines' links, as a peer would have them that guessed right.
    #[must_use]
    pub fn resume_keys(&self) -> Vec<ResumeKey> {
        let links = self.net.links(LinkId(0), link_of(self.engines.len(), LinkId(0)));
        links.into_iter().map(|link| self.resume_key(link)).collect()
    }

    pub(crate) fn all_links(&self) -> Vec<LinkId> {
        self.net.links(LinkId(0), LinkId(u64::MAX))
    }
}

/// The world's number of an engine's link: the engine is in the upper half, the engine's own number
/// of the link in the lower half.
pub(crate) fn link_of(who: EngineIndex, own: LinkId) -> LinkId {
    LinkId(((who as u64) << 32) | own.0)
}

pub(crate) fn owner(link: LinkId) -> (EngineIndex, LinkId) {
    let who = usize::try_from(link.0 >> 32).expect("a place in the world");
    (who, LinkId(link.0 & u64::from(u32::MAX)))
}
