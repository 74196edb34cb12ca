//! `rts engine`: one engine on standard input and output. Each input line is a call. Each output
//! line is a return or a callback, in the order in which they happen.

mod line;
mod lines;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rts_client::contract::{
    Call, Engine, Event, Events, Payload, Returned, RoomEvent, RoomKey, sdk_version,
};
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
        let config = fields.config();
        match name {
            "login" => {
                self.make(Call::Login { token: &self.token(fields)?, uid: &fields.text("uid")? })
            }
            "logout" => self.make(Call::Logout),
            "updateLoginToken" => self.make(Call::UpdateLoginToken { token: &self.token(fields)? }),
            "getPeerOnlineStatus" => {
                self.make(Call::GetPeerOnlineStatus { uid: &fields.text("uid")? })
            }
            "sendMessage" => {
                let (uid, payload) = (&fields.text("uid")?, &fields.message()?);
                self.make(Call::SendMessage { uid, payload, config })
            }
            "sendBinaryMessage" => {
                let (uid, payload) = (&fields.text("uid")?, &fields.bytes()?);
                self.make(Call::SendMessage { uid, payload, config })
            }
            "setServerParams" => {
                let (signature, url) = (&fields.text("signature")?, &fields.text("url")?);
                self.make(Call::SetServerParams { signature, url })
            }
            "sendServerMessage" => {
                self.make(Call::SendServerMessage { payload: &fields.message()? })
            }
            "sendServerBinaryMessage" => {
                self.make(Call::SendServerMessage { payload: &fields.bytes()? })
            }
            "createRoom" => self.make(Call::CreateRoom { room_id: &fields.text("room")? }),
            "setBusinessId" => self.make(Call::SetBusinessId { id: &fields.text("businessId")? }),
            "setRuntimeParameters" => {
                self.make(Call::SetRuntimeParameters { json: &fields.params()? })
            }
            "joinRoom" => self.make(Call::JoinRoom { key: self.room(fields)? }),
            "leaveRoom" => self.make(Call::LeaveRoom { key: self.room(fields)? }),
            "destroyRoom" => self.make(Call::DestroyRoom { key: self.room(fields)? }),
            "sendRoomMessage" => {
                let (key, payload) = (self.room(fields)?, &fields.message()?);
                self.make(Call::SendRoomMessage { key, payload })
            }
            "sendRoomBinaryMessage" => {
                let (key, payload) = (self.room(fields)?, &fields.bytes()?);
                self.make(Call::SendRoomMessage { key, payload })
            }
            "getSdkVersion" => Ok(json!(sdk_version())),
            "destroyRTS" => self.make(Call::Destroy),
            _ => Err(format!("unknown call {name:?}")),
        }
    }

    /// Makes a call, and returns its answer. A call that is new in the contract does not compile
    /// here until the port has an answer, and names in [`call`](Self::call), for it.
    fn make(&mut self, call: Call<'_>) -> Result<Value, String> {
        let returned = self.engine.call(call);
        match call {
            Call::CreateRoom { room_id } => {
                let Returned::CreateRoom(Ok(key)) = returned else { return Ok(Value::Null) };
                self.rooms.insert(room_id.to_owned(), key);
                return Ok(json!(room_id));
            }
            Call::SetRuntimeParameters { .. } => {
                if let Returned::SetRuntimeParameters(Err(error)) = returned {
                    return Err(error.to_string());
                }
            }
            Call::DestroyRoom { key } => self.rooms.retain(|_, room| *room != key),
            Call::Destroy => self.rooms.clear(),
            Call::Login { .. }
            | Call::Logout
            | Call::UpdateLoginToken { .. }
            | Call::GetPeerOnlineStatus { .. }
            | Call::SendMessage { .. }
            | Call::SetServerParams { .. }
            | Call::SendServerMessage { .. }
            | Call::JoinRoom { .. }
            | Call::LeaveRoom { .. }
            | Call::SendRoomMessage { .. }
            | Call::SetBusinessId { .. } => {}
        }
        Ok(json!(returned.number()))
    }

    fn room(&self, fields: &Fields<'_>) -> Result<RoomKey, String> {
        Ok(self.rooms.get(&fields.text("room")?).copied().unwrap_or(NO_ROOM))
    }

    /// The token of the call. Without one, the token of the command line or the environment, read
    /// now.
    fn token(&self, fields: &Fields<'_>) -> Result<String, String> {
        if fields.has("token") {
            return fields.text("token");
        }
        match self.credentials.find() {
            Ok(Some(token)) => Ok(token),
            // The error is that of a missing field.
            Ok(None) => fields.text("token"),
            Err(error) => Err(in_words(&error)),
        }
    }
}

