//! Frames, and the encoding of their stream. `docs/protocol.md` sections 1 and following.
//!
//! The rest of the core uses [`Frame`]. Only this module uses the protobuf types of its encoding.

mod convert;
mod decoder;
#[rustfmt::skip]
#[allow(missing_docs, unreachable_pub, clippy::all)]
mod generated;
mod hot;
mod login;

use alloc::vec::Vec;

use bytes::Bytes;
use prost::{Message as _, encode_length_delimiter, length_delimiter_len};

pub(crate) use decoder::{Cutter, Piece, frames_len};
pub use decoder::{Decoder, frames_count, is_one_frame};
pub(crate) use hot::{
    Delivery, HotFrame, broadcast_results, delivery, read, room_delivery, send_results,
};
pub use login::{Accepted, Login, LoginAnswer, Resume, ResumeKey, SetServerParams};

use crate::planted::{Bug, planted};
use crate::{
    BroadcastCode, BusinessId, LeaveReason, MessageConfig, MessageId, OnlineStatus, Payload,
    ProtocolError, Reply, RoomId, RoomState, SendCode, ServerParamsCode, UserId,
};

/// The protocol version of this crate.
pub const VERSION: u32 = 1;

/// One frame, with all values checked. `proto/rts/v1/rts.proto` describes each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Either side's first frame.
    Hello {
        /// Protocol version.
        version: u32,
        /// Optional abilities, one bit each.
        features: u64,
    },
    /// Client: a login.
    Login(Login),
    /// Server: the outcome of a login.
    LoginAnswer(LoginAnswer),
    /// Either side: the first `received` sequenced frames have arrived.
    Ack {
        /// The number of frames since the session began.
        received: u64,
    },
    /// Client: asks for a [`Pong`](Self::Pong).
    Ping,
    /// Server: answers a [`Ping`](Self::Ping).
    Pong,
    /// Client: a message to one user.
    Send {
        /// Returned with the result.
        id: MessageId,
        /// The receiver's id as the client wrote it; may be invalid (§5.3).
        to: Bytes,
        /// The message.
        payload: Payload,
        /// Sequenced only when reliable.
        config: MessageConfig,
    },
    /// Server: a message from one user.
    Delivery {
        /// The sender.
        from: UserId,
        /// The message.
        payload: Payload,
        /// Sequenced only when reliable.
        config: MessageConfig,
    },
    /// Server: results of messages to users.
    SendResults {
        /// The common result.
        code: SendCode,
        /// The messages.
        ids: Vec<MessageId>,
    },
    /// Client: a message to all other members of a room.
    Broadcast {
        /// Returned with the result.
        id: MessageId,
        /// The room.
        room: RoomId,
        /// The message.
        payload: Payload,
    },
    /// Server: a broadcast of another member.
    RoomDelivery {
        /// The sender.
        from: UserId,
        /// The room.
        room: RoomId,
        /// The message.
        payload: Payload,
    },
    /// Server: results of broadcasts.
    BroadcastResults {
        /// The room.
        room: RoomId,
        /// The common result.
        code: BroadcastCode,
        /// The broadcasts.
        ids: Vec<MessageId>,
    },
    /// Client: become a member.
    Join {
        /// The room.
        room: RoomId,
        /// Repeated by the answer.
        ticket: u64,
        /// A tag for the server side.
        business_id: Option<BusinessId>,
    },
    /// Server: the outcome of a join.
    JoinAnswer {
        /// The ticket of the join.
        ticket: u64,
        /// [`RoomState::Joined`], or the reason for a refusal.
        state: RoomState,
        /// The other members, at most 500.
        members: Vec<UserId>,
    },
    /// Client: stop being a member.
    Leave {
        /// The room.
        room: RoomId,
        /// Repeated by the answer.
        ticket: u64,
    },
    /// Server: a leave is done.
    LeaveAnswer {
        /// The ticket of the leave.
        ticket: u64,
    },
    /// Server: another user joined.
    MemberJoined {
        /// The room.
        room: RoomId,
        /// The user.
        uid: UserId,
    },
    /// Server: another user left.
    MemberLeft {
        /// The room.
        room: RoomId,
        /// The user.
        uid: UserId,
        /// The reason.
        reason: LeaveReason,
    },
    /// Server: the room's state changed for this client.
    RoomNotice {
        /// The room.
        room: RoomId,
        /// The state.
        state: RoomState,
    },
    /// Server: a message of the app's back end to this member alone.
    RoomUnicast {
        /// A name that the back end chose.
        from: UserId,
        /// The room.
        room: RoomId,
        /// The message.
        payload: Payload,
    },
    /// Client: is this user online?
    StatusQuery {
        /// Repeated by the answer.
        query: u64,
        /// The user's id as the client wrote it; may be invalid (§7.2).
        uid: Bytes,
    },
    /// Server: whether a user is online.
    StatusAnswer {
        /// The number of the query.
        query: u64,
        /// The answer.
        status: OnlineStatus,
    },
    /// Client: post its messages for the app server to this URL.
    SetServerParams(SetServerParams),
    /// Server: the outcome of a [`SetServerParams`].
    ServerParamsAnswer {
        /// The ticket of the [`SetServerParams`].
        ticket: u64,
        /// The outcome.
        code: ServerParamsCode,
    },
    /// Client: a message to the app server.
    ServerSend {
        /// Returned with the result.
        id: MessageId,
        /// The message.
        payload: Payload,
    },
    /// Server: the result of a message to the app server.
    ServerSendResult {
        /// The message.
        id: MessageId,
        /// The result.
        code: SendCode,
        /// The app server's answer; empty unless the code is [`SendCode::Ok`].
        reply: Reply,
    },
    /// Client: ends the session.
    Logout,
    /// Server: why the link ends.
    Close {
        /// The code of section 9. Later versions may have further codes.
        code: u32,
        /// A reason for people.
        reason: Bytes,
        /// The shortest wait before a reconnect, in milliseconds.
        retry_after_ms: u32,
    },
}

