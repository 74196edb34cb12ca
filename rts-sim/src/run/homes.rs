//! Looks up the users and rooms of every shard.

use rts_proto::server::Shards as _;

use super::Run;
use crate::names::app_id;
use crate::oracles::Violation;
use crate::swarm::APPS_MAX;
use crate::trace::{Entry, Located};

impl Run<'_> {
    pub(super) fn note_homes(&mut self) -> Result<(), Violation> {
        let placement = self.world.placement();
        let mut located = Vec::new();
        for shard in placement.shards() {
            for app in 0..APPS_MAX {
                let app_id = app_id(app);
                let (users, rooms) = self.world.shard(shard, |server, now| {
                    let users = server.users_page(now, &app_id, None, usize::MAX);
                    (users, server.rooms_page(&app_id, None, usize::MAX))
                });
                let users = users.items.into_iter().map(|user| {
                    let home = placement.of_user(&app_id, user.uid.as_str());
                    (user.uid.as_str().to_owned(), false, home)
                });
                let rooms = rooms.items.into_iter().map(|room| {
                    let home = placement.of_room(&app_id, &room.room);
                    (room.room.as_str().to_owned(), true, home)
                });
                located.extend(users.chain(rooms).map(|(name, is_room, home)| Located {
                    app,
                    name,
                    is_room,
                    shard: shard.number(),
                    home: home.number(),
                }));
            }
        }
        self.note(Entry::Located(located))
    }
}