/// An event as a line of output.
pub(crate) fn event_json(event: &Event) -> Value {
    match event {
        Event::ConnectionStateChanged(state) => {
            json!({"on": "onConnectionStateChanged", "state": state.code()})
        }
        Event::LoginResult { uid, code, elapsed } => json!({"on": "onLoginResult",
            "uid": uid.as_str(), "code": code.code(), "elapsed": millis(*elapsed)}),
        Event::Logout(reason) => json!({"on": "onLogout", "reason": reason.code()}),
        Event::PeerOnlineStatus { uid, status } => {
            json!({"on": "onGetPeerOnlineStatus", "uid": uid, "status": status.code()})
        }
        Event::MessageReceived { from, payload } => {
            let (on, name, value) = match payload {
                Payload::Text(text) => ("onMessageReceived", "message", text.to_string()),
                Payload::Binary(bytes) => {
                    ("onBinaryMessageReceived", "base64", BASE64_STANDARD.encode(bytes))
                }
            };
            json!({"on": on, "uid": from.as_str(), name: value})
        }
        Event::MessageSendResult { id, code } => {
            json!({"on": "onMessageSendResult", "msgid": id.0, "code": code.code()})
        }
        Event::ServerParamsSetResult(code) => {
            json!({"on": "onServerParamsSetResult", "code": code.code()})
        }
        Event::ServerMessageSendResult { id, code, reply } => {
            json!({"on": "onServerMessageSendResult", "msgid": id.0, "code": code.code(),
                "base64": BASE64_STANDARD.encode(&**reply)})
        }
        Event::CreateRoomFailed { room, error } => {
            json!({"on": "onCreateRoomStateChanged", "room": room, "code": error.code()})
        }
        Event::Room { room, event, .. } => room_event_json(room.as_str(), event),
        Event::Warning { code, message } => {
            json!({"on": "onWarning", "code": code.code(), "message": message})
        }
    }
}

fn room_event_json(room: &str, event: &RoomEvent) -> Value {
    match event {
        RoomEvent::Joined { uid, how, elapsed } => {
            let mut extra = json!({"join_type": how.code(), "elapsed": millis(*elapsed)});
            if let Some(resumed) = how.resumed() {
                extra["resumed"] = json!(resumed);
            }
            let extra = extra.to_string();
            json!({"on": "onRoomStateChanged", "room": room, "uid": uid.as_str(), "state": 0,
                "extra": extra})
        }
        RoomEvent::StateChanged { uid, state } => {
            let uid = uid.as_ref().map_or("", |uid| uid.as_str());
            json!({"on": "onRoomStateChanged", "room": room, "uid": uid, "state": state.code(),
                "extra": "{}"})
        }
        RoomEvent::Left => json!({"on": "onLeaveRoom", "room": room}),
        RoomEvent::MessageReceived { from, payload } => {
            let (on, name, value) = match payload {
                Payload::Text(text) => ("onRoomMessageReceived", "message", text.to_string()),
                Payload::Binary(bytes) => {
                    ("onRoomBinaryMessageReceived", "base64", BASE64_STANDARD.encode(bytes))
                }
            };
            json!({"on": on, "room": room, "uid": from.as_str(), name: value})
        }
        RoomEvent::UserMessageReceived { from, payload } => {
            let (on, name, value) = match payload {
                Payload::Text(text) => ("onUserMessageReceived", "message", text.to_string()),
                Payload::Binary(bytes) => {
                    ("onUserBinaryMessageReceived", "base64", BASE64_STANDARD.encode(bytes))
                }
            };
            json!({"on": on, "room": room, "uid": from.as_str(), name: value})
        }
        RoomEvent::MessageSendResult { id, code } => json!({"on": "onRoomMessageSendResult",
            "room": room, "msgid": id.0, "code": code.code()}),
        RoomEvent::UserJoined(uid) => {
            json!({"on": "onUserJoined", "room": room, "uid": uid.as_str()})
        }
        RoomEvent::UserLeft { uid, reason } => json!({"on": "onUserLeave", "room": room,
            "uid": uid.as_str(), "reason": reason.code()}),
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rts_client::contract::{JoinType, UserId};
    use std::time::Duration;

    #[test]
    fn only_a_join_after_reconnect_has_missing_broadcasts() {
        for (how, wanted) in [
            (JoinType::First, r#"{"join_type":0,"elapsed":7}"#),
            (JoinType::Resumed, r#"{"join_type":1,"elapsed":7,"resumed":true}"#),
            (JoinType::Anew, r#"{"join_type":1,"elapsed":7,"resumed":false}"#),
        ] {
            let uid = UserId::new("alice").expect("well formed");
            let joined = RoomEvent::Joined { uid, how, elapsed: Duration::from_millis(7) };
            assert_eq!(room_event_json("room", &joined)["extra"], wanted);
        }
    }
}
