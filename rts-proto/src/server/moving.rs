//! In a cluster, the homes of users and rooms move to other shards when nodes come and go.
//! [`Changes`](super::changes::Changes) says in which steps.

use alloc::collections::BTreeSet;

use super::changes::Next;
use super::deadlines::Due;
use super::home_table::HomeTable;
use super::io::{Entry, HomesStep, LeftBehind, Moved};
use super::placement::ShardId;
use super::shard::Server;
use crate::{AppId, Instant, UserId};

/// The steps of a change.
impl Server {
    /// The next table of the cluster's homes.
    pub(super) fn homes_changed(&mut self, table: HomeTable, serve_after: Instant) {
        let changes = self.shared.homes.changes();
        let removed = changes.and_then(|changes| changes.add(table, serve_after));
        if let Some(removed) = removed.filter(|removed| !removed.is_empty()) {
            self.nodes_removed(&removed, serve_after);
        }
    }

    /// The epoch of the latest table by which this shard decides about all names whose home it is.
    /// When that is the epoch of the latest table in all shards of a cluster, the change to it is
    /// over. Absent before that of the first table, and without a cluster.
    #[must_use]
    pub fn served_epoch(&self) -> Option<u64> {
        self.shared.homes.served_epoch()
    }

    /// Takes the steps that can be taken now.
    pub(super) fn change_homes(&mut self) {
        let now = self.shared.now();
        loop {
            let owes_answers = self.fences.hold_for_home();
            let changes = self.shared.homes.changes();
            let Some(next) = changes.and_then(|changes| changes.next(now, owes_answers)) else {
                return;
            };
            match next {
                Next::Take(step) => self.take_homes_step(step),
                Next::Wait(moment) => self.shared.deadlines.arm_for_good(moment, Due::Homes),
                Next::Serve => self.serve_homes(),
            }
        }
    }

    fn take_homes_step(&mut self, step: HomesStep) {
        match step {
            HomesStep::Switched => {
                self.forget_partial();
                self.welcomes.homes_changed(&self.shared, &self.rooms);
            }
            HomesStep::HandedOver => self.hand_over_homes(),
            HomesStep::Settled => {}
        }
        let Some(changes) = self.shared.homes.changes() else { return };
        let (epoch, others) = (changes.table().epoch(), changes.others());
        // Behind all earlier entries, also behind the broadcasts of this burst.
        self.shared.settle();
        for shard in others {
            self.shared.send_to_shard(shard, Entry::HomesReached { epoch, step });
        }
        if step == HomesStep::Switched {
            self.ask_new_homes();
            self.ask_again_to_resume();
            self.end_sessions_without_answers();
            self.welcomes.ask_again(&mut self.shared, &self.rooms);
            self.handle_ahead();
        }
    }

    /// This shard decides about all names whose home it is.
    fn serve_homes(&mut self) {
        self.end_users_of_removed_nodes(|_, _, _| true);
        self.end_members_of_removed_nodes(|_, _, _| true);
        self.expel_banned();
        self.handle_unserved();
        self.bans.have_joined();
        if let Some(changes) = self.shared.homes.changes() {
            changes.end();
        }
    }
}

/// A former home.
impl Server {
    /// Sends the next homes what this shard knew as a former home, and what only it knows if a
    /// former home is gone.
    fn hand_over_homes(&mut self) {
        self.report_to_new_homes();
        let mut users: BTreeSet<_> = self.shared.directory.users().into_iter().collect();
        users.extend(self.tallies.with_left());
        for (app_id, uid) in users {
            if let Some(home) = self.shared.homes.next_of_user(&app_id, uid.as_str()) {
                self.hand_over_user(home, &app_id, uid);
            }
        }
        for (app_id, room) in self.rooms.sorted() {
            if let Some(home) = self.shared.homes.next_of_room(&app_id, &room)
                && let Some((members, used)) = self.rooms.take(&mut self.shared, &app_id, &room)
            {
                self.send_members(home, &app_id, &room, used, &members);
            }
        }
    }

    fn hand_over_user(&mut self, home: ShardId, app_id: &AppId, uid: UserId) {
        let (owner, held) = self.shared.directory.take(app_id, &uid).unzip();
        let left = match self.shared.grants.of(app_id, &uid) {
            // It stays with the owner.
            Some(_) => LeftBehind::default(),
            None => self.tallies.take_left(&self.shared, app_id, &uid, None),
        };
        if owner.is_none() && left == LeftBehind::default() {
            return;
        }
        self.send_moved(home, app_id, Moved::User { uid, owner, left });
        for passed_on in held.unwrap_or_default() {
            self.send_moved(home, app_id, Moved::Held(passed_on));
        }
    }
}
