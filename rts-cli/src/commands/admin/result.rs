//! The results of the subcommands, for people.

use rts_openapi::{
    Ended, OnlineUsers, Removed, Revoked, RoomList, Sent, Stats, Unbanned, UserList, UserStatuses,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::tables;
use super::what::What;
use crate::commands::token::moment;
use crate::dev_token::unix_now;

impl What {
    /// Describes the result for people.
    pub(super) fn describe(&self, result: Value) -> anyhow::Result<String> {
        Ok(match self {
            Self::Send { uid, room, .. } => match (read::<Sent>(result)?.receivers, room) {
                (0, None) => format!("accepted, but {uid} is not logged in: nobody gets it"),
                (0, Some(room)) => format!("accepted, but {uid} is not in {room}: nobody gets it"),
                _ => format!("queued for {uid}"),
            },
            Self::Broadcast { room, .. } => match read::<Sent>(result)?.receivers {
                0 => format!("accepted, but nobody is in {room}"),
                count => format!("queued for {count} in {room}"),
            },
            Self::Kick { uid, room } => match read::<Removed>(result)?.members {
                0 => format!("{uid} was not in {room}"),
                _ => format!("{uid} is out of {room}, and may join again"),
            },
            Self::Dismiss { room } => match read::<Removed>(result)?.members {
                0 => format!("nobody was in {room}"),
                count => format!("{count} put out of {room}, who may join again"),
            },
            Self::Disconnect { uid } => match read::<Ended>(result)?.sessions {
                0 => format!("{uid} was not logged in"),
                _ => format!("{uid} is logged out, and may log in again"),
            },
            Self::Ban { whom, seconds, until_lifted } => match whom.login_ban() {
                Some(user) => {
                    let was_there = match read::<Ended>(result)?.sessions {
                        0 => "was not logged in",
                        _ => "is logged out",
                    };
                    let lasting = match until_lifted {
                        true => "until the ban is lifted".to_owned(),
                        false => format!("for {seconds} s"),
                    };
                    format!("{user} {was_there}, and is banned {} {lasting}", whom.scope())
                }
                None => format!("{} is banned {} for {seconds} s", whom.subject(), whom.scope()),
            },
            Self::Unban { whom } => {
                let is = match read::<Unbanned>(result)?.was_banned {
                    true => "is no longer",
                    false => "was not",
                };
                format!("{} {is} banned {}", whom.subject(), whom.scope())
            }
            Self::Revoke { whose, .. } => {
                let Revoked { sessions, issued_before, .. } = read(result)?;
                let whose = whose.user.as_deref().unwrap_or("all users");
                match issued_before {
                    0 => format!("no token of {whose} is revoked"),
                    _ => format!(
                        "tokens of {whose} are valid if they were issued at {} or later; sessions \
                         ended: {sessions}",
                        moment(issued_before, unix_now())
                    ),
                }
            }
            Self::Users { .. } => tables::users(&read::<UserList>(result)?),
            Self::Rooms { .. } => tables::rooms(&read::<RoomList>(result)?),
            Self::Stats => tables::stats(&read::<Stats>(result)?),
            Self::Online { .. } => {
                let statuses = read::<UserStatuses>(result)?.users;
                let lines = statuses
                    .iter()
                    .map(|user| format!("{}: {}", user.user_id, tables::status(user.status)));
                lines.collect::<Vec<_>>().join("\n")
            }
            Self::Room { room } => match read::<OnlineUsers>(result)?.visible_user_list {
                None => format!("nobody is in {room}"),
                Some(users) => users.join("\n"),
            },
        })
    }
}

fn read<T: DeserializeOwned>(result: Value) -> anyhow::Result<T> {
    Ok(serde_json::from_value(result)?)
}