impl Frame {
    /// The frame's name in the schema.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "Hello",
            Self::Login(_) => "Login",
            Self::LoginAnswer(_) => "LoginAnswer",
            Self::Ack { .. } => "Ack",
            Self::Ping => "Ping",
            Self::Pong => "Pong",
            Self::Send { .. } => "Send",
            Self::Delivery { .. } => "Delivery",
            Self::SendResults { .. } => "SendResults",
            Self::Broadcast { .. } => "Broadcast",
            Self::RoomDelivery { .. } => "RoomDelivery",
            Self::BroadcastResults { .. } => "BroadcastResults",
            Self::Join { .. } => "Join",
            Self::JoinAnswer { .. } => "JoinAnswer",
            Self::Leave { .. } => "Leave",
            Self::LeaveAnswer { .. } => "LeaveAnswer",
            Self::MemberJoined { .. } => "MemberJoined",
            Self::MemberLeft { .. } => "MemberLeft",
            Self::RoomNotice { .. } => "RoomNotice",
            Self::RoomUnicast { .. } => "RoomUnicast",
            Self::StatusQuery { .. } => "StatusQuery",
            Self::StatusAnswer { .. } => "StatusAnswer",
            Self::SetServerParams(_) => "SetServerParams",
            Self::ServerParamsAnswer { .. } => "ServerParamsAnswer",
            Self::ServerSend { .. } => "ServerSend",
            Self::ServerSendResult { .. } => "ServerSendResult",
            Self::Logout => "Logout",
            Self::Close { .. } => "Close",
        }
    }

    /// Whether the frame is sequenced (§4.1).
    #[must_use]
    pub const fn is_sequenced(&self) -> bool {
        match self {
            Self::Hello { .. }
            | Self::Login(_)
            | Self::LoginAnswer(_)
            | Self::Ack { .. }
            | Self::Ping
            | Self::Pong
            | Self::Logout
            | Self::Close { .. } => false,
            Self::Send { config, .. } | Self::Delivery { config, .. } => config.is_reliable(),
            Self::SendResults { .. }
            | Self::Broadcast { .. }
            | Self::RoomDelivery { .. }
            | Self::BroadcastResults { .. }
            | Self::Join { .. }
            | Self::JoinAnswer { .. }
            | Self::Leave { .. }
            | Self::LeaveAnswer { .. }
            | Self::MemberJoined { .. }
            | Self::MemberLeft { .. }
            | Self::RoomNotice { .. }
            | Self::RoomUnicast { .. }
            | Self::StatusQuery { .. }
            | Self::StatusAnswer { .. }
            | Self::SetServerParams(_)
            | Self::ServerParamsAnswer { .. }
            | Self::ServerSend { .. }
            | Self::ServerSendResult { .. } => true,
        }
    }

    /// The encoded frame, with its length in front.
    #[must_use]
    pub fn encode(self) -> Bytes {
        if let Some(bytes) = hot::encode(&self) {
            return bytes;
        }
        self.encode_with_prost()
    }

    fn encode_with_prost(self) -> Bytes {
        let frame = generated::Frame { kind: Some(self.into()) };
        let len = frame.encoded_len();
        let mut out = Vec::with_capacity(length_delimiter_len(len) + len);
        encode_length_delimiter(len, &mut out).expect("a Vec grows");
        frame.encode(&mut out).expect("a Vec grows");
        Bytes::from(out)
    }

    /// Decodes a frame without its length. `None` for a kind that may be skipped (§1.4).
    pub fn decode(bytes: Bytes) -> Result<Option<Self>, ProtocolError> {
        match hot::decode(&bytes) {
            Some(frame) => Ok(Some(frame)),
            None => Self::decode_with_prost(bytes),
        }
    }

    fn decode_with_prost(bytes: Bytes) -> Result<Option<Self>, ProtocolError> {
        let number = only_field(&bytes)?;
        let len = bytes.len();
        let frame = generated::Frame::decode(bytes).map_err(|_| ProtocolError::Malformed)?;
        match frame.kind {
            Some(_) if planted(Bug::UnknownFieldRefused) && frame.encoded_len() != len => {
                Err(ProtocolError::Malformed)
            }
            Some(kind) => Self::try_from(kind).map(Some),
            None if number >= FIRST_OPTIONAL_KIND => Ok(None),
            None => Err(ProtocolError::UnknownKind),
        }
    }
}

/// §1.4: kinds from this number on may be skipped.
const FIRST_OPTIONAL_KIND: u64 = 512;

/// The number of the frame's only field. A protobuf decoder would accept several fields and keep
/// the last one.
fn only_field(frame: &[u8]) -> Result<u64, ProtocolError> {
    let mut rest = frame;
    let mut varint = || prost::encoding::decode_varint(&mut rest);
    let (Ok(key), Ok(len)) = (varint(), varint()) else { return Err(ProtocolError::Malformed) };
    let is_length_delimited = key & 7 == 2;
    if !is_length_delimited || len != rest.len() as u64 {
        return Err(ProtocolError::UnknownKind);
    }
    Ok(key >> 3)
}
