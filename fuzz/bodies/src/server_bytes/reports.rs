//! The state that the reports to back ends add up to.

use std::collections::{BTreeMap, BTreeSet};

use rts_proto::server::{Report, Stats};
use rts_proto::{AppId, RoomId, UserId};

#[derive(Default)]
pub(super) struct Believed {
    online: BTreeSet<(AppId, UserId)>,
    rooms: BTreeMap<(AppId, RoomId), BTreeSet<UserId>>,
}

impl Believed {
    pub(super) fn hear(&mut self, app: AppId, report: Report) {
        let is_news = match report {
            Report::UserOnline { uid } => self.online.insert((app, uid)),
            Report::UserOffline { uid, .. } => self.online.remove(&(app, uid)),
            Report::RoomCreated { room } => {
                self.rooms.insert((app, room), BTreeSet::new()).is_none()
            }
            Report::RoomEmptied { room } => {
                self.rooms.remove(&(app, room)).is_some_and(|members| members.is_empty())
            }
            Report::MemberJoined { room, uid, .. } => {
                self.rooms.get_mut(&(app, room)).is_some_and(|members| members.insert(uid))
            }
            Report::MemberLeft { room, uid, .. } => {
                self.rooms.get_mut(&(app, room)).is_some_and(|members| members.remove(&uid))
            }
        };
        assert!(is_news, "it was so before");
    }

    pub(super) fn agrees_with(&self, stats: &Stats) {
        let memberships: usize = self.rooms.values().map(BTreeSet::len).sum();
        let believed = (self.online.len(), self.rooms.len(), memberships);
        assert_eq!(believed, (stats.sessions, stats.rooms, stats.memberships));
    }
}
