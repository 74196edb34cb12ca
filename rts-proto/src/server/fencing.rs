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
        for over in self.fences.take_over() {
            match over {
                BehindFence::Session(number) => self.session_fenced(number),
                BehindFence::Release(app_id, uid) => {
                    if let Some(release) = self.shared.grants.end_release(&app_id, &uid) {
                        self.send_release(&app_id, &uid, release);
                    }
                }
            }
        }
    }
}
