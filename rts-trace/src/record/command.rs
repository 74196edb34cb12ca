//! The commands of a server, as they are recorded.

use std::time::Duration;

use rts_proto::server::{Ban, Command};
use rts_proto::{AppId, IdError, IdKind, RoomId, UserId};
use serde::{Deserialize, Serialize};

use super::content::Content;
use crate::scrub::Scrubber;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ServerCall {
    Shutdown { retry_after_max: Duration },
    Charge { app_id: String, count: usize },
    Unicast { app_id: String, from: String, to: String, content: Content },
    BroadcastToRoom { app_id: String, room: String, from: String, content: Content },
    UnicastInRoom { app_id: String, room: String, from: String, to: Vec<String>, content: Content },
    Kick { app_id: String, room: String, uid: String },
    Dismiss { app_id: String, room: String },
    Ban { app_id: String, room: Option<String>, uid: Option<String>, interval: Duration },
    BanLogin { app_id: String, uid: String, interval: Duration },
    PutOut { app_id: String, uid: String },
    Revoke { app_id: String, uid: Option<String>, issued_before: u32 },
    Unban { app_id: String, room: Option<String>, uid: Option<String> },
    UnbanLogin { app_id: String, uid: String },
    Drain { links_max: usize, retry_after_max: Duration },
    Reopen,
}

impl ServerCall {
    pub(crate) fn of(command: &Command<'_>, scrubber: &Scrubber) -> Self {
        match *command {
            Command::Shutdown { retry_after_max } => Self::Shutdown { retry_after_max },
            Command::Drain { links_max, retry_after_max } => {
                Self::Drain { links_max, retry_after_max }
            }
            Command::Reopen => Self::Reopen,
            Command::Charge { app_id, count } => Self::Charge { app_id: app_id.to_string(), count },
            Command::Unicast { app_id, from, to, payload } => Self::Unicast {
                app_id: app_id.to_string(),
                from: from.to_string(),
                to: to.to_string(),
                content: scrubber.content(payload),
            },
            Command::BroadcastToRoom { app_id, room_id, from, payload } => Self::BroadcastToRoom {
                app_id: app_id.to_string(),
                room: room_id.to_string(),
                from: from.to_string(),
                content: scrubber.content(payload),
            },
            Command::UnicastInRoom { app_id, room_id, from, to, payload } => Self::UnicastInRoom {
                app_id: app_id.to_string(),
                room: room_id.to_string(),
                from: from.to_string(),
                to: to.iter().map(ToString::to_string).collect(),
                content: scrubber.content(payload),
            },
            Command::Kick { app_id, room_id, uid } => Self::Kick {
                app_id: app_id.to_string(),
                room: room_id.to_string(),
                uid: uid.to_string(),
            },
            Command::Dismiss { app_id, room_id } => {
                Self::Dismiss { app_id: app_id.to_string(), room: room_id.to_string() }
            }
            Command::Ban { app_id, ban, interval } => {
                let app_id = app_id.to_string();
                match Banned::from(ban) {
                    Banned::Login { uid } => Self::BanLogin { app_id, uid, interval },
                    Banned::Rooms { room, uid } => Self::Ban { app_id, room, uid, interval },
                }
            }
            Command::Unban { app_id, ban } => {
                let app_id = app_id.to_string();
                match Banned::from(ban) {
                    Banned::Login { uid } => Self::UnbanLogin { app_id, uid },
                    Banned::Rooms { room, uid } => Self::Unban { app_id, room, uid },
                }
            }
            Command::PutOut { app_id, uid } => {
                Self::PutOut { app_id: app_id.to_string(), uid: uid.to_string() }
            }
            Command::Revoke { app_id, uid, issued_before } => Self::Revoke {
                app_id: app_id.to_string(),
                uid: uid.map(ToString::to_string),
                issued_before,
            },
        }
    }

