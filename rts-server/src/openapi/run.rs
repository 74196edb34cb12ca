//! A checked call, carried out by the server core.

use rts_openapi::{
    Call, Command, Done, DoneInSmallLetters, Error, OnlineUsers, Sent, UserStatus, UserStatuses,
};
use rts_proto::server::{Ban, CommandError};
use rts_transport_tokio::Shard;
use serde::Serialize;

/// What an action gives.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Given {
    Sent(Sent),
    Done(Done),
    DoneInSmallLetters(DoneInSmallLetters),
    OnlineUsers(OnlineUsers),
    UserStatuses(UserStatuses),
}

const SUCCESS: &str = "success";

pub(super) fn run(shard: &Shard, call: Call) -> Result<Given, Error> {
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
        Command::Kick { room, uid } => {
            server.kick(now, &app, &room, &uid);
            Ok(Given::Done(Done { message: SUCCESS.to_owned() }))
        }
        Command::Dismiss { room, interval } => {
            server.dismiss(now, &app, &room);
            if !interval.is_zero() {
                server.ban(now, &app, &Ban::Room(room), interval)?;
            }
            Ok(Given::Done(Done { message: SUCCESS.to_owned() }))
        }
        Command::Ban { ban, interval } => {
            server.ban(now, &app, &ban, interval)?;
            let message = SUCCESS.to_owned();
            Ok(Given::DoneInSmallLetters(DoneInSmallLetters { message }))
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
    })
}

fn sent(result: Result<usize, CommandError>) -> Result<Given, Error> {
    let receivers = result?;
    Ok(Given::Sent(Sent { message: SUCCESS.to_owned(), receivers }))
}
