//! Requests of back ends to any shard, and the bans that nodes of a cluster keep.

use rts_cluster::shards::ShardMap;
use rts_proto::AppId;
use rts_proto::server::{Entry, Input, Request, RequestId, RequestOnWay, Response, ShardId};

use super::{Happening, World};
use crate::cluster::NodeIndex;

impl World {
    /// A request of a back end comes to a shard, which may be any one. The response is in the log
    /// as [`Happening::Responded`]. If the shard may not act, the request waits.
    pub fn request(&mut self, shard: ShardId, app_id: &AppId, request: Request) -> RequestId {
        let request = request.clamped();
        self.last_request += 1;
        let id = RequestId(self.last_request);
        self.requests.insert(id, shard);
        let now = self.now();
        if let Some(cluster) = &mut self.cluster
            && let Some(node) = cluster.of_shard(shard)
        {
            cluster.keep(now, node, app_id, &request, false);
        }
        self.input(shard, Input::Request(id, app_id.clone(), Box::new(request)));
        self.drain_shard(shard);
        id
    }

    pub(super) fn responded(&mut self, id: RequestId, response: Response) {
        if self.requests.remove(&id).is_some() {
            self.log.push((self.now(), Happening::Responded(id, response)));
        }
    }

    /// Requests to some shards get no response any more.
    pub(super) fn requests_end(&mut self, is_gone: impl Fn(ShardId) -> bool) {
        let gone = self.requests.iter().filter(|(_, shard)| is_gone(**shard));
        for id in gone.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.responded(id, Response::Unanswered);
        }
    }

    /// Entries have arrived at the first shard of a node, which keeps the bans among them.
    pub(super) fn keep_bans(&mut self, node: NodeIndex, entries: &[Entry]) {
        let now = self.now();
        let Some(cluster) = &mut self.cluster else { return };
        let mut app_id = None;
        for entry in entries {
            match (entry, app_id) {
                (Entry::InApp(named), _) => app_id = Some(named),
                (Entry::Request(on_way), Some(app_id)) => {
                    cluster.keep(now, node, app_id, &on_way.request, on_way.is_told());
                }
                _ => {}
            }
        }
    }

    /// A node has another view than before. Two of the nodes that were there before tell new ones
    /// of the bans in force, like `rts-server`.
    pub(super) fn tell_of_bans(&mut self, node: NodeIndex, former: &ShardMap) {
        let now = self.now();
        let Some(cluster) = &mut self.cluster else { return };
        let (Some(own), new) = cluster.told_by(node, former) else { return };
        let in_force = cluster.bans_in_force(now, node);
        let of_app = |(app_id, request): (AppId, Request)| {
            let on_way = RequestOnWay::told(own, request);
            [Entry::InApp(app_id), Entry::Request(Box::new(on_way))]
        };
        let entries: Vec<Entry> = in_force.into_iter().flat_map(of_app).collect();
        if !entries.is_empty() {
            new.into_iter().for_each(|to| cluster.send_entries(now, (own, to), entries.clone()));
        }
    }
}
