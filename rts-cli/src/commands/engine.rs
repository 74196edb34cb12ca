//! `rts engine`: one engine on standard input and output. Each input line is a call. Each output
//! line is a return or a callback, in the order in which they happen.

mod line;
mod lines;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rts_client::contract::{Engine, Event, Events, Returned, RoomKey, sdk_version};
use rts_flat::{Arguments, CallKind, Field, Parameter, Record, Wanted};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::BufReader;

use line::{Answer, Fields};
use lines::{LINE_BYTES_MAX, Line, Lines};

use crate::credentials::Credentials;
use crate::dev::{DEV_URL, app_of};
use crate::out::{in_words, say};
use crate::reach::Reach;
use crate::record::TraceArgs;
use crate::signals::survive_stray_signals;

/// No room. Keys of the engine begin at 1.
const NO_ROOM: RoomKey = RoomKey(0);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server: rts:// is plain TCP, rtss:// TLS, ws:// and wss:// WebSocket. The nodes of a
    /// cluster are several, with commas between them
    #[arg(long, default_value = DEV_URL)]
    url: String,
    #[command(flatten)]
    reach: Reach,
    /// The app id [default: the token names it]
    #[arg(long)]
    app_id: Option<String>,
    #[command(flatten)]
    credentials: Credentials,
    /// A JSON object of engine parameters
    #[arg(long, default_value = "{}")]
    params: String,
    #[command(flatten)]
    trace: TraceArgs,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    survive_stray_signals().context("signals cannot be caught")?;
    let connector = args.reach.connector(&args.url)?;
    let app_id = match args.app_id {
        Some(app_id) => app_id,
        None => app_of(&args.credentials.require().context("--app-id is not given")?)?,
    };
    let mut builder = rts_client::Engine::builder_over(connector, app_id);
    if let Some(recording) = args.trace.wanted()? {
        builder = builder.observer(Box::new(recording.begin().context("the recording")?));
    }
    let engine = builder.build()?.contract().clone();
    let mut events = engine.events();
    engine.set_runtime_parameters(&args.params)?;
    let mut port = Port { engine, rooms: BTreeMap::new(), credentials: args.credentials };
    let mut lines = Lines::new(BufReader::new(tokio::io::stdin()));
    let mut destroyed = false;
    loop {
        // A call and its immediate effects are printed together.
        drain(&mut events)?;
        tokio::select! {
            line = lines.next() => match line.context("standard input")? {
                Some(Line::Whole(line)) => port.handle_line(&line, &mut events)?,
                Some(Line::TooLong(beginning)) => refuse_long(&beginning)?,
                None => break,
            },
            event = events.next(), if !destroyed => match event {
                Some(event) => say(event_json(&event))?,
                None => destroyed = true,
            },
        }
    }
    port.engine.destroy();
    drain(&mut events)?;
    port.engine.closed().await;
    Ok(ExitCode::SUCCESS)
}

/// Refuses a line that is too long. Its `ref` is answered, so that the caller does not wait
/// forever.
fn refuse_long(beginning: &[u8]) -> anyhow::Result<()> {
    let text = String::from_utf8_lossy(beginning);
    let reference = Fields::read(&text).0.reference();
    let reference = reference.unwrap_or_else(|_| RawValue::NULL.to_owned());
    let error = format!("the line has more than {LINE_BYTES_MAX} bytes");
    say(Answer::new(reference, Err(error)))
}

fn drain(events: &mut Events) -> anyhow::Result<()> {
    while let Some(event) = events.try_next() {
        say(event_json(&event))?;
    }
    Ok(())
}

struct Port {
    engine: Engine,
    rooms: BTreeMap<String, RoomKey>,
    /// The token for calls without one.
    credentials: Credentials,
}

