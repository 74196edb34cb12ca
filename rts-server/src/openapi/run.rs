//! Carries out checked calls with the server core.

use std::sync::Arc;
use std::time::Duration;

use rts_openapi::{
    Banned, CLOCK_SKEW_SECONDS_MAX, Call, Command, Ended, Error, ErrorCode, OnlineUsers, Removed,
    Revoked, RoomList, Sent, Stats, Unbanned, UserList, UserStatus, UserStatuses,
};
use rts_proto::server::{Ban, CommandError};
use rts_transport_tokio::server::Shard;
use serde::Serialize;

use super::lists;
use crate::state::{State, unix_now};

/// The result of an action.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Given {
    Sent(Sent),
    Removed(Removed),
    Banned(Banned),
    OnlineUsers(OnlineUsers),
    UserStatuses(UserStatuses),
    Ended(Ended),
    Unbanned(Unbanned),
    Revoked(Revoked),
    Users(UserList),
    Rooms(RoomList),
    Stats(Stats),
}

const SUCCESS: &str = "success";

/// Carries out a call, and saves its effect if a restart must not lose it.
pub(super) async fn run(shard: &Shard, state: &Arc<State>, call: Call) -> Result<Given, Error> {
    let outlives_restarts = call.command.outlives_restarts();
    let given = carry_out(shard, state, call)?;
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

fn carry_out(shard: &Shard, state: &State, call: Call) -> Result<Given, Error> {
    let Call { app_id: app, command } = call;
    shard.command(|server, now| match command {
        Command::Unicast { from, to, payload } => {
            sent(server.unicast(now, &app, from, &to, payload))
        }
        Command::Broadcast { room, from, payload } => {
            sent(server.broadcast_to_room(now, &app, &room, from, payload))
        }
        Command::RoomUnicast { room, from, to, payload } => {
            sent(server.unicast_in_room(now, &app, &room, from, &to, payload))
        }
        Command::Kick { room, uid, interval: Duration::ZERO } => {
            Ok(removed(server.kick(now, &app, &room, &uid).into()))
        }
        Command::Kick { room, uid, interval } => {
            let ban = Ban::UserInRoom(room, uid);
            let members = server.ban(now, &app, &ban, interval)?;
            state.ban(&app, &ban, interval);
            Ok(removed(members))
        }
        Command::Dismiss { room, interval: Duration::ZERO } => {
            Ok(removed(server.dismiss(now, &app, &room)))
        }
        Command::Dismiss { room, interval } => {
            let ban = Ban::Room(room.clone());
            // The room is dismissed first, since a ban would tell its members another state.
            server.check_ban(&app, &ban)?;
            let members = server.dismiss(now, &app, &room);
            server.ban(now, &app, &ban, interval)?;
            state.ban(&app, &ban, interval);
            Ok(removed(members))
        }
        Command::Ban { ban, interval } => {
            server.ban(now, &app, &ban, interval)?;
            state.ban(&app, &ban, interval);
            let message = SUCCESS.to_owned();
            Ok(Given::Banned(Banned { message }))
        }
        Command::OnlineUsers { room } => {
            let members = server.room_members(&app, &room);
            Ok(Given::OnlineUsers(members.map_or_else(OnlineUsers::default, |members| {
                OnlineUsers {
                    room_exists: true,
                    total_user: Some(members.len()),
                    visible_user_list: Some(members.map(ToString::to_string).collect()),
                    total_invisible_user: Some(0),
                    invisible_user_list: Some(Vec::new()),
                }
            })))
        }
        Command::Statuses { uids } => {
            let users = uids.iter().map(|uid| UserStatus {
                user_id: uid.to_string(),
                status: server.online_status(now, &app, uid).code(),
            });
            Ok(Given::UserStatuses(UserStatuses { users: users.collect() }))
        }
        Command::Disconnect { uid } => Ok(ended(server.put_out(now, &app, &uid).into())),
        Command::BanLogin { uid, interval } => {
            let (ban, interval) = (Ban::Login(uid), interval.unwrap_or(Duration::MAX));
            let sessions = server.ban(now, &app, &ban, interval)?;
            state.ban(&app, &ban, interval);
            Ok(ended(sessions))
        }
        Command::Unban { ban } => {
            let was_banned = server.unban(now, &app, &ban);
            state.ban(&app, &ban, Duration::ZERO);
            Ok(Given::Unbanned(Unbanned { message: SUCCESS.to_owned(), was_banned }))
        }
        Command::Revoke { uid, issued_before } => {
            let moment = moment(issued_before)?;
            // Tokens are revoked first, so that the users cannot log in again in between.
            let issued_before = state
                .revoke(&app, uid.as_ref(), moment)
                .map_err(|error| Error::new(ErrorCode::UserCountOverLimit, error.to_string()))?;
            let sessions = server.revoke(now, &app, uid.as_ref(), issued_before);
            Ok(Given::Revoked(Revoked { message: SUCCESS.to_owned(), sessions, issued_before }))
        }
        Command::Users { after, limit } => {
            let page = server.users_page(now, &app, after.as_ref(), limit);
            Ok(Given::Users(lists::users(page)))
        }
        Command::Rooms { after, limit } => {
            Ok(Given::Rooms(lists::rooms(server.rooms_page(&app, after.as_ref(), limit))))
        }
        Command::Stats => Ok(Given::Stats(lists::stats(server.app_stats(&app)))),
    })
}

fn sent(result: Result<usize, CommandError>) -> Result<Given, Error> {
    let receivers = result?;
    Ok(Given::Sent(Sent { message: SUCCESS.to_owned(), receivers }))
}

fn removed(members: usize) -> Given {
    Given::Removed(Removed { message: SUCCESS.to_owned(), members })
}

fn ended(sessions: usize) -> Given {
    Given::Ended(Ended { message: SUCCESS.to_owned(), sessions })
}

/// The moment before which issued tokens are revoked. The order of events within the current second
/// is unknown, so all tokens issued in it are revoked.
fn moment(asked: Option<u32>) -> Result<u32, Error> {
    let unix_now = unix_now();
    let latest = unix_now.saturating_add(CLOCK_SKEW_SECONDS_MAX);
    match asked {
        None => Ok(u32::try_from(unix_now + 1).unwrap_or(u32::MAX)),
        Some(moment) if u64::from(moment) <= latest => Ok(moment),
        Some(moment) => {
            let message = format!(
                "IssuedBefore: {moment} is more than 15 minutes ahead of this server's clock, {unix_now}: Unix time in seconds is \
                 meant"
            );
            Err(Error::new(ErrorCode::InvalidTimestamp, message))
        }
    }
}

#[cfg(test)]
mod tests;
