//! Begins and ends [fences](super::fences).

use alloc::vec::Vec;

use super::fences::BehindFence;
use super::io::Entry;
use super::placement::ShardId;
use super::shard::Server;

impl Server {
    /// Goes on with all whose fence is over, and begins the next fence, if one is needed.
    pub(super) fn go_on_with_fences(&mut self) {
        self.end_fence();
        let own = self.shared.config.placement.own();
        let others: Vec<ShardId> =
            self.shared.homes.shards().into_iter().filter(|shard| *shard != own).collect();
        while let Some(fence) = self.fences.begin(others.iter().copied()) {
            for shard in &others {
                self.shared.send_to_shard(*shard, Entry::Fence(fence));
            }
            self.end_fence();
        }
    }

    fn end_fence(&mut self) {
        let over = self.fences.take_over();
        if over.is_empty() {
            return;
        }
        // A former home hands over when it owes nothing more.
        self.shared.homes.look_again();
        for over in over {
            match over {
                BehindFence::Session(number) => self.session_fenced(number),
                BehindFence::Release(app_id, uid) => {
                    if let Some(release) = self.shared.grants.end_release(&app_id, &uid) {
                        self.send_release(&app_id, &uid, release);
                    }
                }
                BehindFence::Broadcast(session, room, id) => {
                    self.broadcast_accepted(session, room, id);
                }
                BehindFence::Answer(session, entry) => self.shared.answer_session(session, entry),
                BehindFence::Response(response) => {
                    let (on_way, response) = *response;
                    self.respond(&on_way, response);
                }
            }
        }
    }
}
