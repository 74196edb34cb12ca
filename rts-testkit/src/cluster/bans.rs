//! The bans that each node keeps, to tell them to nodes that join.

use std::collections::BTreeMap;
use std::time::Duration;

use rts_cluster::shards::ShardMap;
use rts_cluster::view::Incarnation;
use rts_proto::server::{Ban, Request, ShardId};
use rts_proto::{AppId, Instant};

use super::{Cluster, NodeIndex};

/// The number of nodes that tell a new one of the bans.
const TELLERS: usize = 2;

/// A planted bug: see `rts-proto/src/planted.rs`.
fn no_bans_are_told() -> bool {
    #[cfg(rts_planted)]
    return rts_proto::planted::planted(rts_proto::planted::Bug::BansNotTold);
    #[cfg(not(rts_planted))]
    return false;
}

/// The end of each ban.
pub(super) type Bans = BTreeMap<(AppId, Ban), Instant>;

impl Cluster {
    /// A node keeps a request that sets or lifts a ban. What others have told it is older than what
    /// back ends have asked since it started.
    pub(crate) fn keep(
        &mut self,
        now: Instant,
        node: NodeIndex,
        app_id: &AppId,
        request: &Request,
        is_told: bool,
    ) {
        let Some(life) = self.life_mut(node) else { return };
        let (Request::Ban { ban, .. } | Request::Unban { ban }) = request else { return };
        let key = (app_id.clone(), ban.clone());
        if is_told && life.decided.contains(&key) {
            return;
        }
        if !is_told {
            life.decided.insert(key);
        }
        match request {
            Request::Ban { ban, interval: Duration::ZERO } | Request::Unban { ban } => {
                life.bans.remove(&(app_id.clone(), ban.clone()));
            }
            Request::Ban { ban, interval } => {
                life.bans.insert((app_id.clone(), ban.clone()), now + *interval);
            }
            _ => {}
        }
    }

    /// The bans in force that a node has kept, as requests.
    pub(crate) fn bans_in_force(&self, now: Instant, node: NodeIndex) -> Vec<(AppId, Request)> {
        let bans = self.life(node).into_iter().flat_map(|life| &life.bans);
        let in_force = bans.filter(|(_, until)| **until > now);
        let request = |((app_id, ban), until): (&(AppId, Ban), &Instant)| {
            (app_id.clone(), Request::Ban { ban: ban.clone(), interval: until.since(now) })
        };
        in_force.map(request).collect()
    }

    /// The shard of a node that tells new nodes of bans, if it is one that does, and the shards of
    /// the new nodes.
    pub(crate) fn told_by(
        &self,
        node: NodeIndex,
        former: &ShardMap,
    ) -> (Option<ShardId>, Vec<ShardId>) {
        let Some(life) = self.life(node) else { return (None, Vec::new()) };
        let (Some(map), Some(view)) = (&life.map, life.node.view()) else {
            return (None, Vec::new());
        };
        let is_former =
            |node: Incarnation| node == life.incarnation || former.shards_of(node).next().is_some();
        let members = || view.members().iter().map(|member| member.incarnation);
        let mut tellers = members().filter(|node| is_former(*node)).take(TELLERS);
        let tells = tellers.any(|node| node == life.incarnation) && !no_bans_are_told();
        let own = map.placements().next().map(|placement| placement.own());
        let new = members().filter(|node| !is_former(*node));
        (own.filter(|_| tells), new.flat_map(|node| map.shards_of(node)).collect())
    }
}
