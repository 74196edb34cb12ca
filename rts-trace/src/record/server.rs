//! The inputs and commands of a server, as they are recorded.

use std::time::Duration;

use rts_proto::server::{Ban, Command, Input, PostProgress, Verdict};
use rts_proto::wire::ResumeKey;
use rts_proto::{
    AppId, CallId, IdError, IdKind, LinkId, LoginCode, LoginId, Reply, RoomId, TargetId, UserId,
};
use serde::{Deserialize, Serialize};

use super::content::Content;
use crate::scrub::Scrubber;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ServerInput {
    Tick,
    Accepted(u64, [u8; 16]),
    Received(u64, Vec<u8>),
    Disconnected(u64),
    Accept { login: u64, claim: u64, issued_at: u32 },
    Refuse { login: u64, code: i32 },
    Congested { link: u64, is_congested: bool },
    TargetChecked { target: u64, allowed: bool },
    PostBegun { call: u64 },
    PostAnswered { call: u64, reply: Vec<u8> },
    PostAnsweredBadly { call: u64 },
    PostNotReached { call: u64 },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ServerCall {
    Shutdown { retry_after_max: Duration },
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
}

impl From<ServerInput> for Input {
    fn from(input: ServerInput) -> Self {
        match input {
            ServerInput::Tick => Self::Tick,
            ServerInput::Accepted(link, key) => Self::Accepted(LinkId(link), ResumeKey(key)),
            ServerInput::Received(link, bytes) => Self::Received(LinkId(link), bytes.into()),
            ServerInput::Disconnected(link) => Self::Disconnected(LinkId(link)),
            ServerInput::Accept { login, claim, issued_at } => {
                Self::Verdict(LoginId(login), Verdict::Accept { claim, issued_at })
            }
            ServerInput::Refuse { login, code } => {
                let code = LoginCode::try_from(code).unwrap_or(LoginCode::Unknown);
                Self::Verdict(LoginId(login), Verdict::Refuse(code))
            }
            ServerInput::Congested { link, is_congested } => {
                Self::Congested(LinkId(link), is_congested)
            }
            ServerInput::TargetChecked { target, allowed } => {
                Self::TargetChecked(TargetId(target), allowed)
            }
            ServerInput::PostBegun { call } => {
                Self::AppServerReplied(CallId(call), PostProgress::Begun)
            }
            ServerInput::PostAnswered { call, reply } => {
                let reply = Reply(reply.into());
                Self::AppServerReplied(CallId(call), PostProgress::Answered(reply))
            }
            ServerInput::PostAnsweredBadly { call } => {
                Self::AppServerReplied(CallId(call), PostProgress::AnsweredBadly)
            }
            ServerInput::PostNotReached { call } => {
                Self::AppServerReplied(CallId(call), PostProgress::NotReached)
            }
        }
    }
}

impl ServerInput {
    pub(crate) fn of(input: &Input, scrubber: &mut Scrubber) -> Self {
        match input {
            Input::Tick => Self::Tick,
            Input::Accepted(link, key) => {
                scrubber.open(*link);
                Self::Accepted(link.0, scrubber.key(key))
            }
            Input::Received(link, bytes) => Self::Received(link.0, scrubber.received(*link, bytes)),
            Input::Disconnected(link) => {
                scrubber.forget(*link);
                Self::Disconnected(link.0)
            }
            Input::Verdict(login, Verdict::Accept { claim, issued_at }) => {
                Self::Accept { login: login.0, claim: *claim, issued_at: *issued_at }
            }
            Input::Verdict(login, Verdict::Refuse(code)) => {
                Self::Refuse { login: login.0, code: code.code() }
            }
            Input::Congested(link, is_congested) => {
                Self::Congested { link: link.0, is_congested: *is_congested }
            }
            Input::TargetChecked(target, allowed) => {
                Self::TargetChecked { target: target.0, allowed: *allowed }
            }
            Input::AppServerReplied(CallId(call), progress) => match progress {
                PostProgress::Begun => Self::PostBegun { call: *call },
                PostProgress::Answered(reply) => {
                    Self::PostAnswered { call: *call, reply: scrubber.reply(reply) }
                }
                PostProgress::AnsweredBadly => Self::PostAnsweredBadly { call: *call },
                PostProgress::NotReached => Self::PostNotReached { call: *call },
            },
        }
    }

    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Tick => "tick".into(),
            Self::Accepted(link, _) => format!("link {link} was accepted"),
            Self::Received(link, bytes) => format!("{} bytes on link {link}", bytes.len()),
            Self::Disconnected(link) => format!("link {link} is down"),
            Self::Congested { link, is_congested: true } => {
                format!("much waits to be written on link {link}")
            }
            Self::Congested { link, .. } => format!("link {link} is written again"),
            Self::Accept { login, .. } => format!("login {login} is let in"),
            Self::Refuse { login, code } => format!("login {login} is refused with {code}"),
            Self::TargetChecked { target, allowed } => format!("target {target}: {allowed}"),
            Self::PostBegun { call } => format!("post {call} is being answered"),
            Self::PostAnswered { call, reply } => {
                format!("post {call} was answered with {} bytes", reply.len())
            }
            Self::PostAnsweredBadly { call } => format!("post {call} was answered badly"),
            Self::PostNotReached { call } => format!("post {call} reached nobody"),
        }
    }
}

impl ServerCall {
    pub(crate) fn of(command: &Command<'_>, scrubber: &Scrubber) -> Self {
        match *command {
            Command::Shutdown { retry_after_max } => Self::Shutdown { retry_after_max },
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
