//! A next home takes over what former homes knew, and what is left of users' sessions.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::io::{Entry, LeftBehind, Moved, MovedMember, MovedOwner, Ownership};
use super::placement::ShardId;
use super::shard::Server;
use crate::limits::NOTICE_MEMBERS_MAX;
use crate::{AppId, RoomId, UserId};

/// Members in one entry. With the longest names it fits into what nodes send each other.
const MEMBERS_IN_ENTRY: usize = NOTICE_MEMBERS_MAX;

impl Server {
    /// A former home tells about a user, or the user's owner does.
    pub(super) fn user_moved_here(
        &mut self,
        app_id: &AppId,
        uid: UserId,
        owner: Option<MovedOwner>,
        left: LeftBehind,
    ) {
        self.put_left(app_id, &uid, left);
        if let Some(owner) = owner {
            self.shared.directory.put(app_id, uid, owner);
        }
    }

    /// A former home tells about members of a room, or the shards of their sessions do.
    pub(super) fn members_moved_here(
        &mut self,
        app_id: &AppId,
        room: &RoomId,
        used: u64,
        members: Vec<(UserId, MovedMember)>,
    ) {
        let (shared, tallies) = (&mut self.shared, &mut self.tallies);
        for (uid, member) in members {
            self.rooms.put(shared, tallies, app_id, room, uid, member);
        }
        self.rooms.set_used(app_id, room, used);
    }

    /// Takes over what is left of a user's sessions.
    pub(super) fn put_left(&mut self, app_id: &AppId, uid: &UserId, left: LeftBehind) {
        self.tallies.put_left(&mut self.shared, app_id, uid, left);
    }

    /// What is left of a user's sessions has come. If its sender had yet to report to the new
    /// homes, this shard reports the memberships that wait. A later report would come when the new
    /// homes have decided.
    pub(super) fn report_left(&mut self, from: ShardId, app_id: &AppId, entry: &Entry) {
        let Entry::Ownership(
            Ownership::Release { uid, left, .. } | Ownership::Grant { uid, left, .. },
        ) = entry
        else {
            return;
        };
        if self.shared.homes.has_handed_over(from) {
            return;
        }
        let until = self.shared.now() + self.shared.config.session_grace;
        for (room, _) in &left.orphans {
            if self.shared.homes.is_lost_room(app_id, room) {
                self.report_member(app_id, uid, room, MovedMember::WaitsUntil(until));
            }
        }
    }

    /// Removes the members that were banned before this shard knew of them: bans wait for no home.
    pub(super) fn expel_banned(&mut self) {
        let now = self.shared.now();
        for (app_id, room) in self.rooms.sorted() {
            if !self.shared.homes.is_unserved_room(&app_id, &room) {
                continue;
            }
            let Some(members) = self.rooms.find(&app_id, &room) else { continue };
            let is_banned =
                |uid: &&UserId| self.bans.forbid_join(now, &app_id, &room, uid).is_some();
            let banned: Vec<UserId> = members.uids().filter(is_banned).cloned().collect();
            for uid in banned {
                self.expel(&app_id, &room, &uid);
            }
        }
    }

    pub(super) fn report_orphans(&mut self, app_id: &AppId, uid: &UserId) {
        let until = self.shared.now() + self.shared.config.session_grace;
        let homes = &self.shared.homes;
        let is_lost = |room: &&RoomId| homes.is_lost_room(app_id, room);
        let lost: Vec<RoomId> =
            self.tallies.orphans(app_id, uid).filter(is_lost).cloned().collect();
        for room in lost {
            self.tallies.count_orphan_once(app_id, uid, &room);
            self.report_member(app_id, uid, &room, MovedMember::WaitsUntil(until));
        }
    }

    pub(super) fn report_member(
        &mut self,
        app_id: &AppId,
        uid: &UserId,
        room: &RoomId,
        member: MovedMember,
    ) {
        if let Some(home) = self.shared.homes.other_of_room(app_id, room) {
            self.send_members(home, app_id, room, 0, &[(uid.clone(), member)]);
        }
    }

    /// Sends the next home of a room its members, or some of them.
    pub(super) fn send_members(
        &mut self,
        home: ShardId,
        app_id: &AppId,
        room: &RoomId,
        used: u64,
        members: &[(UserId, MovedMember)],
    ) {
        for members in members.chunks(MEMBERS_IN_ENTRY) {
            if home == self.shared.config.placement.own() {
                self.members_moved_here(app_id, room, used, members.to_vec());
            } else {
                let (room, members) = (room.clone(), members.to_vec());
                self.send_moved(home, app_id, Moved::Members { room, used, members });
            }
        }
    }

    pub(super) fn send_moved(&mut self, home: ShardId, app_id: &AppId, moved: Moved) {
        self.shared.send_in_app(home, app_id, Entry::Moved(Box::new(moved)));
    }
}
