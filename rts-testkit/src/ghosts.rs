//! Links that go on sending after their end.

use bytes::Bytes;
use rts_proto::{LinkId, client, server};

use crate::net::Side;
use crate::world::{World, owner};

/// The number of ended links that are remembered.
const GHOSTS_MAX: usize = 8;

impl World {
    /// Remembers a link that the core at this side gave up, or was told of as down.
    pub(crate) fn remember_ghost(&mut self, side: Side, link: LinkId) {
        if self.habits.is_haunted {
            self.ghosts.push_back((side, link));
            if self.ghosts.len() > GHOSTS_MAX {
                self.ghosts.pop_front();
            }
        }
    }

    /// Lets every remembered link send one more frame.
    pub(crate) fn haunt(&mut self) {
        let now = self.now();
        // A Logout, a Close, and an empty frame.
        let words = [&b"\x03\x82\x02\x00"[..], b"\x05\x8a\x02\x02\x08\x07", b"\x00"];
        for (side, link) in self.ghosts.clone() {
            let (who, own) = owner(link);
            for word in words.map(Bytes::from_static) {
                if side == Side::Server {
                    self.server.handle_input(now, server::Input::Received(link, word));
                } else if !self.people[who].is_frozen {
                    self.people[who].handle(now, client::Input::Received(own, word));
                }
            }
            if side == Side::Server {
                self.server.handle_input(now, server::Input::Disconnected(link));
                self.drain_server();
            } else if !self.people[who].is_frozen {
                self.people[who].handle(now, client::Input::Connected(own));
                self.people[who].handle(now, client::Input::Disconnected(own));
                self.drain_person(who);
            }
        }
    }
}
