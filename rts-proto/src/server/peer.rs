//! Entries from other shards, and those of this shard for itself.

use alloc::vec::Vec;

use super::io::Entry;
use super::keys::Origin;
use super::members::JoinAsked;
use super::placement::ShardId;
use super::rooms;
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
        let mut app_id = None;
        let mut unreliable = Unreliable::default();
        for entry in entries {
            match entry {
                Entry::InApp(named) => app_id = Some(named),
                entry => {
                    if let Some(entry) = self.session_entry(entry)
                        && let Some(app_id) = &app_id
                    {
                        self.app_entry(from, app_id, entry, &mut unreliable);
                    }
                }
            }
            self.end_overrun();
            self.handle_own_entries();
        }
    }

    /// Handles the entries of this shard for itself.
    pub(super) fn handle_own_entries(&mut self) {
        let own = self.shared.config.placement.own();
        while let Some((app_id, entry)) = self.shared.to_self.next() {
            self.app_entry(own, &app_id, entry, &mut Unreliable::default());
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
            Entry::Removed { room, session, notice } => self.removed(session, &room, notice),
            other => return Some(other),
        }
        None
    }

    /// Handles an entry about a user or a room of this shard.
    fn app_entry(
        &mut self,
        from: ShardId,
        app_id: &AppId,
        entry: Entry,
        unreliable: &mut Unreliable,
    ) {
        match entry {
            Entry::Ownership(entry) => self.ownership_arrived(from, app_id, entry),
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
            Entry::OrphanGone { .. } if planted(Bug::OrphanCountKept) => {}
            Entry::OrphanGone { room, uid } => {
                rooms::count_orphan_out(&mut self.shared, &mut self.tallies, app_id, &room, &uid);
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
