//! Commands of an app's back end: messages to users and rooms, removals, bans and queries. The
//! driver decides who may give them.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::ban::Ban;
use super::command::{Command, Returned};
use super::command_error::CommandError;
use super::directory::Route;
use super::keys::SessionNumber;
use super::shard::Server;
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{AppId, Instant, MessageConfig, Payload, RoomId, RoomState, UserId};

/// All commands as data.
impl Server {
    /// Runs a command. Equals a call of the method with its name.
    pub fn command(&mut self, now: Instant, command: Command<'_>) -> Returned {
        match command {
            Command::Shutdown { retry_after_max } => {
                self.shutdown(now, retry_after_max);
                Returned::Nothing
            }
            Command::Charge { app_id, count } => Returned::Result(self.charge(now, app_id, count)),
            Command::Unicast { app_id, from, to, payload } => {
                Returned::Result(self.unicast(now, app_id, from.clone(), to, payload.clone()))
            }
            Command::BroadcastToRoom { app_id, room_id, from, payload } => {
                let (from, payload) = (from.clone(), payload.clone());
                Returned::Result(self.broadcast_to_room(now, app_id, room_id, from, payload))
            }
            Command::UnicastInRoom { app_id, room_id, from, to, payload } => {
                let (from, payload) = (from.clone(), payload.clone());
                Returned::Result(self.unicast_in_room(now, app_id, room_id, from, to, payload))
            }
            Command::Kick { app_id, room_id, uid } => {
                Returned::Whether(self.kick(now, app_id, room_id, uid))
            }
            Command::Dismiss { app_id, room_id } => {
                Returned::Count(self.dismiss(now, app_id, room_id))
            }
            Command::Ban { app_id, ban, interval } => {
                Returned::Result(self.ban(now, app_id, ban, interval))
            }
            Command::Unban { app_id, ban } => Returned::Whether(self.unban(now, app_id, ban)),
            Command::PutOut { app_id, uid } => Returned::Whether(self.put_out(now, app_id, uid)),
            Command::Revoke { app_id, uid, issued_before } => {
                Returned::Count(self.revoke(now, app_id, uid, issued_before))
            }
        }
    }
}

/// Commands of the back end. Each does its work at once. Those that send return the number of
/// sessions for which the message was queued. A user or room that is not found is not an error
/// (§5.10, §6.11). A message to a room is refused if the mailbox of a receiver's shard is full.
impl Server {
    /// Takes the worth of this number of messages from the rate of the app's back end, for a
    /// command on another shard. Returns the number.
    pub fn charge(
        &mut self,
        now: Instant,
        app_id: &AppId,
        count: usize,
    ) -> Result<usize, CommandError> {
        let command = Command::Charge { app_id, count };
        self.begin(now, &command).act(|server| {
            server.take_backend_sends(app_id, count)?;
            Ok(count)
        })
    }

    /// A reliable message to a user, who sees `from` as its sender.
    pub fn unicast(
        &mut self,
        now: Instant,
        app_id: &AppId,
        from: UserId,
        to: &UserId,
        payload: Payload,
    ) -> Result<usize, CommandError> {
        let command = Command::Unicast { app_id, from: &from, to, payload: &payload };
        let checked = command.check();
        self.begin(now, &command).act(|server| {
            checked?;
            server.take_backend_sends(app_id, 1)?;
            let config = MessageConfig::ReliableOrdered;
            let frame = Frame::Delivery { from, payload, config }.encode();
            Ok(server.unicast_here(app_id, to, frame))
        })
    }

    /// Sends a message to all members of a room. It also counts in the room's rate.
    pub fn broadcast_to_room(
        &mut self,
        now: Instant,
        app_id: &AppId,
        room_id: &RoomId,
        from: UserId,
        payload: Payload,
    ) -> Result<usize, CommandError> {
        let command = Command::BroadcastToRoom { app_id, room_id, from: &from, payload: &payload };
        let checked = command.check();
        self.begin(now, &command).act(|server| {
            checked?;
            server.take_backend_sends(app_id, 1)?;
            let frame = Frame::RoomDelivery { from, room: room_id.clone(), payload }.encode();
            server.broadcast_to_room_here(app_id, room_id, &frame)
        })
    }

