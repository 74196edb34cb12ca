//! The inputs and calls of an engine, as they are recorded.

use rts_proto::client::{Call, Input};
use rts_proto::{LinkId, MessageConfig, Payload, RoomKey};
use serde::{Deserialize, Serialize};

use super::content::Content;
use crate::scrub::Scrubber;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ClientInput {
    Tick,
    Connected(u64),
    Received(u64, Vec<u8>),
    Disconnected(u64),
    NetworkChanged,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ClientCall {
    Login { token: String, uid: String },
    Logout,
    UpdateLoginToken { token: String },
    GetPeerOnlineStatus { uid: String },
    SendMessage { uid: String, content: Content, config: u32 },
    CreateRoom { room: String },
    SetBusinessId { id: String },
    SetRuntimeParameters { json: String },
    JoinRoom { key: u64 },
    LeaveRoom { key: u64 },
    DestroyRoom { key: u64 },
    SendRoomMessage { key: u64, content: Content },
    Destroy,
    SetServerParams { signature: String, url: String },
    SendServerMessage { content: Content },
}

impl ClientInput {
    pub(crate) fn of(input: &Input, scrubber: &mut Scrubber) -> Self {
        match input {
            Input::Tick => Self::Tick,
            Input::Connected(link) => Self::Connected(link.0),
            Input::Received(link, bytes) => Self::Received(link.0, scrubber.received(*link, bytes)),
            Input::Disconnected(link) => {
                scrubber.forget(*link);
                Self::Disconnected(link.0)
            }
            Input::NetworkChanged => Self::NetworkChanged,
        }
    }

    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Tick => "tick".into(),
            Self::Connected(link) => format!("link {link} is up"),
            Self::Received(link, bytes) => format!("{} bytes on link {link}", bytes.len()),
            Self::Disconnected(link) => format!("link {link} is down"),
            Self::NetworkChanged => "another network".into(),
        }
    }
}

impl From<ClientInput> for Input {
    fn from(input: ClientInput) -> Self {
        match input {
            ClientInput::Tick => Self::Tick,
            ClientInput::Connected(link) => Self::Connected(LinkId(link)),
            ClientInput::Received(link, bytes) => Self::Received(LinkId(link), bytes.into()),
            ClientInput::Disconnected(link) => Self::Disconnected(LinkId(link)),
            ClientInput::NetworkChanged => Self::NetworkChanged,
        }
    }
}

impl ClientCall {
    pub(crate) fn of(call: &Call<'_>, scrubber: &Scrubber) -> Self {
        match *call {
            Call::Login { token, uid } => {
                Self::Login { token: scrubber.token_text(token), uid: uid.to_owned() }
            }
            Call::Logout => Self::Logout,
            Call::UpdateLoginToken { token } => {
                Self::UpdateLoginToken { token: scrubber.token_text(token) }
            }
            Call::GetPeerOnlineStatus { uid } => Self::GetPeerOnlineStatus { uid: uid.to_owned() },
            Call::SendMessage { uid, payload, config } => Self::SendMessage {
                uid: uid.to_owned(),
                content: scrubber.content(payload),
                config: config.code(),
            },
            Call::CreateRoom { room_id } => Self::CreateRoom { room: room_id.to_owned() },
            Call::SetBusinessId { id } => Self::SetBusinessId { id: id.to_owned() },
            Call::SetRuntimeParameters { json } => {
                Self::SetRuntimeParameters { json: json.to_owned() }
            }
            Call::JoinRoom { key } => Self::JoinRoom { key: key.0 },
            Call::LeaveRoom { key } => Self::LeaveRoom { key: key.0 },
            Call::DestroyRoom { key } => Self::DestroyRoom { key: key.0 },
            Call::SendRoomMessage { key, payload } => {
                Self::SendRoomMessage { key: key.0, content: scrubber.content(payload) }
            }
            Call::Destroy => Self::Destroy,
            Call::SetServerParams { signature, url } => Self::SetServerParams {
                signature: scrubber.secret_text(signature),
                url: scrubber.secret_text(url),
            },
            Call::SendServerMessage { payload } => {
                Self::SendServerMessage { content: scrubber.content(payload) }
            }
        }
    }

    /// The payload of a call that has one, for [`call`](Self::call).
    pub(crate) fn payload(&self) -> Option<Payload> {
        match self {
            Self::SendMessage { content, .. }
            | Self::SendRoomMessage { content, .. }
            | Self::SendServerMessage { content } => Some(content.into()),
            _ => None,
        }
    }

    /// The recorded call, with its `payload`.
    pub(crate) fn call<'a>(&'a self, payload: &'a Payload) -> Call<'a> {
        match self {
            Self::Login { token, uid } => Call::Login { token, uid },
            Self::Logout => Call::Logout,
            Self::UpdateLoginToken { token } => Call::UpdateLoginToken { token },
            Self::GetPeerOnlineStatus { uid } => Call::GetPeerOnlineStatus { uid },
            Self::SendMessage { uid, content: _, config } => {
                let config = MessageConfig::try_from(*config);
                let config = config.unwrap_or(MessageConfig::ReliableOrdered);
                Call::SendMessage { uid, payload, config }
            }
            Self::CreateRoom { room } => Call::CreateRoom { room_id: room },
            Self::SetBusinessId { id } => Call::SetBusinessId { id },
            Self::SetRuntimeParameters { json } => Call::SetRuntimeParameters { json },
            Self::JoinRoom { key } => Call::JoinRoom { key: RoomKey(*key) },
            Self::LeaveRoom { key } => Call::LeaveRoom { key: RoomKey(*key) },
            Self::DestroyRoom { key } => Call::DestroyRoom { key: RoomKey(*key) },
            Self::SendRoomMessage { key, content: _ } => {
                Call::SendRoomMessage { key: RoomKey(*key), payload }
            }
            Self::Destroy => Call::Destroy,
            Self::SetServerParams { signature, url } => Call::SetServerParams { signature, url },
            Self::SendServerMessage { content: _ } => Call::SendServerMessage { payload },
        }
    }

    /// A call, without its payload.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Login { uid, .. } => format!("login as {uid}"),
            Self::Logout => "logout".into(),
            Self::UpdateLoginToken { .. } => "updateLoginToken".into(),
            Self::GetPeerOnlineStatus { uid } => format!("getPeerOnlineStatus of {uid}"),
            Self::SendMessage { uid, content, config } => {
                let kind = match config {
                    0 => "reliable",
                    _ => "unreliable",
                };
                format!("sendMessage to {uid}, {kind}, {}", content.size())
            }
            Self::CreateRoom { room } => format!("createRoom {room}"),
            Self::SetBusinessId { id } => format!("setBusinessId {id}"),
            Self::SetRuntimeParameters { json } => format!("setRuntimeParameters {json}"),
            Self::JoinRoom { key } => format!("joinRoom, handle {key}"),
            Self::LeaveRoom { key } => format!("leaveRoom, handle {key}"),
            Self::DestroyRoom { key } => format!("destroyRoom, handle {key}"),
            Self::SendRoomMessage { key, content } => {
                format!("sendRoomMessage, handle {key}, {}", content.size())
            }
            Self::Destroy => "destroy".into(),
            Self::SetServerParams { .. } => "setServerParams".into(),
            Self::SendServerMessage { content } => {
                format!("sendServerMessage, {}", content.size())
            }
        }
    }
}
