//! The links of engines, and whose they are.

use bytes::Bytes;
use rts_proto::LinkId;

use super::{Happening, World};
use crate::{Person, Side};

impl World {
    pub(super) fn open_link(&mut self, who: Person, own: LinkId) {
        let (now, link) = (self.now(), link_of(who, own));
        self.log.push((now, Happening::Dialled(who)));
        if self.net.refuses || self.people[who].is_kept_out {
            self.net.refuse(now, link);
        } else {
            self.net.open(now, link);
        }
        self.hold_up(who);
    }

    /// A core's frames, on their way to the other end of the link.
    pub(super) fn transmit(&mut self, link: LinkId, to: Side, frames: Bytes) {
        let said = match self.newer.as_mut().filter(|newer| newer.side != to) {
            None => vec![(frames, None)],
            Some(newer) => newer.say(frames),
        };
        let now = self.now();
        for (bytes, unknown) in said {
            let bytes = match &mut self.flips {
                None => bytes,
                Some(flips) => flips.pass(owner(link).0, bytes),
            };
            self.net.write(now, link, to, bytes);
            if let Some(unknown) = unknown {
                self.net.mark(link, to, unknown);
            }
        }
    }

    /// Stops and starts the streams of an engine, as its state wants.
    pub(crate) fn hold_up(&mut self, who: Person) {
        let person = &self.people[who];
        let inbound = person.is_stalled || person.is_frozen || !person.reads;
        let outbound = person.is_stalled;
        for link in self.links(who) {
            self.net.set_stalled(link, Side::Client, inbound);
            self.net.set_stalled(link, Side::Server, outbound);
        }
    }

    /// The links of an engine, oldest first: the newest is the one that it uses.
    pub(crate) fn links(&self, who: Person) -> Vec<LinkId> {
        self.net.links(link_of(who, LinkId(0)), link_of(who + 1, LinkId(0)))
    }

    pub(crate) fn links_of_engines(&self) -> Vec<LinkId> {
        self.net.links(LinkId(0), link_of(self.people.len(), LinkId(0)))
    }

    pub(crate) fn all_links(&self) -> Vec<LinkId> {
        self.net.links(LinkId(0), LinkId(u64::MAX))
    }
}

/// Engines number their own links; in the world a link has its engine in its upper half.
pub(crate) fn link_of(who: Person, own: LinkId) -> LinkId {
    LinkId(((who as u64) << 32) | own.0)
}

pub(crate) fn owner(link: LinkId) -> (Person, LinkId) {
    let who = usize::try_from(link.0 >> 32).expect("a place in the world");
    (who, LinkId(link.0 & u64::from(u32::MAX)))
}
