//! `rts engine`: one engine on standard input and output. A call a line in; returns and callbacks a line
//! out, in the order in which they happen.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rts_transport_tokio::{
    Engine, Event, Events, MessageConfig, Payload, Room, RoomEvent, connect_recorded, connect_with,
    sdk_version,
};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::trace::TraceArgs;
use crate::out::say;
use crate::reach::Reach;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The server: rts:// is plain TCP, rtss:// TLS, ws:// and wss:// WebSocket
    #[arg(long)]
    url: String,
    #[command(flatten)]
    reach: Reach,
    /// The app
    #[arg(long)]
    app_id: String,
    /// A JSON object of engine parameters
    #[arg(long, default_value = "{}")]
    params: String,
    #[command(flatten)]
    trace: TraceArgs,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let connector = args.reach.connector(&args.url)?;
    let (engine, mut events) = match args.trace.recorder()? {
        Some(recorder) => connect_recorded(connector, &args.app_id, &args.params, recorder)?,
        None => connect_with(connector, &args.app_id, &args.params)?,
    };
    let mut port = Port { engine, rooms: BTreeMap::new() };
    let mut lines = BufReader::new(tokio::io::stdin()).split(b'\n');
    let mut destroyed = false;
    loop {
        // A call and what follows from it at once are never split by something from outside.
        drain(&mut events)?;
        tokio::select! {
            line = lines.next_segment() => match line.context("standard input")? {
                Some(line) => port.handle_line(&line, &mut events)?,
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

fn drain(events: &mut Events) -> anyhow::Result<()> {
    while let Some(event) = events.try_next() {
        say(event_json(&event))?;
    }
    Ok(())
}

struct Port {
    engine: Engine,
    rooms: BTreeMap<String, Room>,
}

/// The fields of a call.
struct Fields(Map<String, Value>);

impl Fields {
    fn text(&self, name: &str) -> Result<&str, String> {
        match self.0.get(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(format!("field {name:?} must be a string")),
            None => Err(format!("field {name:?} is missing")),
        }
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        let text = self.text("base64")?;
        BASE64_STANDARD.decode(text).map_err(|error| format!("field \"base64\": {error}"))
    }

    /// Missing, or not one of the table, counts as 0.
    fn config(&self) -> MessageConfig {
        let number = self.0.get("config").and_then(Value::as_u64);
        let number = number.and_then(|number| u32::try_from(number).ok());
        number.and_then(MessageConfig::from_code).unwrap_or(MessageConfig::ReliableOrdered)
    }

    fn params(&self) -> Result<String, String> {
        match self.0.get("params") {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(object @ Value::Object(_)) => Ok(object.to_string()),
            Some(_) => Err("field \"params\" must be an object, or a string holding one".into()),
            None => Err("field \"params\" is missing".into()),
        }
    }
}

impl Port {
    fn handle_line(&mut self, line: &[u8], events: &mut Events) -> anyhow::Result<()> {
        let fields = match serde_json::from_slice(line) {
            Ok(Value::Object(fields)) => Fields(fields),
            Ok(_) => {
                return say(json!({"ref": null, "error": "a call is a JSON object"}));
            }
            Err(error) => {
                return say(json!({"ref": null, "error": format!("bad JSON: {error}")}));
            }
        };
        let reference = fields.0.get("ref").cloned().unwrap_or(Value::Null);
        if fields.0.get("call") == Some(&json!("destroyRTS")) {
            // What is called back by this comes before it returns: nothing comes after.
            self.engine.destroy();
            self.rooms.clear();
            drain(events)?;
            return say(json!({"ref": reference, "return": null}));
        }
        // What happened before the call comes before its return, what it brings about after.
        drain(events)?;
        let answer = match fields.text("call").and_then(|call| self.call(call, &fields)) {
            Ok(returned) => json!({"ref": reference, "return": returned}),
            Err(error) => json!({"ref": reference, "error": error}),
        };
        say(&answer)
    }

    fn call(&mut self, call: &str, fields: &Fields) -> Result<Value, String> {
        let engine = &self.engine;
        Ok(match call {
            "login" => {
                let (token, uid) = (fields.text("token")?, fields.text("uid")?);
                json!(engine.login(token, uid).map_or_else(|error| error.code(), |()| 0))
            }
            "logout" => {
                engine.logout();
                Value::Null
            }
            "updateLoginToken" => {
                engine.update_login_token(fields.text("token")?);
                Value::Null
            }
            "getPeerOnlineStatus" => {
                engine.get_peer_online_status(fields.text("uid")?);
                Value::Null
            }
            "sendMessage" => {
                let (uid, text) = (fields.text("uid")?, fields.text("message")?);
                match engine.send_message(uid, text, fields.config()) {
                    Ok(sent) => json!(sent.id().0),
                    Err(error) => json!(error.code()),
                }
            }
            "sendBinaryMessage" => {
                let (uid, bytes) = (fields.text("uid")?, fields.bytes()?);
                match engine.send_binary_message(uid, bytes, fields.config()) {
                    Ok(sent) => json!(sent.id().0),
                    Err(error) => json!(error.code()),
                }
            }
            "setServerParams" => {
                engine.set_server_params(fields.text("signature")?, fields.text("url")?);
                Value::Null
            }
            "sendServerMessage" => match engine.send_server_message(fields.text("message")?) {
                Ok(sent) => json!(sent.id().0),
                Err(error) => json!(error.code()),
            },
            "sendServerBinaryMessage" => match engine.send_server_binary_message(fields.bytes()?) {
                Ok(sent) => json!(sent.id().0),
                Err(error) => json!(error.code()),
            },
            "createRoom" => {
                let id = fields.text("room")?;
                match engine.create_room(id) {
                    Ok(room) => {
                        self.rooms.insert(id.to_owned(), room);
                        json!(id)
                    }
                    Err(_) => Value::Null,
                }
            }
            "setBusinessId" => {
                let id = fields.text("businessId")?;
                json!(engine.set_business_id(id).map_or_else(|error| error.code(), |()| 0))
            }
            "setRuntimeParameters" => {
                let params = fields.params()?;
                engine.set_runtime_parameters(&params).map_err(|error| error.to_string())?;
                Value::Null
            }
            "joinRoom" => match self.rooms.get(fields.text("room")?) {
                Some(room) => json!(room.join().map_or_else(|error| error.code(), |()| 0)),
                None => json!(-3),
            },
            "leaveRoom" => {
                if let Some(room) = self.rooms.get(fields.text("room")?) {
                    room.leave();
                }
                Value::Null
            }
            "destroyRoom" => {
                if let Some(room) = self.rooms.remove(fields.text("room")?) {
                    room.destroy();
                }
                Value::Null
            }
            "sendRoomMessage" => {
                let (id, text) = (fields.text("room")?, fields.text("message")?);
                match self.rooms.get(id).map(|room| room.send_message(text)) {
                    Some(Ok(sent)) => json!(sent.id().0),
                    Some(Err(error)) => json!(error.code()),
                    None => json!(-3),
                }
            }
            "sendRoomBinaryMessage" => {
                let (id, bytes) = (fields.text("room")?, fields.bytes()?);
                match self.rooms.get(id).map(|room| room.send_binary_message(bytes)) {
                    Some(Ok(sent)) => json!(sent.id().0),
                    Some(Err(error)) => json!(error.code()),
                    None => json!(-3),
                }
            }
            "getSdkVersion" => json!(sdk_version()),
            _ => return Err(format!("unknown call {call:?}")),
        })
    }
}

/// An event as a line of the port.
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
                "base64": BASE64_STANDARD.encode(&reply.0)})
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
            let extra = json!({"join_type": how.code(), "elapsed": millis(*elapsed)}).to_string();
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
