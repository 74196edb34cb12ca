//! What connects a shard with the other nodes of its cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rts_proto::Instant;
use rts_proto::server::{Entry, Input, ShardId};

use crate::server::hooks::SendToNodes;
use crate::server::mesh::Outside;

/// The way from a shard to the other nodes of the cluster, and back. Lives under the shard's lock.
pub(crate) struct InCluster {
    nodes: Arc<dyn SendToNodes>,
    outside: Arc<Outside>,
    served: Arc<Served>,
    /// The last value that this shard has reported.
    own_served: Option<u64>,
}

impl InCluster {
    pub(crate) fn new(
        nodes: Arc<dyn SendToNodes>,
        outside: Arc<Outside>,
        served: Arc<Served>,
    ) -> Self {
        Self { nodes, outside, served, own_served: None }
    }

    pub(crate) fn send(&self, from: ShardId, to: ShardId, entries: Vec<Entry>, now: Instant) {
        self.nodes.send(from, to, entries, now);
    }

    /// Takes inputs, up to the bound of a turn. Returns whether there are more.
    pub(crate) fn take(&self, into: &mut impl FnMut(Input)) -> bool {
        self.outside.take(into)
    }

    /// The shard serves the table of this epoch. If it is the last one that does, the embedder
    /// learns it.
    pub(crate) fn serves(&mut self, own: ShardId, epoch: Option<u64>) {
        if self.own_served == epoch {
            return;
        }
        self.own_served = epoch;
        if let Some(epoch) = self.served.set(own, epoch.unwrap_or(NOTHING)) {
            self.nodes.all_serve(epoch);
        }
    }
}

/// The epochs of tables begin with 1.
const NOTHING: u64 = 0;

/// Which tables the shards of a node serve.
#[derive(Debug)]
pub(crate) struct Served {
    shards: Vec<AtomicU64>,
    /// The greatest epoch that all shards serve, or later ones.
    all: AtomicU64,
}

impl Served {
    pub(crate) fn new(shards: usize) -> Self {
        let shards = (0..shards).map(|_| AtomicU64::new(NOTHING)).collect();
        Self { shards, all: AtomicU64::new(NOTHING) }
    }

    /// Returns the epoch that all shards serve from now on, or later ones.
    fn set(&self, shard: ShardId, epoch: u64) -> Option<u64> {
        self.shards[shard.number()].store(epoch, Ordering::SeqCst);
        let of_all = self.shards.iter().map(|shard| shard.load(Ordering::SeqCst)).min()?;
        (self.all.fetch_max(of_all, Ordering::SeqCst) < of_all).then_some(of_all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoch_is_served_when_the_last_shard_serves_it() {
        let shard = |number| ShardId::new(number).expect("valid");
        let served = Served::new(2);
        assert_eq!(served.set(shard(0), 1), None);
        assert_eq!(served.set(shard(1), 1), Some(1));
        assert_eq!(served.set(shard(1), 2), None);
        assert_eq!(served.set(shard(1), 3), None);
        assert_eq!(served.set(shard(0), 3), Some(3), "the second one was left out");
        assert_eq!(served.set(shard(0), 3), None);
    }
}
