//! Entries from other shards, and those of this shard for itself.

use alloc::vec::Vec;

use super::held::HeldEntry;
use super::io::{Entry, Moved};
use super::keys::Origin;
use super::members::JoinAsked;
use super::placement::ShardId;
use super::shard::Server;
use super::unreliable::Unreliable;
use super::welcomes::List;
use crate::AppId;
use crate::planted::{Bug, planted};

impl Server {
    /// Handles the entries of another shard in their order.
    // Kept out of the path of a node with one shard.
    #[inline(never)]
    pub(super) fn entries_arrived(&mut self, from: ShardId, entries: Vec<Entry>) {
        // A node that was removed has no sessions and no homes any more.
        if !self.shared.homes.has(from) {
            return;
        }
        let mut app_id = None;
        let mut unreliable = Unreliable::default();
        for entry in entries {
            match entry {
                Entry::InApp(named) => app_id = Some(named),
                entry => self.entry_arrived(from, app_id.as_ref(), entry, &mut unreliable),
            }
            self.end_overrun();
            self.handle_own_entries();
        }
    }

    /// Handles an entry of another shard, or keeps it until this shard has the same table.
    fn entry_arrived(
        &mut self,
        from: ShardId,
        app_id: Option<&AppId>,
        entry: Entry,
        unreliable: &mut Unreliable,
    ) {
        if self.shared.homes.is_behind(from) {
            let app_id = app_id.cloned();
            return self.shared.held.add_ahead(HeldEntry { from, app_id, entry });
        }
        match entry {
            Entry::HomesReached { epoch, step } => {
                return self.shared.homes.reached(from, epoch, step);
            }
            Entry::Fence(fence) => return self.shared.send_to_shard(from, Entry::Fenced(fence)),
            Entry::Fenced(fence) => return self.fences.answered(from, fence),
            _ => {}
        }
        if let Some(entry) = self.session_entry(entry)
            && let Some(app_id) = app_id
        {
            self.app_entry(from, app_id, entry, unreliable);
        }
    }

    /// This shard has a later table: handles the entries that waited for it.
    pub(super) fn handle_ahead(&mut self) {
        let mut unreliable = Unreliable::default();
        for HeldEntry { from, app_id, entry } in self.shared.held.take_ahead() {
            self.entry_arrived(from, app_id.as_ref(), entry, &mut unreliable);
            self.end_overrun();
            self.handle_own_entries();
        }
    }

    /// This shard decides about all names whose home it is: handles the entries that waited for
    /// that. What they lead to waits behind them.
    pub(super) fn handle_unserved(&mut self) {
        let mut unreliable = Unreliable::default();
        while let Some(HeldEntry { app_id, entry, .. }) = self.shared.held.next_unserved() {
            if let Some(app_id) = &app_id {
                self.handle_app_entry(app_id, entry, &mut unreliable);
            }
            self.end_overrun();
            self.handle_own_entries();
        }
    }

    /// Handles the entries of this shard for itself.
    pub(super) fn handle_own_entries(&mut self) {
        let own = self.shared.config.placement.own();
        while let Some((app_id, entry)) = self.shared.to_self.next() {
            if let Some(entry) = self.session_entry(entry)
                && let Some(app_id) = &app_id
            {
                self.app_entry(own, app_id, entry, &mut Unreliable::default());
            }
            self.end_overrun();
        }
    }

    /// Handles an entry about a session of this shard. Returns other entries.
    fn session_entry(&mut self, entry: Entry) -> Option<Entry> {
        let shared = &mut self.shared;
        match entry {
            Entry::Outcomes(outcomes) => self.outcomes_came(outcomes),
            Entry::NotDelivered { session, id, to, config, code } => {
                self.not_delivered(Origin { session, id }, &to, config, code);
            }
            Entry::NotBroadcast { session, room, id, code } => {
                self.broadcast_refused(session, id, room, code);
            }
            Entry::Push { session, frame } => shared.push_or_end(session, frame),
            Entry::PushToEach { sessions, frames } => {
                let now = shared.now();
                let (of_shard, now) = (&mut shared.sessions, now);
                shared.outbox.push_from_peer(of_shard, now, sessions, frames);
            }
            Entry::Joined { room, session, ticket, entered, names, is_charged } => {
                let list = List::elsewhere(names);
                self.joined(session, room, ticket, entered, list, is_charged);
            }
            Entry::JoinRefused { room, session, ticket, state, refusal, is_charged } => {
                self.join_refused(session, &room, ticket, state, refusal, is_charged);
            }
            Entry::Names { room, session, ticket, names } => {
                self.welcomes.names_came(shared, &self.rooms, session, &room, ticket, names);
            }
            Entry::Left { room, session, ticket } => self.left(session, &room, ticket),
            Entry::Switched { room, session } => self.room_switched(session, &room),
            Entry::Taken(session) => self.session_taken(session),
            Entry::Removed { room, session, notice } => self.removed(session, &room, notice),
            Entry::Response(part) => self.pending.responded(shared, *part),
            other => return Some(other),
        }
        None
    }

