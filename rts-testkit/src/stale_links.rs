//! Links that send after their end.

use bytes::Bytes;
use rts_proto::{LinkId, client, server};

use crate::net::Side;
use crate::world::{World, owner};

/// The number of ended links that are remembered.
const STALE_LINKS_MAX: usize = 8;

impl World {
    /// Remembers a link that the core at this side gave up, or that was reported to it as down.
    pub(crate) fn remember_stale_link(&mut self, side: Side, link: LinkId) {
        if self.driver_options.stale_links_send {
            self.stale_links.push_back((side, link));
            if self.stale_links.len() > STALE_LINKS_MAX {
                self.stale_links.pop_front();
            }
        }
    }

    /// Sends one more frame of each kind on every remembered link.
    pub(crate) fn send_on_stale_links(&mut self) {
        let now = self.now();
        // A Logout, a Close, and an empty frame.
        let frames = [&b"\x03\x82\x02\x00"[..], b"\x05\x8a\x02\x02\x08\x07", b"\x00"];
        for (side, link) in self.stale_links.clone() {
            let (who, own) = owner(link);
            for frame in frames.map(Bytes::from_static) {
                if side == Side::Server {
                    let received = server::Input::Received(link, frame);
                    self.give_every_shard(&received);
                } else if !self.engines[who].is_frozen {
                    self.engines[who].handle(now, client::Input::Received(own, frame));
                }
            }
            if side == Side::Server {
                self.give_every_shard(&server::Input::Disconnected(link));
                self.node.ids().for_each(|shard| self.drain_shard(shard));
            } else if !self.engines[who].is_frozen {
                self.engines[who].handle(now, client::Input::Connected(own));
                self.engines[who].handle(now, client::Input::Disconnected(own));
                self.drain_engine(who);
            }
        }
    }
    fn give_every_shard(&mut self, input: &server::Input) {
        self.node.ids().for_each(|shard| self.input(shard, input.clone()));
    }
}
