//! Replays the core of a trace.

use std::collections::VecDeque;
use std::io::Read;

use rts_proto::client::{self, Client, Returned};
use rts_proto::server::{self, Server};
use rts_proto::{AppId, Instant, MessageId, Payload};

use crate::digest::Digest;
use crate::format::{Reader, TraceError};
use crate::record::{ClientCall, CoreConfig, Record, ServerCall, Start, client_config};
use crate::scrub::Scrubber;

/// Outputs that no correct drain exceeds.
const DRAIN_MAX: usize = 10_000_000;
/// Inputs and calls that are listed where a difference is found.
const SINCE_MAX: usize = 8;

/// The origin of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The version of the recording software. Another version may have other outputs.
    pub version: String,
    /// Whether filler replaces payloads and tokens.
    pub scrubbed: bool,
    /// The beginning of the recording, as Unix time in microseconds.
    pub unix_micros: u64,
    /// The app of an engine; `None` for a server.
    pub app_id: Option<AppId>,
}

/// The result of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The origin of the trace.
    pub recording: Recording,
    /// The number of inputs and calls.
    pub steps: u64,
    /// The number of comparisons of outputs.
    pub compared: u64,
    /// The time from the first moment to the last.
    pub span: std::time::Duration,
    /// The first difference from the recorded outputs.
    pub difference: Option<Difference>,
    /// Bytes of a torn last record, which was left out.
    pub torn_bytes: usize,
}

/// The first place where a replayed core had other outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The record with the digest that differs.
    pub record: u64,
    /// The time of the difference.
    pub at: Instant,
    /// Inputs and calls since the previous comparison; the last ones, if there are many.
    pub since: Vec<String>,
}

/// Observes all inputs and outputs of the core of a trace.
#[allow(missing_docs)]
pub trait Observer {
    fn client_called(&mut self, _at: Instant, _call: &str, _returned: &str) {}
    /// A message was accepted. `client_called` came before, with the result of the call.
    fn client_sent(&mut self, _at: Instant, _id: MessageId, _to: &str) {}
    fn client_input(&mut self, _at: Instant, _input: &client::Input) {}
    fn client_output(&mut self, _at: Instant, _output: &client::Output) {}
    fn server_called(&mut self, _at: Instant, _call: &str, _returned: &str) {}
    fn server_input(&mut self, _at: Instant, _input: &server::Input) {}
    fn server_output(&mut self, _at: Instant, _output: &server::Output) {}
}

/// Observes nothing.
impl Observer for () {}

enum Core {
    Client(Box<Client>),
    Server(Box<Server>),
}

/// Replays the core of a trace, compares its outputs with the recorded ones, and shows all inputs
/// and outputs to `observer`. After a difference nothing more is compared.
///
/// # Errors
///
/// The trace cannot be read, or is damaged before its end.
pub fn replay(input: impl Read, observer: &mut dyn Observer) -> Result<Replayed, TraceError> {
    let mut reader = Reader::new(input)?;
    let Some((_, Record::Start(start))) = reader.next()? else {
        return Err(TraceError::Misplaced { record: 0, what: "no beginning".into() });
    };
    let (mut core, recording) = begin(&start)?;
    let mut replayed = Replayed {
        recording,
        steps: 0,
        compared: 0,
        span: std::time::Duration::ZERO,
        difference: None,
        torn_bytes: 0,
    };
    let mut digest = Digest::default();
    let mut now = Instant::ORIGIN;
    let mut since = VecDeque::new();
    while let Some((number, record)) = reader.next()? {
        if let Record::Drained { digest: recorded } = record {
            drain(&mut core, &mut digest, now, observer)
                .map_err(|what| TraceError::Misplaced { record: number, what })?;
            if replayed.difference.is_none() {
                replayed.compared += 1;
                if digest.value() != recorded {
                    let since = std::mem::take(&mut since).into();
                    replayed.difference = Some(Difference { record: number, at: now, since });
                }
            }
            since.clear();
            continue;
        }
        if since.len() == SINCE_MAX {
            since.pop_front();
        }
        since.push_back(shortened(&record));
        now = step(&mut core, now, record, &mut digest, observer)
            .map_err(|what| TraceError::Misplaced { record: number, what })?;
        replayed.steps += 1;
    }
    replayed.span = now.since(Instant::ORIGIN);
    replayed.torn_bytes = reader.torn_bytes();
    Ok(replayed)
}