    /// Handles an entry about a user or a room of this shard, or keeps it until this shard decides.
    fn app_entry(
        &mut self,
        from: ShardId,
        app_id: &AppId,
        entry: Entry,
        unreliable: &mut Unreliable,
    ) {
        let entry = match self.shared.homes.are_changing() {
            true => {
                self.report_left(from, app_id, &entry);
                self.hold(from, app_id, entry)
            }
            false => Some(entry),
        };
        if let Some(entry) = entry {
            self.handle_app_entry(app_id, entry, unreliable);
        }
    }

    pub(super) fn handle_app_entry(
        &mut self,
        app_id: &AppId,
        entry: Entry,
        unreliable: &mut Unreliable,
    ) {
        match entry {
            Entry::Moved(moved) => match *moved {
                // It is older than what waits here until this shard decides.
                Moved::Held(passed_on) => {
                    self.handle_app_entry(app_id, passed_on.into(), unreliable);
                }
                Moved::User { uid, owner, left } => self.user_moved_here(app_id, uid, owner, left),
                Moved::Members { room, used, members } => {
                    self.members_moved_here(app_id, &room, used, members);
                }
            },
            Entry::Ownership(entry) => self.ownership_arrived(app_id, entry),
            Entry::Request(on_way) => self.request_arrived(app_id, *on_way),
            Entry::Resume(asked) => self.resume_asked(app_id, *asked),
            Entry::SessionMoved(part) => self.session_part_came(app_id, *part),
            Entry::Switch { room, session, uid, next } => {
                self.switch_asked(app_id, room, session, &uid, next);
            }
            Entry::PassedOn(passed_on) => self.passed_on(app_id, passed_on, unreliable),
            Entry::Deliver(deliveries) => {
                for delivery in deliveries.iter() {
                    self.deliver_for_peer(app_id, delivery, unreliable);
                    self.end_overrun();
                }
            }
            Entry::QueryStatus { session, query, uid } => {
                self.query_status_for_peer(session, query, app_id, &uid);
            }
            Entry::Orphan { .. } if planted(Bug::OrphanCountKept) => {}
            Entry::Orphan { room, uid, waits } => {
                if !self.shared.tell_owner_of_orphan(app_id, &room, &uid, waits) {
                    self.tallies.count_orphan(&mut self.shared, app_id, &uid, &room, waits);
                }
            }
            Entry::Join { room, session, uid, ticket, business_id, permit } => {
                let asked = JoinAsked { room, session, uid, ticket, business_id, permit };
                self.join_for_peer(app_id, asked);
            }
            Entry::Leave { room, session, uid, ticket } => {
                self.leave_for_peer(app_id, room, session, &uid, ticket);
            }
            Entry::Gone { room, session, uid, end } => {
                self.member_gone(app_id, &room, session, &uid, end);
            }
            Entry::PutOut { .. } if planted(Bug::PutOutStaysElsewhere) => {}
            Entry::PutOut { room, uid } => {
                self.expel(app_id, &room, &uid);
            }
            Entry::Broadcast { room, session, uid, id, frame } => {
                self.broadcast_for_peer(app_id, room, Origin { session, id }, &uid, frame);
            }
            Entry::AskNames { room, session, uid, ticket } => {
                self.names_asked(app_id, room, session, &uid, ticket);
            }
            // Handled before. Without a wildcard, a new entry cannot be forgotten.
            Entry::InApp(_)
            | Entry::HomesReached { .. }
            | Entry::Fence(_)
            | Entry::Fenced(_)
            | Entry::Taken(_)
            | Entry::Switched { .. }
            | Entry::Response(_)
            | Entry::Outcomes(_)
            | Entry::NotDelivered { .. }
            | Entry::NotBroadcast { .. }
            | Entry::Push { .. }
            | Entry::PushToEach { .. }
            | Entry::Joined { .. }
            | Entry::JoinRefused { .. }
            | Entry::Names { .. }
            | Entry::Left { .. }
            | Entry::Removed { .. } => {}
        }
    }
}
