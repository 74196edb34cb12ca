//! What the app's back end does: messages to users and rooms, removals, questions. Who may ask for
//! what is the driver's to decide.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use bytes::Bytes;

use super::bans::Ban;
use super::rooms::App;
use super::session::SessionNumber;
use super::{Report, Server};
use crate::limits::{
    BACKEND_BURST_MIN, PAYLOAD_BYTES_MAX, ROOM_UNICAST_PAYLOAD_BYTES_MAX,
    ROOM_UNICAST_RECEIVERS_MAX,
};
use crate::planted::{Bug, planted};
use crate::rate::TokenBucket;
use crate::wire::Frame;
use crate::{AppId, Instant, LeaveReason, MessageConfig, Payload, RoomId, RoomState, UserId};

/// Why a command of the back end did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The app's back end sends too much.
    #[error("over the {per_second} messages a second that the back end of one app may send")]
    OverAppRate {
        /// What it may.
        per_second: u32,
    },
    /// The room's members and the back end together send too much.
    #[error("over the broadcasts a second of this room, all senders together")]
    OverRoomRate,
    /// A payload over its limit.
    #[error("the message has {len} bytes, at most {max} are allowed")]
    TooLong {
        /// What it has.
        len: usize,
        /// What it may have.
        max: usize,
    },
    /// More receivers than one command may have.
    #[error("{count} receivers, at most {max} are allowed")]
    TooManyReceivers {
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// The app has as many bans as it can have.
    #[error("the app has {max} bans, which is all that it can have: lift some, or let them expire")]
    TooManyBans {
        /// How many it can have.
        max: usize,
    },
}

/// The back end's commands. Each does its work at once. Those that send return how many sessions
/// the message was queued for; a user or a room that is not there is no error (§5.10, §6.11).
impl Server {
    /// A reliable message to a user, who sees `from` as its sender.
    pub fn unicast(
        &mut self,
        now: Instant,
        app_id: &AppId,
        from: UserId,
        to: &UserId,
        payload: Payload,
    ) -> Result<usize, CommandError> {
        let now = self.advance(now);
        check_length(&payload, PAYLOAD_BYTES_MAX)?;
        self.take_backend_sends(now, app_id, 1)?;
        let number = if planted(Bug::BackEndReachesAnyApp) {
            self.apps.values().find_map(|app| app.users.get(to)).copied()
        } else {
            self.apps.get(app_id).and_then(|app| app.users.get(to)).copied()
        };
        let Some(number) = number else { return Ok(0) };
        let Some(receiver) = self.sessions.get_mut(number) else { return Ok(0) };
        let config = MessageConfig::ReliableOrdered;
        let bytes = Frame::Delivery { from, payload, config }.encode();
        if planted(Bug::BackEndSaysItTwice) {
            receiver.push(bytes.clone(), None);
        }
        self.dirty.add(now, number, receiver);
        Ok(receiver.push(bytes, None).into())
    }

    /// A message to all members of a room. It counts in the room's rate as well.
    pub fn broadcast_to_room(
        &mut self,
        now: Instant,
        app_id: &AppId,
        room_id: &RoomId,
        from: UserId,
        payload: Payload,
    ) -> Result<usize, CommandError> {
        let now = self.advance(now);
        check_length(&payload, PAYLOAD_BYTES_MAX)?;
        self.take_backend_sends(now, app_id, 1)?;
        let room = self.apps.get_mut(app_id).and_then(|app| app.rooms.get_mut(room_id));
        let Some(room) = room else { return Ok(0) };
        if !room.broadcasts.take(now) {
            return Err(CommandError::OverRoomRate);
        }
        let receivers = room.sessions().collect();
        let bytes = Frame::RoomDelivery { from, room: room_id.clone(), payload }.encode();
        Ok(self.push_to_all(now, receivers, &bytes))
    }

