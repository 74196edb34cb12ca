//! While homes move, a shard keeps the entries to users and rooms about which it does not decide
//! yet.

use super::held::HeldEntry;
use super::io::{Concerns, Deliveries, Entry, Ownership};
use super::keys::Origin;
use super::placement::ShardId;
use super::shard::Server;
use crate::limits::HELD_BYTES_MAX;
use crate::{AppId, OnlineStatus, RoomId, UserId};

impl Server {
    /// Keeps an entry to this shard as a home that does not decide yet. Returns other entries.
    pub(super) fn hold(&mut self, from: ShardId, app_id: &AppId, entry: Entry) -> Option<Entry> {
        let is_held = match &entry {
            Entry::Deliver(deliveries) => return self.hold_messages(from, app_id, deliveries),
            Entry::QueryStatus { session, query, uid }
                if self.shared.homes.is_unserved_user(app_id, uid.as_str())
                    && self.shared.held.bytes() > HELD_BYTES_MAX =>
            {
                self.answer_status(*session, *query, OnlineStatus::Unreachable);
                return None;
            }
            entry => match home_of(entry) {
                Some(Home::User(uid)) => self.shared.homes.is_unserved_user(app_id, uid.as_str()),
                Some(Home::Room(room)) => self.shared.homes.is_unserved_room(app_id, room),
                Some(Home::App) => self.shared.homes.is_unserved_app(app_id),
                None => false,
            },
        };
        if !is_held {
            return Some(entry);
        }
        let app_id = Some(app_id.clone());
        self.shared.held.add_unserved(HeldEntry { from, app_id, entry });
        None
    }

    fn hold_messages(
        &mut self,
        from: ShardId,
        app_id: &AppId,
        deliveries: &Deliveries,
    ) -> Option<Entry> {
        let mut others = Deliveries::default();
        for delivery in deliveries.iter() {
            let origin = Origin { session: delivery.session, id: delivery.id };
            let (to, config, frame) = (delivery.to, delivery.config, delivery.frame);
            if !self.shared.homes.is_unserved_user(app_id, to) {
                if let Ok(to) = UserId::new(to) {
                    others.push(origin.session, origin.id, config, &to, frame);
                }
            } else if let Some(code) =
                self.shared.hold_message(from, app_id, origin, to, config, frame)
            {
                self.delivery_decided(origin, to, config, code);
            }
        }
        (!others.is_empty()).then_some(Entry::Deliver(others))
    }
}

/// What the home of an entry is the home of.
enum Home<'a> {
    User(&'a UserId),
    Room(&'a RoomId),
    App,
}

/// The user or the room to whose home an entry goes. Messages are for several users, so they are
/// not among them.
fn home_of(entry: &Entry) -> Option<Home<'_>> {
    match entry {
        Entry::Ownership(
            Ownership::Ask { uid, .. }
            | Ownership::Release { uid, .. }
            | Ownership::Keep { uid, .. },
        )
        | Entry::QueryStatus { uid, .. }
        | Entry::Orphan { uid, .. } => Some(Home::User(uid)),
        Entry::Join { room, .. }
        | Entry::Leave { room, .. }
        | Entry::Gone { room, .. }
        | Entry::Switch { room, .. }
        | Entry::PutOut { room, .. }
        | Entry::Broadcast { room, .. }
        | Entry::AskNames { room, .. } => Some(Home::Room(room)),
        Entry::Request(on_way) if on_way.must_be_charged() => Some(Home::App),
        Entry::Request(on_way) => match on_way.request.concerns() {
            Concerns::HomeOfUser(uid) => Some(Home::User(uid)),
            Concerns::HomeOfRoom(room) => Some(Home::Room(room)),
            Concerns::All => None,
        },
        Entry::Ownership(
            Ownership::Grant { .. } | Ownership::Deny { .. } | Ownership::Revoke { .. },
        )
        | Entry::InApp(_)
        | Entry::PassedOn(_)
        | Entry::Response(_)
        | Entry::HomesReached { .. }
        | Entry::Moved(_)
        | Entry::Deliver(_)
        | Entry::Outcomes(_)
        | Entry::NotDelivered { .. }
        | Entry::NotBroadcast { .. }
        | Entry::Push { .. }
        | Entry::PushToEach { .. }
        | Entry::Joined { .. }
        | Entry::JoinRefused { .. }
        | Entry::Names { .. }
        | Entry::Left { .. }
        | Entry::Switched { .. }
        | Entry::Resume(_)
        | Entry::SessionMoved(_)
        | Entry::Taken(_)
        | Entry::Fence(_)
        | Entry::Fenced(_)
        | Entry::Removed { .. } => None,
    }
}
