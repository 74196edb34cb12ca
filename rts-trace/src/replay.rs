//! Replays the core of a trace.

use std::collections::VecDeque;
use std::io::Read;
use std::time::Duration;

use rts_proto::client::{self, Client, Returned};
use rts_proto::server::{self, Placement, Server, ShardId};
use rts_proto::{AppId, Instant, MessageId, Payload};

use crate::digest::Digest;
use crate::format::{Reader, TraceError};
use crate::record::{ClientCall, CoreConfig, Record, Start, client_config};
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
    /// Which shard of its node a server is; `None` for an engine.
    pub placement: Option<Placement>,
}

impl Recording {
    /// The shard, if its node has several.
    pub(crate) fn shard(&self) -> Option<ShardId> {
        let placement = self.placement.filter(|placement| placement.count() > 1);
        placement.map(|placement| placement.own())
    }
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
    pub span: Duration,
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
    let mut replay = Replay::begin(input)?;
    while replay.next().is_some() {
        replay.step(observer)?;
    }
    Ok(replay.end())
}

/// A replay in progress.
pub(crate) struct Replay<R> {
    reader: Reader<R>,
    core: Core,
    digest: Digest,
    now: Instant,
    /// The next record with its number.
    next: Option<(u64, Record)>,
    /// Inputs and calls since the previous comparison.
    since: VecDeque<String>,
    replayed: Replayed,
}

impl<R: Read> Replay<R> {
    pub(crate) fn begin(input: R) -> Result<Self, TraceError> {
        let mut reader = Reader::new(input)?;
        let Some((_, Record::Start(start))) = reader.next()? else {
            return Err(TraceError::Misplaced { record: 0, what: "no beginning".into() });
        };
        let (core, recording) = begin(&start)?;
        let next = reader.next()?;
        Ok(Self {
            reader,
            core,
            digest: Digest::default(),
            now: Instant::ORIGIN,
            next,
            since: VecDeque::new(),
            replayed: Replayed {
                recording,
                steps: 0,
                compared: 0,
                span: Duration::ZERO,
                difference: None,
                torn_bytes: 0,
            },
        })
    }

    pub(crate) fn recording(&self) -> &Recording {
        &self.replayed.recording
    }

    /// The next record and its time.
    pub(crate) fn next(&self) -> Option<(Instant, &Record)> {
        let (_, record) = self.next.as_ref()?;
        Some((self.now + Duration::from_micros(record.after_micros()), record))
    }

    /// Takes the next record, if there is one.
    pub(crate) fn step(&mut self, observer: &mut dyn Observer) -> Result<(), TraceError> {
        let Some((number, record)) = self.next.take() else { return Ok(()) };
        let misplaced = |what| TraceError::Misplaced { record: number, what };
        if let Record::Drained { digest } = record {
            drain(&mut self.core, &mut self.digest, self.now, observer).map_err(misplaced)?;
            self.compare(number, digest);
        } else {
            if self.since.len() == SINCE_MAX {
                self.since.pop_front();
            }
            self.since.push_back(shortened(&record));
            self.now = self.now + Duration::from_micros(record.after_micros());
            step(&mut self.core, self.now, record, &mut self.digest, observer)
                .map_err(misplaced)?;
            self.replayed.steps += 1;
        }
        self.next = self.reader.next()?;
        Ok(())
    }

    fn compare(&mut self, record: u64, recorded: u64) {
        let since = std::mem::take(&mut self.since);
        if self.replayed.difference.is_some() {
            return;
        }
        self.replayed.compared += 1;
        if self.digest.value() != recorded {
            let difference = Difference { record, at: self.now, since: since.into() };
            self.replayed.difference = Some(difference);
        }
    }

    /// The result, after the last step.
    pub(crate) fn end(self) -> Replayed {
        let span = self.now.since(Instant::ORIGIN);
        Replayed { span, torn_bytes: self.reader.torn_bytes(), ..self.replayed }
    }
}

fn begin(start: &Start) -> Result<(Core, Recording), TraceError> {
    let bad = || TraceError::Misplaced { record: 0, what: "a bad configuration".into() };
    let (core, app_id, placement) = match &start.core {
        CoreConfig::Client { app_id, parameters } => {
            let config = client_config(app_id, parameters).ok_or_else(bad)?;
            let app_id = config.app_id.clone();
            (Core::Client(Box::new(Client::new(config, start.seed))), Some(app_id), None)
        }
        CoreConfig::Server(config) => {
            let config = config.config().ok_or_else(bad)?;
            let placement = Some(config.placement);
            (Core::Server(Box::new(Server::new(config, start.seed))), None, placement)
        }
    };
    let recording = Recording {
        version: start.version.clone(),
        scrubbed: start.scrubbed,
        unix_micros: start.unix_micros,
        app_id,
        placement,
    };
    Ok((core, recording))
}

fn step(
    core: &mut Core,
    now: Instant,
    record: Record,
    digest: &mut Digest,
    observer: &mut dyn Observer,
) -> Result<(), String> {
    match (core, record) {
        (Core::Client(core), Record::ClientInput { input, .. }) => {
            let input = client::Input::from(input);
            observer.client_input(now, &input);
            core.handle_input(now, input);
        }
        (Core::Client(core), Record::ClientCall { call, .. }) => {
            let payload = call.payload().unwrap_or_else(|| Payload::binary(Vec::new()));
            let returned = core.call(now, call.call(&payload));
            let shown = format!("{returned:?}");
            observer.client_called(now, &call.in_words(), &shown);
            if let (ClientCall::SendMessage { uid, .. }, Returned::Send(Ok(id))) = (&call, returned)
            {
                observer.client_sent(now, id, uid);
            }
            digest.returned(&shown);
        }
        (Core::Server(core), Record::ServerInput { input, .. }) => {
            let input = server::Input::try_from(input)?;
            observer.server_input(now, &input);
            core.handle_input(now, input);
        }
        (Core::Server(core), Record::ServerCall { call, .. }) => {
            let said = call.in_words();
            let returned = call
                .with_command(|command| format!("{:?}", core.command(now, command)))
                .map_err(|error| error.to_string())?;
            observer.server_called(now, &said, &returned);
            digest.returned(&returned);
        }
        (_, Record::Start(_)) => return Err("a second beginning".into()),
        (_, Record::Drained { .. }) => return Err("a digest".into()),
        (Core::Client(_), _) => return Err("of a server, in the trace of an engine".into()),
        (Core::Server(_), _) => return Err("of an engine, in the trace of a server".into()),
    }
    Ok(())
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

/// An input or a call on one line, for people who look for a difference.
pub(crate) fn shortened(record: &Record) -> String {
    match record {
        Record::ClientCall { call, .. } => call.in_words(),
        Record::ServerCall { call, .. } => call.in_words(),
        Record::ClientInput { input, .. } => input.in_words(),
        Record::ServerInput { input, .. } => input.in_words(),
        Record::Start(_) | Record::Drained { .. } => String::new(),
    }
}
