//! The inputs of a server, as they are recorded.

use rts_proto::server::{Entry, Input, Opened, PostProgress, Request, RequestId, ShardId, Verdict};
use rts_proto::wire::ResumeKey;
use rts_proto::{AppId, CallId, Instant, LinkId, LoginCode, LoginId, Reply, TargetId};
use serde::{Deserialize, Serialize};

use super::entry::{scrubbed, scrubbed_request};
use super::homes::Homes;
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
    HandedOver { link: u64, key: [u8; 16], login_deadline: Instant, bytes: Vec<u8> },
    Peer { from: ShardId, entries: Vec<Entry> },
    PeerCongested { shard: ShardId, is_congested: bool },
    HomesChanged { homes: Homes, serve_after: Instant },
    Request { id: RequestId, app_id: AppId, request: Box<Request> },
}

impl TryFrom<ServerInput> for Input {
    type Error = &'static str;

    fn try_from(input: ServerInput) -> Result<Self, Self::Error> {
        Ok(match input {
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
                let reply = Reply::new(reply);
                Self::AppServerReplied(CallId(call), PostProgress::Answered(reply))
            }
            ServerInput::PostAnsweredBadly { call } => {
                Self::AppServerReplied(CallId(call), PostProgress::AnsweredBadly)
            }
            ServerInput::PostNotReached { call } => {
                Self::AppServerReplied(CallId(call), PostProgress::NotReached)
            }
            ServerInput::HandedOver { link, key, login_deadline, bytes } => {
                let (key, bytes) = (ResumeKey(key), bytes.into());
                Self::HandedOver(LinkId(link), Box::new(Opened { key, login_deadline, bytes }))
            }
            ServerInput::Peer { from, entries } => Self::Peer(from, entries),
            ServerInput::PeerCongested { shard, is_congested } => {
                Self::PeerCongested(shard, is_congested)
            }
            ServerInput::Request { id, app_id, request } => Self::Request(id, app_id, request),
            ServerInput::HomesChanged { homes, serve_after } => {
                let table = Box::new(homes.table().ok_or("a bad table of homes")?);
                Self::HomesChanged { table, serve_after }
            }
        })
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
            Input::HandedOver(link, opened) => {
                scrubber.open(*link);
                Self::HandedOver {
                    link: link.0,
                    key: scrubber.key(&opened.key),
                    login_deadline: opened.login_deadline,
                    bytes: scrubber.received(*link, &opened.bytes),
                }
            }
            Input::Peer(from, entries) => {
                Self::Peer { from: *from, entries: scrubbed(entries, scrubber) }
            }
            Input::PeerCongested(shard, is_congested) => {
                Self::PeerCongested { shard: *shard, is_congested: *is_congested }
            }
            Input::Request(id, app_id, request) => {
                let request = Box::new(scrubbed_request(request, scrubber));
                Self::Request { id: *id, app_id: app_id.clone(), request }
            }
            Input::HomesChanged { table, serve_after } => {
                Self::HomesChanged { homes: Homes::of(table), serve_after: *serve_after }
            }
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
            Self::HandedOver { link, bytes, .. } => {
                format!("link {link} was handed over with {} bytes", bytes.len())
            }
            Self::Peer { from, entries } => {
                format!("{} entries from shard {}", entries.len(), from.number())
            }
            Self::PeerCongested { shard, is_congested: true } => {
                format!("much waits for shard {}", shard.number())
            }
            Self::PeerCongested { shard, .. } => {
                format!("shard {} takes entries again", shard.number())
            }
            Self::HomesChanged { homes, .. } => homes.in_words(),
            Self::Request { id, request, .. } => format!("request {}: {request:?}", id.0),
        }
    }
}
