//! A node of a cluster.

use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use rts_engine::Clock;
use rts_proto::Instant;
use rts_proto::server::{Command, Input, Server, ShardId, Shards as _};

use super::Node;
use crate::runtime::Runtime;
use crate::server::hooked_core::HookedCore;
use crate::server::hooks::{Authenticate, PostToAppServer, SendToNodes};
use crate::server::in_cluster::{InCluster, Served};
use crate::server::lease::NodeClock;
use crate::server::mesh::Outside;
use crate::server::shared::{Common, Shared};

/// In a cluster, a node acts only while it has a lease: else it is frozen. A frozen node reads no
/// link, writes nothing, takes no entries and makes no posts, and its clock stands still. It still
/// accepts links, and does the handshakes of those that have not logged in. Each turn of each shard
/// checks the lease itself, so a late renewal freezes the node. A node is frozen at first.
///
/// The methods below are for nodes of a cluster. Others never freeze, and ignore what they get.
impl<R: Runtime> Node<R> {
    /// Creates a node of a cluster, without links. The configuration of its cores says which node
    /// it is, and has a table of homes. `nodes` carries entries to the other nodes.
    ///
    /// # Panics
    ///
    /// As [`with_poster`](Self::with_poster).
    #[must_use]
    pub fn in_cluster(
        servers: Vec<Server>,
        authenticator: Arc<dyn Authenticate>,
        poster: Arc<dyn PostToAppServer>,
        nodes: Arc<dyn SendToNodes>,
    ) -> Self {
        Self::in_cluster_with(Clock::start(), servers, &authenticator, &poster, &nodes)
    }

    pub(super) fn in_cluster_with(
        clock: Clock,
        servers: Vec<Server>,
        authenticator: &Arc<dyn Authenticate>,
        poster: &Arc<dyn PostToAppServer>,
        nodes: &Arc<dyn SendToNodes>,
    ) -> Self {
        Self::check_placements(&servers);
        let common = Common::with_clock(NodeClock::leased(clock));
        let served = Arc::new(Served::new(servers.len()));
        let shard = |server| {
            let mut core = HookedCore::new(server, Arc::clone(authenticator), Arc::clone(poster));
            let outside = Arc::new(Outside::default());
            core.join_cluster(InCluster::new(
                Arc::clone(nodes),
                Arc::clone(&outside),
                Arc::clone(&served),
            ));
            Arc::new(Shared::new(core, common.clone(), Some(outside)))
        };
        Self::of(servers.into_iter().map(shard).collect())
    }

    /// Whether it was made with [`in_cluster`](Self::in_cluster).
    #[must_use]
    pub fn is_in_cluster(&self) -> bool {
        self.first().outside.is_some()
    }

    /// Gives a shard of this node an input of the cluster, behind all earlier ones:
    /// [`Input::Peer`] of a shard of another node, [`Input::PeerCongested`] about one, or
    /// [`Input::HomesChanged`]. It waits for a turn of the shard.
    pub fn receive(&self, shard: ShardId, input: Input) {
        if let Some(shard) = self.inner.shards.get(shard.number()) {
            shard.put(input);
        }
    }

    /// Whether all shards keep up with what comes from other nodes. While one does not, no more
    /// entries should be [received](Self::receive), and none acknowledged.
    #[must_use]
    pub fn keeps_up(&self) -> bool {
        let mut outsides = self.inner.shards.iter().filter_map(|shard| shard.outside.as_ref());
        outsides.all(|outside| !outside.is_full())
    }

    /// The node may act before this moment, and is frozen from then on. `None`: it is frozen at
    /// once, apart from turns that have begun. The latest call counts.
    pub fn set_lease(&self, until: Option<StdInstant>) {
        let clock = &self.first().common.clock;
        let now = clock.system_now();
        // The clock of the system is read last, so the lease is not too long.
        let left = until.map(|until| until.saturating_duration_since(StdInstant::now()));
        self.set_lease_until(now + left.unwrap_or_default());
    }

    /// The moment is one of the system's clock, as the clock of the shards counts it.
    pub(super) fn set_lease_until(&self, until: Instant) {
        if self.first().common.clock.set_lease(until) {
            self.wake_all();
        }
    }

    /// Whether the node may act at this moment. Always, without a cluster.
    #[must_use]
    pub fn may_act(&self) -> bool {
        !self.first().is_frozen()
    }

    /// Empties the node step by step, so that its users go on at other nodes: see
    /// [`Server::drain`]. `links_max` is for all shards together. Returns the number of closed
    /// links that had logged in.
    pub fn drain(&self, links_max: usize, retry_after_max: Duration) -> usize {
        self.commands().drain(links_max, retry_after_max)
    }

    /// Ends a [`drain`](Self::drain): takes new links again.
    pub fn reopen(&self) {
        self.commands().command(Command::Reopen);
    }

    /// The number of sessions, also of those without a link.
    #[must_use]
    pub fn sessions(&self) -> usize {
        self.commands().sessions()
    }

    /// The present moment of the clock of the shards.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.first().common.clock.now()
    }

    /// The moment of the clock of the shards that comes with this one of the system, or later if
    /// the node freezes before.
    #[must_use]
    pub fn moment(&self, of_system: StdInstant) -> Instant {
        self.first().common.clock.of_std(of_system)
    }
}