impl Port {
    fn handle_line(&mut self, line: &[u8], events: &mut Events) -> anyhow::Result<()> {
        let text = String::from_utf8_lossy(line);
        let (fields, read) = Fields::read(&text);
        let read = match str::from_utf8(line) {
            Ok(_) => read,
            Err(error) => {
                Err(format!("bad JSON: invalid UTF-8 from byte {}", error.valid_up_to() + 1))
            }
        };
        let reference = match fields.reference() {
            Ok(reference) => reference,
            Err(error) => return say(Answer::new(RawValue::NULL.to_owned(), Err(error))),
        };
        let name = match read.and_then(|()| fields.text("call")) {
            Ok(name) => name,
            Err(error) => return say(Answer::new(reference, Err(error))),
        };
        // Events before the call are printed before its return, and its effects after it.
        drain(events)?;
        let result = self.call(&name, &fields);
        if self.engine.is_destroyed() {
            // Callbacks of this call come before its return, and none come later.
            drain(events)?;
        }
        say(Answer::new(reference, result))
    }

    fn call(&mut self, name: &str, fields: &Fields<'_>) -> Result<Value, String> {
        if name == "getSdkVersion" {
            return Ok(json!(sdk_version()));
        }
        let is_it = |kind: &&CallKind| kind.name() == name;
        let kind = *CallKind::ALL.iter().find(is_it).ok_or(format!("unknown call {name:?}"))?;
        let (mut arguments, mut first, mut second) =
            (Arguments::default(), String::new(), Vec::new());
        for &(field, parameter) in kind.parameters() {
            match parameter {
                Parameter::Room => arguments.room = self.room(fields)?.0,
                Parameter::Number => arguments.number = fields.number(field),
                Parameter::First => first = self.text(fields, field)?,
                Parameter::Second | Parameter::Text => second = fields.text(field)?.into_bytes(),
                Parameter::Bytes => second = fields.bytes(field)?,
                Parameter::Json => first = fields.object(field)?,
            }
        }
        (arguments.first, arguments.second) = (first.as_bytes(), &second);
        let returned = arguments.call(kind, |wanted| match wanted {
            Wanted::Call(call) => self.engine.call(call),
            Wanted::NetworkChanged => {
                self.engine.network_changed();
                Returned::Nothing
            }
        });
        let returned = returned.map_err(|error| error.to_string())?;
        match kind {
            CallKind::DestroyRoom => self.rooms.retain(|_, room| room.0 != arguments.room),
            CallKind::Destroy => self.rooms.clear(),
            _ => {}
        }
        match returned {
            Returned::SetRuntimeParameters(Err(error)) => Err(error.to_string()),
            Returned::CreateRoom(created) => Ok(created.map_or(Value::Null, |key| {
                self.rooms.insert(first.clone(), key);
                json!(first)
            })),
            returned => Ok(json!(returned.number())),
        }
    }

    fn room(&self, fields: &Fields<'_>) -> Result<RoomKey, String> {
        Ok(self.rooms.get(&fields.text("room")?).copied().unwrap_or(NO_ROOM))
    }

    /// A text of the call. Without a token, it is the token of the command line or the environment,
    /// read now.
    fn text(&self, fields: &Fields<'_>, name: &str) -> Result<String, String> {
        if name != "token" || fields.has(name) {
            return fields.text(name);
        }
        match self.credentials.find() {
            Ok(Some(token)) => Ok(token),
            // The error is that of a missing field.
            Ok(None) => fields.text(name),
            Err(error) => Err(in_words(&error)),
        }
    }
}

/// An event as a line of output.
pub(crate) fn event_json(event: &Event) -> Value {
    let record = Record::from(event);
    let mut line = json!({"on": record.kind.name()});
    for &(name, field) in record.kind.fields() {
        line[name] = match field {
            Field::Code => json!(record.code),
            Field::Number => json!(record.number),
            Field::Uid => json!(record.uid),
            Field::RoomId => json!(record.room_id),
            Field::Text => json!(String::from_utf8_lossy(&record.data)),
            Field::Bytes => json!(BASE64_STANDARD.encode(&record.data)),
        };
    }
    line
}