    /// A message to some members of a room; names that are no members, or there twice, change
    /// nothing. Counts as one message for each name.
    pub fn unicast_in_room(
        &mut self,
        now: Instant,
        app_id: &AppId,
        room_id: &RoomId,
        from: UserId,
        to: &[UserId],
        payload: Payload,
    ) -> Result<usize, CommandError> {
        let now = self.advance(now);
        check_length(&payload, ROOM_UNICAST_PAYLOAD_BYTES_MAX)?;
        if to.len() > ROOM_UNICAST_RECEIVERS_MAX {
            let (count, max) = (to.len(), ROOM_UNICAST_RECEIVERS_MAX);
            return Err(CommandError::TooManyReceivers { count, max });
        }
        self.take_backend_sends(now, app_id, to.len())?;
        let room = self.apps.get(app_id).and_then(|app| app.rooms.get(room_id));
        let Some(room) = room else { return Ok(0) };
        let to: BTreeSet<&UserId> = to.iter().collect();
        let receivers = if planted(Bug::RoomUnicastToAll) {
            room.sessions().collect()
        } else {
            to.into_iter().filter_map(|uid| room.session_of(uid)).collect()
        };
        let bytes = Frame::RoomUnicast { from, room: room_id.clone(), payload }.encode();
        Ok(self.push_to_all(now, receivers, &bytes))
    }

    /// Removes a user from a room; it may join again at once. Whether it was there.
    pub fn kick(&mut self, now: Instant, app_id: &AppId, room_id: &RoomId, uid: &UserId) -> bool {
        let now = self.advance(now);
        let was_there = self.expel(app_id, room_id, uid);
        self.end_overrun(now);
        self.forget_empty_app(app_id);
        was_there
    }

    /// Removes everybody from a room, which is then no more; anybody may join it again at once. How
    /// many members it had.
    pub fn dismiss(&mut self, now: Instant, app_id: &AppId, room_id: &RoomId) -> usize {
        let now = self.advance(now);
        let members = self.expel_all(app_id, room_id, RoomState::Dismissed);
        self.end_overrun(now);
        self.forget_empty_app(app_id);
        members
    }

    /// Removes whom it is about, and for so long refuses to let them in (§6.2): at least 10 s and
    /// at most 7 days, or not at all when `interval` is zero, which also lifts an earlier ban. A
    /// later ban of the same takes the place of the earlier. How many memberships ended.
    ///
    /// [`Ban::Login`] puts the user out and refuses its logins (§3.10) for exactly so long, or
    /// until it is lifted when that is longer than time is; how many sessions ended. Lifting it
    /// with zero puts nobody out.
    pub fn ban(
        &mut self,
        now: Instant,
        app_id: &AppId,
        ban: &Ban,
        interval: core::time::Duration,
    ) -> Result<usize, CommandError> {
        let now = self.advance(now);
        self.set_ban(now, app_id, ban, interval)?;
        let ended = match ban {
            Ban::Room(_) if planted(Bug::BanLeavesMembers) => 0,
            Ban::Room(room_id) => self.expel_all(app_id, room_id, RoomState::Kicked),
            Ban::UserInRoom(room_id, uid) => self.expel(app_id, room_id, uid).into(),
            Ban::User(uid) => self.expel_everywhere(app_id, uid),
            Ban::Login(_) if interval.is_zero() => 0,
            Ban::Login(uid) => self.end_login(now, app_id, uid).into(),
        };
        self.end_overrun(now);
        self.forget_empty_app(app_id);
        Ok(ended)
    }

    /// Lifts a ban before its time. Unlike a ban for no time, this never removes anybody: a ban that
    /// ran out may have let its users in again since. Whether it was in force.
    pub fn unban(&mut self, now: Instant, app_id: &AppId, ban: &Ban) -> bool {
        let now = self.advance(now);
        let was_in_force = self.lift_ban(now, app_id, ban);
        self.forget_empty_app(app_id);
        was_in_force
    }

