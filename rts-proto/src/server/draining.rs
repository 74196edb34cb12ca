//! Emptying a shard, whose users go on at other nodes of the cluster.

use alloc::vec::Vec;
use core::time::Duration;

use super::command::Command;
use super::shard::Server;
use crate::{CloseCode, Instant};

impl Server {
    /// Empties this shard step by step. New links are turned away, as after
    /// [`shutdown`](Self::shutdown). The first step closes all links that have not logged in. Each
    /// step closes at most `links_max` others, the oldest first. Each link is given its own wait
    /// before a reconnect, from zero to `retry_after_max`. Returns the number of closed links that
    /// had logged in.
    ///
    /// Sessions stay, so that their clients can resume them.
    pub fn drain(&mut self, now: Instant, links_max: usize, retry_after_max: Duration) -> usize {
        self.begin(now, &Command::Drain { links_max, retry_after_max }).act(|server| {
            server.retry_after_max = Some(retry_after_max);
            let mut links = server.to_drain.take().unwrap_or_else(|| {
                let (mut attached, opening): (Vec<_>, Vec<_>) = server
                    .links
                    .sorted()
                    .into_iter()
                    .partition(|link| server.links.session_of(*link).is_some());
                for link in opening {
                    server.turn_away(link, CloseCode::Shutdown, retry_after_max);
                }
                attached.reverse();
                attached
            });
            let mut closed = 0;
            while closed < links_max
                && let Some(link) = links.pop()
            {
                if server.links.contains(link) {
                    server.turn_away(link, CloseCode::Shutdown, retry_after_max);
                    closed += 1;
                }
            }
            server.to_drain = Some(links);
            closed
        })
    }

    /// Ends a [`drain`](Self::drain): takes new links again. Links that are open stay.
    pub fn reopen(&mut self, now: Instant) {
        self.begin(now, &Command::Reopen).act(|server| {
            server.retry_after_max = None;
            server.to_drain = None;
        });
    }
}