fn begin(start: &Start) -> Result<(Core, Recording), TraceError> {
    let bad = || TraceError::Misplaced { record: 0, what: "a bad configuration".into() };
    let (core, app_id) = match &start.core {
        CoreConfig::Client { app_id, parameters } => {
            let config = client_config(app_id, parameters).ok_or_else(bad)?;
            let app_id = config.app_id.clone();
            (Core::Client(Box::new(Client::new(config, start.seed))), Some(app_id))
        }
        CoreConfig::Server(config) => {
            let config = config.config().ok_or_else(bad)?;
            (Core::Server(Box::new(Server::new(config, start.seed))), None)
        }
    };
    let recording = Recording {
        version: start.version.clone(),
        scrubbed: start.scrubbed,
        unix_micros: start.unix_micros,
        app_id,
    };
    Ok((core, recording))
}

fn step(
    core: &mut Core,
    before: Instant,
    record: Record,
    digest: &mut Digest,
    observer: &mut dyn Observer,
) -> Result<Instant, String> {
    let at = |after_micros| Instant::from_micros(before.as_micros().saturating_add(after_micros));
    match (core, record) {
        (Core::Client(core), Record::ClientInput { after_micros, input }) => {
            let now = at(after_micros);
            let input = client::Input::from(input);
            observer.client_input(now, &input);
            core.handle_input(now, input);
            Ok(now)
        }
        (Core::Client(core), Record::ClientCall { after_micros, call }) => {
            let now = at(after_micros);
            let payload = call.payload().unwrap_or_else(|| Payload::binary(Vec::new()));
            let returned = core.call(now, call.call(&payload));
            let shown = format!("{returned:?}");
            observer.client_called(now, &in_words(&call), &shown);
            if let (ClientCall::SendMessage { uid, .. }, Returned::Send(Ok(id))) = (&call, returned)
            {
                observer.client_sent(now, id, uid);
            }
            digest.returned(&shown);
            Ok(now)
        }
        (Core::Server(core), Record::ServerInput { after_micros, input }) => {
            let now = at(after_micros);
            let input = server::Input::from(input);
            observer.server_input(now, &input);
            core.handle_input(now, input);
            Ok(now)
        }
        (Core::Server(core), Record::ServerCall { after_micros, call }) => {
            let now = at(after_micros);
            let said = command_in_words(&call);
            let returned = call
                .with_command(|command| format!("{:?}", core.command(now, command)))
                .map_err(|error| error.to_string())?;
            observer.server_called(now, &said, &returned);
            digest.returned(&returned);
            Ok(now)
        }
        (_, Record::Start(_)) => Err("a second beginning".into()),
        (_, Record::Drained { .. }) => Err("a digest".into()),
        (Core::Client(_), _) => Err("of a server, in the trace of an engine".into()),
        (Core::Server(_), _) => Err("of an engine, in the trace of a server".into()),
    }
}

fn drain(
    core: &mut Core,
    digest: &mut Digest,
    now: Instant,
    observer: &mut dyn Observer,
) -> Result<(), String> {
    let mut as_it_is = Scrubber::none();
    for _ in 0..DRAIN_MAX {
        match core {
            Core::Client(core) => {
                let output = core.poll_output();
                observer.client_output(now, &output);
                digest.client_output(&mut as_it_is, &output);
                if matches!(output, client::Output::Wait(_)) {
                    return Ok(());
                }
            }
            Core::Server(core) => {
                let output = core.poll_output();
                observer.server_output(now, &output);
                digest.server_output(&mut as_it_is, &output);
                if matches!(output, server::Output::Wait(_)) {
                    return Ok(());
                }
            }
        }
    }
    Err("a drain without an end".into())
}

