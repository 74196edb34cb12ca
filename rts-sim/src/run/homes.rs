//! Looks up the users and rooms of every shard.

use std::collections::BTreeSet;

use rts_proto::server::{NodeNumber, ShardId, Shards as _};

use super::Run;
use crate::names::{app_id, number};
use crate::oracles::Violation;
use crate::swarm::APPS_MAX;
use crate::trace::{Entry, Located};

impl Run<'_> {
    /// Whether all nodes of a cluster agree on the homes, and none of them is lost.
    pub(super) fn homes_rest(&self) -> bool {
        let of_shards: BTreeSet<NodeNumber> =
            self.world.all_shards().into_iter().map(ShardId::node).collect();
        let table = self.world.homes();
        table.is_some_and(|table| table.nodes().map(|(node, _)| node).eq(of_shards))
    }

    pub(super) fn note_homes(&mut self) -> Result<(), Violation> {
        // The nodes of a cluster that begins have no shards.
        if self.world.all_shards().is_empty() {
            return Ok(());
        }
        let (placement, table) = (self.world.placement(), self.world.homes());
        let is_cluster = self.plan.swarm.shape.is_cluster();
        let mut located = Vec::new();
        for shard in self.world.all_shards() {
            let acts = self.world.may_act(shard);
            for app in 0..APPS_MAX {
                let app_id = app_id(app);
                let (users, rooms) = self.world.shard(shard, |server, now| {
                    let users = server.users_page(now, &app_id, None, usize::MAX);
                    (users, server.rooms_page(&app_id, None, usize::MAX))
                });
                let users = users.items.into_iter().map(|user| {
                    let home = placement.of_user(&app_id, user.uid.as_str());
                    (user.uid.as_str().to_owned(), false, (!is_cluster).then_some(home))
                });
                let rooms = rooms.items.into_iter().map(|room| {
                    let home = match &table {
                        Some(table) => Some(table.of_room(&placement, &app_id, &room.room)),
                        None if is_cluster => None,
                        None => Some(placement.of_room(&app_id, &room.room)),
                    };
                    (room.room.as_str().to_owned(), true, home)
                });
                located.extend(users.chain(rooms).map(|(name, is_room, home)| Located {
                    app,
                    name,
                    is_room,
                    shard: number(shard),
                    acts,
                    home: home.map(number),
                }));
            }
        }
        self.note(Entry::Located(located))
    }
}