    /// Passes the recorded command to `give`.
    ///
    /// # Errors
    ///
    /// An id in the record is invalid.
    pub(crate) fn with_command<R>(self, give: impl FnOnce(Command<'_>) -> R) -> Result<R, IdError> {
        Ok(match self {
            Self::Shutdown { retry_after_max } => give(Command::Shutdown { retry_after_max }),
            Self::Drain { links_max, retry_after_max } => {
                give(Command::Drain { links_max, retry_after_max })
            }
            Self::Reopen => give(Command::Reopen),
            Self::Charge { app_id, count } => {
                give(Command::Charge { app_id: &AppId::new(&app_id)?, count })
            }
            Self::Unicast { app_id, from, to, content } => give(Command::Unicast {
                app_id: &AppId::new(&app_id)?,
                from: &UserId::new(&from)?,
                to: &UserId::new(&to)?,
                payload: &content.into(),
            }),
            Self::BroadcastToRoom { app_id, room, from, content } => {
                give(Command::BroadcastToRoom {
                    app_id: &AppId::new(&app_id)?,
                    room_id: &RoomId::new(&room)?,
                    from: &UserId::new(&from)?,
                    payload: &content.into(),
                })
            }
            Self::UnicastInRoom { app_id, room, from, to, content } => {
                let to = to.iter().map(|uid| UserId::new(uid)).collect::<Result<Vec<_>, _>>()?;
                give(Command::UnicastInRoom {
                    app_id: &AppId::new(&app_id)?,
                    room_id: &RoomId::new(&room)?,
                    from: &UserId::new(&from)?,
                    to: &to,
                    payload: &content.into(),
                })
            }
            Self::Kick { app_id, room, uid } => give(Command::Kick {
                app_id: &AppId::new(&app_id)?,
                room_id: &RoomId::new(&room)?,
                uid: &UserId::new(&uid)?,
            }),
            Self::Dismiss { app_id, room } => give(Command::Dismiss {
                app_id: &AppId::new(&app_id)?,
                room_id: &RoomId::new(&room)?,
            }),
            Self::Ban { app_id, room, uid, interval } => {
                let ban = &Banned::Rooms { room, uid }.ban()?;
                give(Command::Ban { app_id: &AppId::new(&app_id)?, ban, interval })
            }
            Self::BanLogin { app_id, uid, interval } => {
                let ban = &Banned::Login { uid }.ban()?;
                give(Command::Ban { app_id: &AppId::new(&app_id)?, ban, interval })
            }
            Self::Unban { app_id, room, uid } => {
                let ban = &Banned::Rooms { room, uid }.ban()?;
                give(Command::Unban { app_id: &AppId::new(&app_id)?, ban })
            }
            Self::UnbanLogin { app_id, uid } => {
                let ban = &Banned::Login { uid }.ban()?;
                give(Command::Unban { app_id: &AppId::new(&app_id)?, ban })
            }
            Self::PutOut { app_id, uid } => {
                give(Command::PutOut { app_id: &AppId::new(&app_id)?, uid: &UserId::new(&uid)? })
            }
            Self::Revoke { app_id, uid, issued_before } => {
                let uid = uid.as_deref().map(UserId::new).transpose()?;
                give(Command::Revoke {
                    app_id: &AppId::new(&app_id)?,
                    uid: uid.as_ref(),
                    issued_before,
                })
            }
        })
    }

    /// The command, without its payload.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Shutdown { .. } => "shutdown".into(),
            Self::Drain { links_max, .. } => format!("drain, at most {links_max} links"),
            Self::Reopen => "take new links again".into(),
            Self::Charge { app_id, count } => {
                format!("count {count} messages of the back end of app {app_id}")
            }
            Self::Unicast { from, to, content, .. } => {
                format!("unicast from {from} to {to}, {}", content.size())
            }
            Self::BroadcastToRoom { room, from, content, .. } => {
                format!("broadcast from {from} to room {room}, {}", content.size())
            }
            Self::UnicastInRoom { room, from, to, content, .. } => {
                format!(
                    "unicast from {from} to {} in room {room}, {}",
                    to.join(" "),
                    content.size()
                )
            }
            Self::Kick { room, uid, .. } => format!("kick {uid} out of room {room}"),
            Self::Dismiss { room, .. } => format!("dismiss room {room}"),
            Self::Ban { room, uid, interval, .. } => {
                format!("ban {} for {interval:?}", banned(room.as_deref(), uid.as_deref()))
            }
            Self::Unban { room, uid, .. } => {
                format!("unban {}", banned(room.as_deref(), uid.as_deref()))
            }
            Self::UnbanLogin { uid, .. } => format!("let {uid} log in again"),
            Self::BanLogin { uid, interval, .. } => {
                format!("ban {uid} from logging in for {interval:?}")
            }
            Self::PutOut { uid, .. } => format!("put {uid} out"),
            Self::Revoke { uid, issued_before, .. } => {
                let of = uid.as_deref().unwrap_or("everybody");
                format!("revoke what {of} showed that was issued before {issued_before}")
            }
        }
    }
}

/// The subject of a ban, as it is recorded.
enum Banned {
    Login {
        uid: String,
    },
    /// A room, a user or both.
    Rooms {
        room: Option<String>,
        uid: Option<String>,
    },
}

impl Banned {
    fn ban(self) -> Result<Ban, IdError> {
        let (room, uid) = match self {
            Self::Login { uid } => return Ok(Ban::Login(UserId::new(&uid)?)),
            Self::Rooms { room, uid } => (room, uid),
        };
        let room = room.as_deref().map(RoomId::new).transpose()?;
        let uid = uid.as_deref().map(UserId::new).transpose()?;
        Ok(match (room, uid) {
            (Some(room), Some(uid)) => Ban::UserInRoom(room, uid),
            (Some(room), None) => Ban::Room(room),
            (None, Some(uid)) => Ban::User(uid),
            (None, None) => return Err(IdError::Empty { kind: IdKind::User }),
        })
    }
}

impl From<&Ban> for Banned {
    fn from(ban: &Ban) -> Self {
        let (room, uid) = match ban {
            Ban::Login(uid) => return Self::Login { uid: uid.to_string() },
            Ban::Room(room) => (Some(room), None),
            Ban::UserInRoom(room, uid) => (Some(room), Some(uid)),
            Ban::User(uid) => (None, Some(uid)),
        };
        Self::Rooms { room: room.map(ToString::to_string), uid: uid.map(ToString::to_string) }
    }
}

fn banned(room: Option<&str>, uid: Option<&str>) -> String {
    match (room, uid) {
        (Some(room), Some(uid)) => format!("{uid} from room {room}"),
        (Some(room), None) => format!("room {room}"),
        (None, uid) => format!("{} from all rooms", uid.unwrap_or_default()),
    }
}