    /// Sends a message to some members of a room. Names of non-members and repeated names are
    /// ignored. Each name counts as one message.
    pub fn unicast_in_room(
        &mut self,
        now: Instant,
        app_id: &AppId,
        room_id: &RoomId,
        from: UserId,
        to: &[UserId],
        payload: Payload,
    ) -> Result<usize, CommandError> {
        let command =
            Command::UnicastInRoom { app_id, room_id, from: &from, to, payload: &payload };
        let checked = command.check();
        self.begin(now, &command).act(|server| {
            checked?;
            server.take_backend_sends(app_id, to.len())?;
            let frame = Frame::RoomUnicast { from, room: room_id.clone(), payload }.encode();
            server.unicast_in_room_here(app_id, room_id, to, &frame)
        })
    }

    /// Removes a user from a room. The user may join again at once. Returns whether it was a
    /// member.
    pub fn kick(&mut self, now: Instant, app_id: &AppId, room_id: &RoomId, uid: &UserId) -> bool {
        let command = Command::Kick { app_id, room_id, uid };
        self.begin(now, &command).act(|server| server.expel(app_id, room_id, uid))
    }

    /// Removes all members from a room, which ends it. Any user may join it again at once. Returns
    /// the number of members.
    pub fn dismiss(&mut self, now: Instant, app_id: &AppId, room_id: &RoomId) -> usize {
        let command = Command::Dismiss { app_id, room_id };
        self.begin(now, &command).act(|server| server.dismiss_here(app_id, room_id))
    }

    /// Removes the users that the ban names, and refuses them for the interval (§6.2). The interval
    /// is raised to 10 s and lowered to 7 days. A zero interval lifts an earlier ban and refuses
    /// nobody. A later ban of the same kind and names replaces an earlier one. Returns the number
    /// of memberships that ended.
    ///
    /// [`Ban::Login`] puts the user out and refuses its logins (§3.10) for exactly the interval. An
    /// interval beyond the last moment lasts until the ban is lifted. Returns the number of
    /// sessions that ended. A zero interval puts nobody out.
    pub fn ban(
        &mut self,
        now: Instant,
        app_id: &AppId,
        ban: &Ban,
        interval: Duration,
    ) -> Result<usize, CommandError> {
        let command = Command::Ban { app_id, ban, interval };
        self.begin(now, &command).act(|server| server.ban_here(app_id, ban, interval))
    }

    /// The error that [`ban`](Self::ban) would return for this ban, without any effect. For callers
    /// that must not do anything else if the ban cannot be set.
    pub fn check_ban(&self, app_id: &AppId, ban: &Ban) -> Result<(), CommandError> {
        self.bans.check(app_id, ban)
    }

    /// Lifts a ban before its end. Unlike a ban for no time, this never removes a user: a user may
    /// have joined again after an earlier ban expired. Returns whether the ban was in force.
    pub fn unban(&mut self, now: Instant, app_id: &AppId, ban: &Ban) -> bool {
        let command = Command::Unban { app_id, ban };
        self.begin(now, &command).act(|server| server.unban_here(app_id, ban))
    }

    /// The members of a room in the order of their ids; `None` when the room does not exist. Users
    /// whose session has no link, or was superseded and who may return (§6.9), are members.
    #[must_use]
    pub fn room_members(
        &self,
        app_id: &AppId,
        room_id: &RoomId,
    ) -> Option<impl ExactSizeIterator<Item = &UserId> + use<'_>> {
        Some(self.rooms.find(app_id, room_id)?.uids())
    }
}

/// The parts of this shard in what a back end asks for.
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

    /// The rate of an app's back end is with the app's shard. [`Shards`](super::Shards) charges it
    /// there if the command is for another one.
    fn take_backend_sends(&mut self, app_id: &AppId, count: usize) -> Result<(), CommandError> {
        let placement = &self.shared.config.placement;
        match placement.of_app(app_id) == placement.own() {
            true => self.back_end_rates.take(&mut self.shared, app_id, count),
            false => Ok(()),
        }
    }
}
