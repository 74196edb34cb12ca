//! The requests of the subcommands.

use anyhow::bail;
use rts_openapi::Action;
use serde_json::{Value, json};

use super::what::What;

/// The valid lengths of a ban from rooms.
const ROOM_BAN_SECONDS: std::ops::RangeInclusive<u64> = 10..=604_800;

impl What {
    /// The action that is asked for, and its fields without the app's id.
    pub(super) fn request(&self) -> anyhow::Result<(Action, Value)> {
        Ok(match self {
            Self::Send { uid, message, room: None, how } => {
                (Action::SendUnicast, how.message(message, json!({"To": uid}))?)
            }
            Self::Send { uid, message, room: Some(room), how } => {
                let fields = json!({"RoomId": room, "To": uid});
                (Action::SendRoomUnicast, how.message(message, fields)?)
            }
            Self::Broadcast { room, message, how } => {
                (Action::SendBroadcast, how.message(message, json!({"RoomId": room}))?)
            }
            Self::Kick { uid, room } => (Action::KickUser, json!({"RoomId": room, "UserId": uid})),
            Self::Dismiss { room } => (Action::DismissRoom, json!({"RoomId": room})),
            Self::Disconnect { uid } => (Action::DisconnectUser, json!({"UserId": uid})),
            Self::Ban { whom, seconds, until_lifted } => match whom.login_ban() {
                Some(user) => {
                    let seconds = if *until_lifted { 0 } else { *seconds };
                    (Action::BanUser, json!({"UserId": user, "Seconds": seconds}))
                }
                None if !ROOM_BAN_SECONDS.contains(seconds) => {
                    bail!("a ban from rooms lasts from 10 seconds to 7 days, not {seconds} s");
                }
                None => {
                    let mut fields = whom.fields();
                    fields["ForbiddenInterval"] = json!(seconds);
                    (Action::BanRoomUser, fields)
                }
            },
            Self::Unban { whom } => match whom.login_ban() {
                Some(user) => (Action::UnbanUser, json!({"UserId": user})),
                None => (Action::UnbanRoomUser, whom.fields()),
            },
            Self::Revoke { whose, issued_before } => {
                let mut fields = json!({});
                if let Some(user) = &whose.user {
                    fields["UserId"] = json!(user);
                }
                if let Some(second) = issued_before {
                    fields["IssuedBefore"] = json!(second);
                }
                (Action::RevokeTokens, fields)
            }
            Self::Users { page } => (Action::ListUsers, page.fields()),
            Self::Rooms { page } => (Action::ListRooms, page.fields()),
            Self::Stats => (Action::GetStats, json!({})),
            Self::Online { uids } => (Action::GetUserOnlineStatus, json!({"UserIds": uids})),
            Self::Room { room } => (Action::GetRoomOnlineUsers, json!({"RoomId": room})),
        })
    }
}