/// A call, without its payload.
fn in_words(call: &ClientCall) -> String {
    match call {
        ClientCall::Login { uid, .. } => format!("login as {uid}"),
        ClientCall::Logout => "logout".into(),
        ClientCall::UpdateLoginToken { .. } => "updateLoginToken".into(),
        ClientCall::GetPeerOnlineStatus { uid } => format!("getPeerOnlineStatus of {uid}"),
        ClientCall::SendMessage { uid, content, config } => {
            let kind = match config {
                0 => "reliable",
                _ => "unreliable",
            };
            format!("sendMessage to {uid}, {kind}, {}", content.size())
        }
        ClientCall::CreateRoom { room } => format!("createRoom {room}"),
        ClientCall::SetBusinessId { id } => format!("setBusinessId {id}"),
        ClientCall::SetRuntimeParameters { json } => format!("setRuntimeParameters {json}"),
        ClientCall::JoinRoom { key } => format!("joinRoom, handle {key}"),
        ClientCall::LeaveRoom { key } => format!("leaveRoom, handle {key}"),
        ClientCall::DestroyRoom { key } => format!("destroyRoom, handle {key}"),
        ClientCall::SendRoomMessage { key, content } => {
            format!("sendRoomMessage, handle {key}, {}", content.size())
        }
        ClientCall::Destroy => "destroy".into(),
        ClientCall::SetServerParams { .. } => "setServerParams".into(),
        ClientCall::SendServerMessage { content } => {
            format!("sendServerMessage, {}", content.size())
        }
    }
}

fn command_in_words(call: &ServerCall) -> String {
    match call {
        ServerCall::Shutdown { .. } => "shutdown".into(),
        ServerCall::Unicast { from, to, content, .. } => {
            format!("unicast from {from} to {to}, {}", content.size())
        }
        ServerCall::BroadcastToRoom { room, from, content, .. } => {
            format!("broadcast from {from} to room {room}, {}", content.size())
        }
        ServerCall::UnicastInRoom { room, from, to, content, .. } => {
            format!("unicast from {from} to {} in room {room}, {}", to.join(" "), content.size())
        }
        ServerCall::Kick { room, uid, .. } => format!("kick {uid} out of room {room}"),
        ServerCall::Dismiss { room, .. } => format!("dismiss room {room}"),
        ServerCall::Ban { room, uid, interval, .. } => {
            format!("ban {} for {interval:?}", banned(room.as_deref(), uid.as_deref()))
        }
        ServerCall::Unban { room, uid, .. } => {
            format!("unban {}", banned(room.as_deref(), uid.as_deref()))
        }
        ServerCall::UnbanLogin { uid, .. } => format!("let {uid} log in again"),
        ServerCall::BanLogin { uid, interval, .. } => {
            format!("ban {uid} from logging in for {interval:?}")
        }
        ServerCall::PutOut { uid, .. } => format!("put {uid} out"),
        ServerCall::Revoke { uid, issued_before, .. } => {
            let of = uid.as_deref().unwrap_or("everybody");
            format!("revoke what {of} showed that was issued before {issued_before}")
        }
    }
}

fn banned(room: Option<&str>, uid: Option<&str>) -> String {
    match (room, uid) {
        (Some(room), Some(uid)) => format!("{uid} from room {room}"),
        (Some(room), None) => format!("room {room}"),
        (None, uid) => format!("{} from all rooms", uid.unwrap_or_default()),
    }
}

/// An input or a call on one line, for people who look for a difference.
pub(crate) fn shortened(record: &Record) -> String {
    match record {
        Record::ClientCall { call, .. } => in_words(call),
        Record::ServerCall { call, .. } => command_in_words(call),
        Record::ClientInput { input, .. } => input.in_words(),
        Record::ServerInput { input, .. } => input.in_words(),
        Record::Start(_) | Record::Drained { .. } => String::new(),
    }
}
