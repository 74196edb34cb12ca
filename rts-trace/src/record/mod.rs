//! What is in a trace. Values are plain here: they were checked when they were recorded, and are
//! again when they are replayed. A change of these types is a change of the format: its version
//! grows, as `format.rs` says.

mod client;
mod config;

use std::time::Duration;

use rts_proto::server::{self, Ban, PostProgress, Verdict};
use rts_proto::wire::ResumeKey;
use rts_proto::{
    AppId, CallId, IdError, IdKind, Instant, LinkId, LoginCode, LoginId, Payload, Reply, RoomId,
    TargetId, UserId,
};
use serde::{Deserialize, Serialize};

pub(crate) use client::{ClientCall, ClientInput};
pub(crate) use config::{CoreConfig, client_config};

/// One record.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Record {
    /// The first record of a file, and the first variant in all versions of the format.
    Start(Start),
    ClientInput {
        after_micros: u64,
        input: ClientInput,
    },
    ClientCall {
        after_micros: u64,
        call: ClientCall,
    },
    ServerInput {
        after_micros: u64,
        input: ServerInput,
    },
    ServerCall {
        after_micros: u64,
        call: ServerCall,
    },
    /// The core was drained: what it said and returned since the beginning, as a digest.
    Drained {
        digest: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Start {
    /// Of the software that recorded. It is first in all versions of the format.
    pub(crate) version: String,
    pub(crate) scrubbed: bool,
    /// Unix time of the recording's beginning.
    pub(crate) unix_micros: u64,
    pub(crate) seed: u64,
    pub(crate) core: CoreConfig,
}

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
pub(crate) enum Content {
    Text(String),
    Binary(Vec<u8>),
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

impl From<ServerInput> for server::Input {
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

impl From<Content> for Payload {
    fn from(content: Content) -> Self {
        match content {
            Content::Text(text) => Self::text(text),
            Content::Binary(bytes) => Self::binary(bytes),
        }
    }
}

impl From<&Content> for Payload {
    fn from(content: &Content) -> Self {
        match content {
            Content::Text(text) => Self::text(text.clone()),
            Content::Binary(bytes) => Self::binary(bytes.clone()),
        }
    }
}

impl Content {
    pub(crate) fn size(&self) -> String {
        match self {
            Self::Text(text) => format!("{} bytes of text", text.len()),
            Self::Binary(bytes) => format!("{} bytes", bytes.len()),
        }
    }
}

impl ServerInput {
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

// Commands that return nothing are told like the others.
#[allow(clippy::unit_arg)]
impl ServerCall {
    /// Makes the call, and gives what it returned as text.
    pub(crate) fn make(self, core: &mut server::Server, now: Instant) -> Result<String, IdError> {
        Ok(match self {
            Self::Shutdown { retry_after_max } => shown(&core.shutdown(now, retry_after_max)),
            Self::Unicast { app_id, from, to, content } => {
                let (app_id, to) = (AppId::new(&app_id)?, UserId::new(&to)?);
                let from = UserId::new(&from)?;
                shown(&core.unicast(now, &app_id, from, &to, content.into()))
            }
            Self::BroadcastToRoom { app_id, room, from, content } => {
                let (app_id, room) = (AppId::new(&app_id)?, RoomId::new(&room)?);
                let from = UserId::new(&from)?;
                let returned = core.broadcast_to_room(now, &app_id, &room, from, content.into());
                shown(&returned)
            }
            Self::UnicastInRoom { app_id, room, from, to, content } => {
                let (app_id, room) = (AppId::new(&app_id)?, RoomId::new(&room)?);
                let from = UserId::new(&from)?;
                let to = to.iter().map(|uid| UserId::new(uid)).collect::<Result<Vec<_>, _>>()?;
                let content = content.into();
                shown(&core.unicast_in_room(now, &app_id, &room, from, &to, content))
            }
            Self::Kick { app_id, room, uid } => {
                let (app_id, room) = (AppId::new(&app_id)?, RoomId::new(&room)?);
                shown(&core.kick(now, &app_id, &room, &UserId::new(&uid)?))
            }
            Self::Dismiss { app_id, room } => {
                shown(&core.dismiss(now, &AppId::new(&app_id)?, &RoomId::new(&room)?))
            }
            Self::Ban { app_id, room, uid, interval } => {
                let ban = ban(room.as_deref(), uid.as_deref())?;
                shown(&core.ban(now, &AppId::new(&app_id)?, &ban, interval))
            }
            Self::Unban { app_id, room, uid } => {
                let ban = ban(room.as_deref(), uid.as_deref())?;
                shown(&core.unban(now, &AppId::new(&app_id)?, &ban))
            }
            Self::UnbanLogin { app_id, uid } => {
                let ban = Ban::Login(UserId::new(&uid)?);
                shown(&core.unban(now, &AppId::new(&app_id)?, &ban))
            }
            Self::BanLogin { app_id, uid, interval } => {
                let (app_id, ban) = (AppId::new(&app_id)?, Ban::Login(UserId::new(&uid)?));
                shown(&core.ban(now, &app_id, &ban, interval))
            }
            Self::PutOut { app_id, uid } => {
                shown(&core.put_out(now, &AppId::new(&app_id)?, &UserId::new(&uid)?))
            }
            Self::Revoke { app_id, uid, issued_before } => {
                let uid = uid.as_deref().map(UserId::new).transpose()?;
                shown(&core.revoke(now, &AppId::new(&app_id)?, uid.as_ref(), issued_before))
            }
        })
    }
}

/// The ban of which a recording has the room, the user or both.
fn ban(room: Option<&str>, uid: Option<&str>) -> Result<Ban, IdError> {
    Ok(match (room.map(RoomId::new).transpose()?, uid.map(UserId::new).transpose()?) {
        (Some(room), Some(uid)) => Ban::UserInRoom(room, uid),
        (Some(room), None) => Ban::Room(room),
        (None, Some(uid)) => Ban::User(uid),
        (None, None) => return Err(IdError::Empty { kind: IdKind::User }),
    })
}

/// What a call returned, as it goes into the digest.
pub(crate) fn shown(returned: &impl std::fmt::Debug) -> String {
    format!("{returned:?}")
}
