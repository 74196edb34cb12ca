//! The homes of rooms move to other shards of a cluster.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Rooms, count_orphan};
use crate::server::deadlines::Due;
use crate::server::homes::Homes;
use crate::server::io::MovedMember;
use crate::server::placement::ShardId;
use crate::server::room::{Away, Room};
use crate::server::shared::Shared;
use crate::server::tallies::Tallies;
use crate::{AppId, RoomId, UserId};

impl Rooms {
    /// All rooms, in the order of their apps and ids.
    pub(in crate::server) fn sorted(&self) -> Vec<(AppId, RoomId)> {
        let of_app = |(app_id, rooms): (&AppId, &BTreeMap<RoomId, Room>)| {
            rooms.keys().map(|id| (app_id.clone(), id.clone())).collect::<Vec<_>>()
        };
        self.apps.iter().flat_map(of_app).collect()
    }

    /// The members whose sessions are in removed nodes.
    pub(in crate::server) fn of_removed_nodes(
        &self,
        homes: &Homes,
    ) -> Vec<(AppId, RoomId, UserId)> {
        let mut lost = Vec::new();
        for (app_id, rooms) in &self.apps {
            for (id, room) in rooms {
                let is_lost = |number| !homes.has(ShardId::of_session(number));
                let members = room.uids().filter(|uid| room.session_of(uid).is_some_and(is_lost));
                lost.extend(members.map(|uid| (app_id.clone(), id.clone(), uid.clone())));
            }
        }
        lost
    }

    /// Adds a member that a former home knew, or that its shard reports because that home is gone.
    /// The later of two sessions of a user has come back already.
    pub(in crate::server) fn put(
        &mut self,
        shared: &mut Shared,
        tallies: &mut Tallies,
        app_id: &AppId,
        id: &RoomId,
        uid: UserId,
        member: MovedMember,
    ) {
        let known = self.find(app_id, id).filter(|room| room.contains(&uid));
        let is_here = known.is_some_and(|room| room.session_of(&uid).is_some());
        match (member, known.is_some()) {
            (MovedMember::Here(number), false) => self.add(shared, number, app_id, id, uid),
            (MovedMember::Here(number), true) if !is_here => {
                self.come_back(shared, tallies, number, app_id, id, &uid);
            }
            (MovedMember::Here(_), true) => {}
            (MovedMember::WaitsUntil(until), false) => {
                let due = Due::orphaned_membership(app_id, id, &uid);
                let deadline = shared.deadlines.arm(until, due);
                let audience = self.next_audience();
                let room = self.room_or_new(shared, app_id, id);
                room.add_waiting(uid, deadline, audience, &shared.config, shared.now());
            }
            // It waits no longer.
            (MovedMember::WaitsUntil(_), true) if is_here => {
                count_orphan(shared, tallies, app_id, id, &uid, false);
            }
            // It was reported twice, because the user moved meanwhile.
            (MovedMember::WaitsUntil(_), true) => {}
        }
    }

    /// Sets what is used up of a room's rate of broadcasts.
    pub(in crate::server) fn set_used(&mut self, app_id: &AppId, id: &RoomId, used: u64) {
        if let Some(room) = self.find_mut(app_id, id) {
            room.set_used(used);
        }
    }

    /// Takes a room out, for its next home: its members, and what is used up of its rate.
    pub(in crate::server) fn take(
        &mut self,
        shared: &mut Shared,
        app_id: &AppId,
        id: &RoomId,
    ) -> Option<(Vec<(UserId, MovedMember)>, u64)> {
        let room = self.take_room(app_id, id)?;
        let used = room.used(shared.now());
        let members = room.into_members().filter_map(|(uid, member)| {
            let member = match member {
                Ok(number) => MovedMember::Here(number),
                Err(Away::ForEver) => return None,
                Err(Away::Until(deadline)) => {
                    let until = deadline.at();
                    let due = Due::orphaned_membership(app_id, id, &uid);
                    shared.deadlines.disarm(deadline, due);
                    MovedMember::WaitsUntil(until)
                }
            };
            Some((uid, member))
        });
        Some((members.collect(), used))
    }
}
