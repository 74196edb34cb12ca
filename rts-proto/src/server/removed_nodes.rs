//! Nodes were removed from a cluster, with their sessions and with what they knew as homes.

use alloc::vec::Vec;

use super::closing::reason_for;
use super::ending::End;
use super::homes::Homes;
use super::io::{LeftBehind, Moved, MovedMember, MovedOwner};
use super::keys::SessionNumber;
use super::placement::ShardId;
use super::rooms;
use super::shard::Server;
use super::shared::Shared;
use crate::planted::{Bug, planted};
use crate::{AppId, CloseCode, Instant, RoomId, UserId};

impl Server {
    /// The rest follows with the change to the table without these nodes.
    pub(super) fn nodes_removed(&mut self, removed: &[ShardId], serve_after: Instant) {
        for shard in removed {
            self.shared.outbox.set_congested(*shard, false);
            self.fences.removed(*shard);
        }
        let homes = &self.shared.homes;
        self.shared.held.retain(|from| homes.has(from));
        self.end_leaving_for_removed();
        self.end_arriving_of_removed();
        if serve_after > self.shared.now() {
            // They may still act.
            return;
        }
        self.end_users_of_removed_nodes(|homes, app_id, uid| {
            !homes.is_unserved_user(app_id, uid.as_str())
        });
        self.end_members_of_removed_nodes(|homes, app_id, room| {
            !homes.is_unserved_room(app_id, room)
        });
    }

    /// Forgets what is only a part. The owners of users and the shards of members report it again.
    pub(super) fn forget_partial(&mut self) {
        for (app_id, uid) in self.shared.directory.users() {
            if self.shared.homes.is_partial_user(&app_id, uid.as_str()) {
                self.shared.directory.take(&app_id, &uid);
            }
        }
        for (app_id, room) in self.rooms.sorted() {
            if self.shared.homes.is_partial_room(&app_id, &room) {
                self.rooms.take(&mut self.shared, &app_id, &room);
            }
        }
    }

    /// Some of the users whose owners were removed have no owner any more.
    pub(super) fn end_users_of_removed_nodes(
        &mut self,
        is_meant: impl Fn(&Homes, &AppId, &UserId) -> bool,
    ) {
        let Shared { directory, homes, .. } = &self.shared;
        for (app_id, uid, tenure) in directory.of_removed_nodes(homes) {
            if is_meant(&self.shared.homes, &app_id, &uid) {
                self.report_offline(&app_id, &uid, End::Dropped);
                self.user_released(&app_id, &uid, tenure, LeftBehind::default(), None);
            }
        }
    }

    /// §6.9: the members of some rooms whose nodes were removed may come back at other nodes.
    pub(super) fn end_members_of_removed_nodes(
        &mut self,
        is_meant: impl Fn(&Homes, &AppId, &RoomId) -> bool,
    ) {
        let until = self.shared.now() + self.shared.config.session_grace;
        for (app_id, room, uid) in self.rooms.of_removed_nodes(&self.shared.homes) {
            let (shared, tallies) = (&mut self.shared, &mut self.tallies);
            if is_meant(&shared.homes, &app_id, &room)
                && self.rooms.go_away(shared, &app_id, &room, &uid, until)
            {
                rooms::count_orphan(shared, tallies, &app_id, &room, &uid, true);
            }
        }
    }

    /// The logins whose homes are gone ask again.
    pub(super) fn ask_new_homes(&mut self) {
        for (app_id, uid) in self.shared.grants.asked_for() {
            if self.shared.homes.is_lost_user(&app_id, uid.as_str())
                && self.shared.grants.of(&app_id, &uid).is_none()
                && let Some(first) = self.shared.grants.first_asking(&app_id, &uid)
            {
                self.ask_for(&app_id, &uid, first);
            }
        }
    }

    /// The homes of rooms are gone, with the answers to joins and leaves that sessions wait for.
    /// Their clients log in again, and join again.
    pub(super) fn end_sessions_without_answers(&mut self) {
        let mut waiting: Vec<SessionNumber> = Vec::new();
        for (app_id, uid) in self.shared.grants.users() {
            let number = self.users.find(&app_id, uid.as_str());
            let homes = &self.shared.homes;
            let is_lost = |room: &RoomId| homes.is_answer_lost(&app_id, room);
            let Some(session) = number.and_then(|number| self.shared.sessions.get_mut(number))
            else {
                continue;
            };
            let waits = session.rooms.forget_lost_answers(is_lost);
            let leaving = session.leaving();
            if waits || leaving.is_some_and(|leaving| leaving.awaited.iter().any(is_lost)) {
                waiting.extend(number);
            }
        }
        for number in waiting {
            if let Some(link) = self.shared.session(number).and_then(|session| session.link()) {
                self.close(link, CloseCode::LoginAgain, reason_for(CloseCode::LoginAgain));
            }
            self.end_session(number, End::Dropped);
        }
    }

    /// Reports to the new homes what only this shard knows: the users that it owns, their
    /// memberships, and those that wait for them.
    pub(super) fn report_to_new_homes(&mut self) {
        let own = self.shared.config.placement.own();
        for (app_id, uid) in self.shared.grants.users() {
            let home = self.shared.homes.other_of_user(&app_id, uid.as_str());
            if self.shared.homes.is_lost_user(&app_id, uid.as_str())
                && !planted(Bug::OwnersNotReported)
                && let Some(home) = home
                && let Some(tenure) = self.shared.grants.of(&app_id, &uid)
            {
                let owner = Some(MovedOwner { shard: own, tenure, candidates: Vec::new() });
                let (uid, left) = (uid.clone(), LeftBehind::default());
                match home == own {
                    true => self.user_moved_here(&app_id, uid, owner, left),
                    false => self.send_moved(home, &app_id, Moved::User { uid, owner, left }),
                }
            }
            self.report_memberships(&app_id, &uid);
        }
        self.report_arriving_members();
        for (app_id, uid) in self.tallies.with_left() {
            self.report_orphans(&app_id, &uid);
        }
    }

    fn report_memberships(&mut self, app_id: &AppId, uid: &UserId) {
        if planted(Bug::MembersNotReported) {
            return;
        }
        let Some(number) = self.users.find(app_id, uid.as_str()) else { return };
        let Some(session) = self.shared.session(number) else { return };
        let homes = &self.shared.homes;
        let is_lost = |room: &&RoomId| homes.is_lost_room(app_id, room);
        let lost: Vec<RoomId> = session.rooms.joined_rooms().filter(is_lost).cloned().collect();
        let lost: Vec<_> =
            lost.into_iter().map(|room| (session.number_in(number, &room), room)).collect();
        for (number, room) in lost {
            self.report_member(app_id, uid, &room, MovedMember::Here(number));
        }
    }
}
