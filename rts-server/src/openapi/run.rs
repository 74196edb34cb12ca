//! Carries out checked calls with the server core.

mod in_cluster;

use std::sync::Arc;
use std::time::Duration;

use rts_openapi::{Call, Command, Error, ErrorCode};
use rts_proto::server::{Ban, Command as CoreCommand, Returned, Shards as _};
use rts_proto::{AppId, RoomId, UserId};
use rts_transport_tokio::server::{Commands, Node};

use super::given::{Given, banned, ended, moment, removed, revoked, sent, unbanned};
use super::lists;
use crate::state::State;

/// Carries out a call, and saves its effect if a restart must not lose it.
pub(super) async fn run(node: &Node, state: &Arc<State>, call: Call) -> Result<Given, Error> {
    let outlives_restarts = call.command.outlives_restarts();
    let given = match node.is_in_cluster() {
        true => {
            check_lease(node)?;
            in_cluster::carry_out(node, state, &call).await?
        }
        false => carry_out(node, state, &call)?,
    };
    if outlives_restarts && let Err(error) = state.save().await {
        tracing::error!(
            %error,
            "bans and revoked tokens could not be written: the latest are lost on restart"
        );
        let message =
            format!("in force, but not written to state_dir, so it is lost on restart: {error}");
        return Err(Error::new(ErrorCode::InternalError, message));
    }
    Ok(given)
}

/// A node that is frozen carries out nothing.
fn check_lease(node: &Node) -> Result<(), Error> {
    if node.may_act() {
        return Ok(());
    }
    let message = "nothing was done: no majority of the cluster hears this node at the moment; ask \
                   another node, or ask again later";
    Err(Error::new(ErrorCode::Unavailable, message))
}

/// With the shards of this node, which is in no cluster.
fn carry_out(node: &Node, state: &State, call: &Call) -> Result<Given, Error> {
    let Call { app_id, command } = call;
    let mut core = Core { node: node.commands(), app_id, state };
    match command {
        Command::Unicast { from, to, payload } => {
            core.run(CoreCommand::Unicast { app_id, from, to, payload }).map(sent)
        }
        Command::Broadcast { room: room_id, from, payload } => {
            core.run(CoreCommand::BroadcastToRoom { app_id, room_id, from, payload }).map(sent)
        }
        Command::RoomUnicast { room: room_id, from, to, payload } => {
            core.run(CoreCommand::UnicastInRoom { app_id, room_id, from, to, payload }).map(sent)
        }
        Command::Kick { room: room_id, uid, interval: Duration::ZERO } => {
            core.run(CoreCommand::Kick { app_id, room_id, uid }).map(removed)
        }
        Command::Kick { room, uid, interval } => {
            core.ban(&Ban::UserInRoom(room.clone(), uid.clone()), *interval).map(removed)
        }
        Command::Dismiss { room, interval } => core.dismiss(room, *interval).map(removed),
        Command::Ban { ban, interval } => core.ban(ban, *interval).map(|_| banned()),
        Command::Disconnect { uid } => core.run(CoreCommand::PutOut { app_id, uid }).map(ended),
        Command::BanLogin { uid, interval } => {
            let interval = interval.unwrap_or(Duration::MAX);
            core.ban(&Ban::Login(uid.clone()), interval).map(ended)
        }
        Command::Unban { ban } => core.unban(ban).map(unbanned),
        Command::Revoke { uid, issued_before } => core.revoke(uid.as_ref(), *issued_before),
        Command::OnlineUsers { room } => {
            Ok(Given::OnlineUsers(lists::members(core.node.room_members(app_id, room))))
        }
        Command::Statuses { uids } => {
            let status_of = |uid: &UserId| core.node.online_status(app_id, uid);
            Ok(Given::UserStatuses(lists::statuses(uids, status_of)))
        }
        Command::Users { after, limit } => {
            Ok(Given::Users(lists::users(core.node.users_page(app_id, after.as_ref(), *limit))))
        }
        Command::Rooms { after, limit } => {
            Ok(Given::Rooms(lists::rooms(core.node.rooms_page(app_id, after.as_ref(), *limit))))
        }
        Command::Stats => Ok(Given::Stats(lists::stats(core.node.app_stats(app_id)))),
    }
}

/// The cores of all shards, and the state that outlives restarts.
struct Core<'a> {
    node: Commands<'a>,
    app_id: &'a AppId,
    state: &'a State,
}

impl Core<'_> {
    /// Runs a command. Returns the number of its receivers, or of sessions, memberships or bans
    /// that ended.
    fn run(&mut self, command: CoreCommand<'_>) -> Result<usize, Error> {
        match self.node.command(command) {
            Returned::Nothing => Ok(0),
            Returned::Whether(whether) => Ok(whether.into()),
            Returned::Count(count) => Ok(count),
            Returned::Result(result) => Ok(result?),
        }
    }

    /// Sets a ban. Returns the number of sessions or memberships that it ended.
    fn ban(&mut self, ban: &Ban, interval: Duration) -> Result<usize, Error> {
        let ended = self.run(CoreCommand::Ban { app_id: self.app_id, ban, interval })?;
        self.state.ban(self.app_id, ban, ban.length_for(interval));
        Ok(ended)
    }

    /// Removes all members, and bans the room unless the interval is zero.
    fn dismiss(&mut self, room_id: &RoomId, interval: Duration) -> Result<usize, Error> {
        let dismiss = CoreCommand::Dismiss { app_id: self.app_id, room_id };
        if interval.is_zero() {
            return self.run(dismiss);
        }
        let ban = Ban::Room(room_id.clone());
        // The room is dismissed first, because a ban would give its members another state.
        self.node.check_ban(self.app_id, &ban)?;
        let members = self.run(dismiss)?;
        self.ban(&ban, interval)?;
        Ok(members)
    }

    /// Returns whether the ban was in force.
    fn unban(&mut self, ban: &Ban) -> Result<bool, Error> {
        let lifted = self.run(CoreCommand::Unban { app_id: self.app_id, ban })?;
        self.state.ban(self.app_id, ban, Duration::ZERO);
        Ok(lifted > 0)
    }

    fn revoke(&mut self, uid: Option<&UserId>, asked: Option<u32>) -> Result<Given, Error> {
        let (app_id, moment) = (self.app_id, moment(asked)?);
        // Tokens are revoked first, so that the users cannot log in again in between.
        let issued_before = self
            .state
            .revoke(app_id, uid, moment)
            .map_err(|error| Error::new(ErrorCode::UserCountOverLimit, error.to_string()))?;
        let sessions = self.run(CoreCommand::Revoke { app_id, uid, issued_before })?;
        Ok(revoked(sessions, issued_before))
    }
}

#[cfg(test)]
mod tests;
