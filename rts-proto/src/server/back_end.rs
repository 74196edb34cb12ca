//! Commands of an app's back end: messages to users and rooms, removals, bans and queries. The
//! driver decides who may give them.

use core::time::Duration;

use super::ban::Ban;
use super::command::{Command, Returned};
use super::command_error::CommandError;
use super::shard::Server;
use crate::wire::Frame;
use crate::{AppId, Instant, MessageConfig, Payload, RoomId, UserId};

/// All commands as data.
impl Server {
    /// Runs a command. Equals a call of the method with its name.
    pub fn command(&mut self, now: Instant, command: Command<'_>) -> Returned {
        match command {
            Command::Shutdown { retry_after_max } => {
                self.shutdown(now, retry_after_max);
                Returned::Nothing
            }
            Command::Drain { links_max, retry_after_max } => {
                Returned::Count(self.drain(now, links_max, retry_after_max))
            }
            Command::Reopen => {
                self.reopen(now);
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
        let length = ban.length_for(interval);
        self.begin(now, &command).act(|server| server.ban_here(app_id, ban, length))
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

    /// Ends a user's session. The client is logged out with reason 2 and does not log in again by
    /// itself (§3.10). The user leaves its rooms, and may log in again at once. Returns whether it
    /// had a session.
    pub fn put_out(&mut self, now: Instant, app_id: &AppId, uid: &UserId) -> bool {
        let command = Command::PutOut { app_id, uid };
        self.begin(now, &command).act(|server| server.end_login(app_id, uid))
    }

    /// Ends sessions of a user, or of all users of the app, whose credentials were issued before
    /// this moment ([`Verdict::Accept`](super::Verdict::Accept)). Their clients log in again by
    /// themselves, those of a whole app spread over some seconds (§3.11). The driver has to refuse
    /// the old credentials then. Returns the number of sessions that ended.
    pub fn revoke(
        &mut self,
        now: Instant,
        app_id: &AppId,
        uid: Option<&UserId>,
        issued_before: u32,
    ) -> usize {
        let command = Command::Revoke { app_id, uid, issued_before };
        self.begin(now, &command).act(|server| server.revoke_here(app_id, uid, issued_before))
    }
}

impl Server {
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
