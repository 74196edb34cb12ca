//! What the commands of a back end do in one shard.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::ban::Ban;
use super::command_error::CommandError;
use super::directory::Route;
use super::ending::End;
use super::keys::SessionNumber;
use super::links::Pass;
use super::shard::Server;
use crate::limits::REVOKED_RETURN_SPREAD;
use crate::planted::{Bug, planted};
use crate::{AppId, CloseCode, LinkId, RoomId, RoomState, UserId};

impl Server {
    pub(super) fn unicast_here(&mut self, app_id: &AppId, to: &UserId, frame: Bytes) -> usize {
        let number = match planted(Bug::BackEndReachesAnyApp) {
            true => self.users.find_in_any_app(to.as_str()),
            false => self.users.find(app_id, to.as_str()),
        };
        let Some(number) = number else { return 0 };
        let shared = &mut self.shared;
        let (now, outbox, sessions) = (shared.now(), &mut shared.outbox, &mut shared.sessions);
        if planted(Bug::BackEndSaysItTwice) {
            outbox.push(sessions, now, number, frame.clone(), None);
        }
        outbox.push(sessions, now, number, frame, None).into()
    }

    pub(super) fn broadcast_to_room_here(
        &mut self,
        app_id: &AppId,
        room_id: &RoomId,
        frame: &Bytes,
    ) -> Result<usize, CommandError> {
        let now = self.shared.now();
        let Some(room) = self.rooms.find_mut(app_id, room_id) else { return Ok(0) };
        if !self.shared.has_space_for(room.sessions()) || !room.take_broadcast(now) {
            return Err(CommandError::OverRoomRate);
        }
        let receivers = room.sessions().collect();
        Ok(self.push_to_all(receivers, frame))
    }

    pub(super) fn unicast_in_room_here(
        &mut self,
        app_id: &AppId,
        room_id: &RoomId,
        to: &[UserId],
        frame: &Bytes,
    ) -> Result<usize, CommandError> {
        let Some(room) = self.rooms.find(app_id, room_id) else { return Ok(0) };
        let to: BTreeSet<&UserId> = to.iter().collect();
        let receivers: Vec<_> = if planted(Bug::RoomUnicastToAll) {
            room.sessions().collect()
        } else {
            to.into_iter().filter_map(|uid| room.session_of(uid)).collect()
        };
        if !self.shared.has_space_for(receivers.iter().copied()) {
            return Err(CommandError::OverRoomRate);
        }
        Ok(self.push_to_all(receivers, frame))
    }

    pub(super) fn dismiss_here(&mut self, app_id: &AppId, room_id: &RoomId) -> usize {
        self.expel_all(app_id, room_id, RoomState::Dismissed)
    }

    pub(super) fn ban_here(
        &mut self,
        app_id: &AppId,
        ban: &Ban,
        interval: Duration,
    ) -> Result<usize, CommandError> {
        let (now, deadlines) = (self.shared.now(), &mut self.shared.deadlines);
        self.bans.set(deadlines, now, app_id, ban, interval)?;
        Ok(match ban {
            Ban::Room(_) if planted(Bug::BanLeavesMembers) => 0,
            Ban::Room(room_id) => self.expel_all(app_id, room_id, RoomState::Kicked),
            Ban::UserInRoom(room_id, uid) => self.expel(app_id, room_id, uid).into(),
            Ban::User(uid) => self.expel_everywhere(app_id, uid),
            Ban::Login(uid) if !interval.is_zero() && self.must_end_login(app_id, uid) => {
                self.end_login(app_id, uid).into()
            }
            Ban::Login(_) => 0,
        })
    }

    /// Whether this shard has the user's session. If no shard has one, the home of the user ends
    /// what is left of the last one.
    fn must_end_login(&self, app_id: &AppId, uid: &UserId) -> bool {
        let is_home = || self.shared.homes.other_of_user(app_id, uid.as_str()).is_none();
        let has_no_owner = || self.shared.directory.route(app_id, uid.as_str()) == Route::Nobody;
        self.users.find(app_id, uid.as_str()).is_some() || (is_home() && has_no_owner())
    }

    pub(super) fn unban_here(&mut self, app_id: &AppId, ban: &Ban) -> bool {
        let (now, deadlines) = (self.shared.now(), &mut self.shared.deadlines);
        self.bans.lift(deadlines, now, app_id, ban)
    }

    fn push_to_all(&mut self, receivers: Vec<SessionNumber>, bytes: &Bytes) -> usize {
        let count = receivers.len();
        self.shared.push_to_each(receivers.into_iter(), bytes);
        count
    }

    /// The part of this shard in [`revoke`](Self::revoke).
    pub(super) fn revoke_here(
        &mut self,
        app_id: &AppId,
        uid: Option<&UserId>,
        issued_before: u32,
    ) -> usize {
        self.turn_waiting_away(app_id, uid, issued_before);
        self.revoke_departed(app_id, uid, issued_before);
        self.end_sessions_issued_before(app_id, uid, issued_before)
    }

    /// Logins that wait for their turn, or for the home of their user, need newer credentials.
    fn turn_waiting_away(&mut self, app_id: &AppId, uid: Option<&UserId>, issued_before: u32) {
        let mut waiting = self.tallies.queued(app_id, uid);
        let is_earlier = |pass: Pass| pass.issued_at < issued_before;
        waiting.retain(|link| self.links.queued_pass(*link).is_some_and(is_earlier));
        waiting.extend(self.links.asking_with(app_id, uid, is_earlier));
        for link in waiting {
            self.turn_away(link, CloseCode::LoginAgain, Duration::ZERO);
        }
    }

    fn end_sessions_issued_before(
        &mut self,
        app_id: &AppId,
        uid: Option<&UserId>,
        issued_before: u32,
    ) -> usize {
        let (uids, spread) = match uid {
            Some(uid) => (alloc::vec![uid.clone()], Duration::ZERO),
            None => (self.users.sorted(app_id), REVOKED_RETURN_SPREAD),
        };
        let meant = |uid: &UserId| {
            let number = self.users.find(app_id, uid.as_str())?;
            let session = self.shared.session(number)?;
            let is_earlier = session.issued_at() < issued_before || planted(Bug::LaterTokenRevoked);
            let is_meant =
                is_earlier && !(planted(Bug::RevokedAwayStays) && session.link().is_none());
            is_meant.then_some((number, session.link()))
        };
        let sessions: Vec<_> = uids.iter().filter_map(meant).collect();
        for &(number, link) in &sessions {
            self.end_revoked(number, link, spread);
        }
        sessions.len()
    }

    /// Ends a session whose credentials are revoked. Its client may log in with newer ones.
    pub(super) fn end_revoked(
        &mut self,
        number: SessionNumber,
        link: Option<LinkId>,
        spread: Duration,
    ) {
        if let Some(link) = link {
            self.turn_away(link, CloseCode::LoginAgain, spread);
        }
        self.end_session(number, End::Dropped);
    }
}