    /// The members of a room in the order of their ids, or nothing when it does not exist. Those
    /// whose session is broken or was superseded and who may be back (§6.9) are members.
    #[must_use]
    pub fn room_members(
        &self,
        app_id: &AppId,
        room_id: &RoomId,
    ) -> Option<impl ExactSizeIterator<Item = &UserId> + use<'_>> {
        let room = self.apps.get(app_id)?.rooms.get(room_id)?;
        Some(room.members.keys())
    }

    fn push_to_all(&mut self, now: Instant, receivers: Vec<SessionNumber>, bytes: &Bytes) -> usize {
        let count = receivers.len();
        for receiver in receivers {
            self.push_or_end(receiver, bytes.clone());
        }
        self.end_overrun(now);
        count
    }

    fn take_backend_sends(
        &mut self,
        now: Instant,
        app_id: &AppId,
        count: usize,
    ) -> Result<(), CommandError> {
        let per_second = self.config.backend_sends_per_second;
        let app = self.apps.entry(app_id.clone()).or_insert_with(|| App::new(self.seed));
        let bucket = app.backend_sends.get_or_insert_with(|| {
            TokenBucket::with_burst(per_second, per_second.max(BACKEND_BURST_MIN), now)
        });
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let has_enough = bucket.take_many(count, now);
        // There may be nobody of this app.
        self.forget_empty_app(app_id);
        match has_enough {
            true => Ok(()),
            false => Err(CommandError::OverAppRate { per_second }),
        }
    }

    /// Takes one member out by force.
    fn expel(&mut self, app_id: &AppId, room_id: &RoomId, uid: &UserId) -> bool {
        let room = self.apps.get(app_id).and_then(|app| app.rooms.get(room_id));
        let Some(room) = room.filter(|room| room.members.contains_key(uid)) else { return false };
        let number = room.session_of(uid);
        self.remove_member(app_id, room_id, uid, LeaveReason::Kicked);
        if let Some(number) = number {
            self.welcome_briefly(number, room_id);
            if let Some(session) = self.sessions.get_mut(number) {
                session.rooms.remove(room_id);
            }
            let notice = Frame::RoomNotice { room: room_id.clone(), state: RoomState::Kicked };
            if !planted(Bug::KickNotTold) {
                self.push_frame(number, notice);
            }
        }
        true
    }

    /// Takes all members out by force: nobody is left to be told of the others.
    fn expel_all(&mut self, app_id: &AppId, room_id: &RoomId, state: RoomState) -> usize {
        debug_assert!(self.fan_out.is_empty(), "they still were members");
        let room = self.apps.get_mut(app_id).and_then(|app| app.rooms.remove(room_id));
        let Some(room) = room else { return 0 };
        let notice = Frame::RoomNotice { room: room_id.clone(), state }.encode();
        for (uid, member) in &room.members {
            self.forget_orphan(app_id, room_id, uid, member.orphaned_until);
            let (room, uid) = (room_id.clone(), uid.clone());
            let reason = LeaveReason::Kicked;
            if planted(Bug::DismissalNotReported) {
                continue;
            }
            self.report(app_id, || Report::MemberLeft { room, uid, reason });
        }
        self.report(app_id, || Report::RoomEmptied { room: room_id.clone() });
        for number in room.sessions() {
            self.welcome_briefly(number, room_id);
            if let Some(session) = self.sessions.get_mut(number) {
                session.rooms.remove(room_id);
            }
            self.push_or_end(number, notice.clone());
        }
        room.members.len()
    }

    pub(super) fn expel_everywhere(&mut self, app_id: &AppId, uid: &UserId) -> usize {
        let rooms = self.rooms_of(app_id, uid);
        rooms.iter().filter(|room_id| self.expel(app_id, room_id, uid)).count()
    }

    /// Looks at all rooms of the app: memberships that wait for a new session (§6.9) are in no
    /// session's list.
    fn rooms_of(&self, app_id: &AppId, uid: &UserId) -> Vec<RoomId> {
        let rooms = self.apps.get(app_id).into_iter().flat_map(|app| &app.rooms);
        let joined = rooms.filter(|(_, room)| room.members.contains_key(uid));
        joined.map(|(room_id, _)| room_id.clone()).collect()
    }
}

impl App {
    /// Whether nothing would be lost with it but what its back end used of its rate.
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty()
            && self.rooms.is_empty()
            && self.bans.is_empty()
            && self.tallies.is_empty()
            && self.posts.is_empty()
    }
}

fn check_length(payload: &Payload, max: usize) -> Result<(), CommandError> {
    match payload.len() {
        len if len > max => Err(CommandError::TooLong { len, max }),
        _ => Ok(()),
    }
}
