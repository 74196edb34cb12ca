//! Removals from rooms by force: kicks, dismissals and bans. Section 6.10 of the protocol.

use bytes::Bytes;

use super::io::{Entry, Report};
use super::keys::SessionNumber;
use super::shard::Server;
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{AppId, LeaveReason, RoomId, RoomState, UserId};

impl Server {
    /// Removes a member by force.
    pub(super) fn expel(&mut self, app_id: &AppId, id: &RoomId, uid: &UserId) -> bool {
        let number = self.rooms.find(app_id, id).and_then(|room| room.session_of(uid));
        let (shared, tallies) = (&mut self.shared, &mut self.tallies);
        if !self.rooms.remove(shared, tallies, app_id, id, uid, LeaveReason::Kicked) {
            return false;
        }
        if let Some(number) = number {
            let notice = Frame::RoomNotice { room: id.clone(), state: RoomState::Kicked };
            let notice = (!planted(Bug::KickWithoutNotice)).then(|| notice.encode());
            self.notify_removed(number, id, notice);
        }
        true
    }

    /// Removes all members by force. No notices are needed, because no member is left.
    pub(super) fn expel_all(&mut self, app_id: &AppId, id: &RoomId, state: RoomState) -> usize {
        let (shared, tallies) = (&mut self.shared, &mut self.tallies);
        let Some(members) = self.rooms.dissolve(shared, tallies, app_id, id) else { return 0 };
        for (uid, _) in &members {
            if planted(Bug::DismissalNotReported) {
                continue;
            }
            let (room, uid) = (id.clone(), uid.clone());
            let reason = LeaveReason::Kicked;
            shared.report(app_id, || Report::MemberLeft { room, uid, reason });
        }
        shared.report(app_id, || Report::RoomEmptied { room: id.clone() });
        let notice = Frame::RoomNotice { room: id.clone(), state }.encode();
        for number in members.iter().filter_map(|(_, number)| *number) {
            self.notify_removed(number, id, Some(notice.clone()));
        }
        members.len()
    }

    fn notify_removed(&mut self, session: SessionNumber, room: &RoomId, notice: Option<Bytes>) {
        match self.shared.sessions.elsewhere(session) {
            None => self.removed(session, room, notice),
            Some((shard, session)) => {
                let room = room.clone();
                self.shared.send_to_shard(shard, Entry::Removed { room, session, notice });
            }
        }
    }

    /// Removes a user from all rooms of this shard by force, also where it waits for a new session
    /// (§6.9).
    pub(super) fn expel_everywhere(&mut self, app_id: &AppId, uid: &UserId) -> usize {
        let rooms = self.rooms.of_user(app_id, uid);
        rooms.iter().filter(|id| self.expel(app_id, id, uid)).count()
    }
}
