//! Frames, and the stream that they travel in. `docs/protocol.md` sections 1 and following.
//!
//! [`Frame`] is what the rest of the core speaks; the protobuf types that it is encoded with stay
//! in here.

mod convert;
mod decoder;
#[rustfmt::skip]
#[allow(missing_docs, unreachable_pub, clippy::all)]
mod generated;
mod hot;
mod login;

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};
use prost::Message as _;

pub use decoder::Decoder;
pub(crate) use decoder::{Cutter, Piece, frames_len};
pub(crate) use hot::{HotFrame, broadcast_results, delivery, read, room_delivery, send_results};
pub use login::{Accepted, Login, LoginAnswer, Resume, ResumeKey, SetServerParams};

use crate::planted::{Bug, planted};
use crate::{
    BroadcastCode, BusinessId, LeaveReason, MessageConfig, MessageId, OnlineStatus, Payload,
    ProtocolError, Reply, RoomId, RoomState, SendCode, ServerParamsCode, UserId,
};

/// The protocol version that this crate speaks.
pub const VERSION: u32 = 1;

/// One frame, with all values checked. `proto/rts/v1/rts.proto` says what each is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Either side's first frame.
    Hello {
        /// Protocol version.
        version: u32,
        /// Optional abilities, one bit each.
        features: u64,
    },
    /// Client: who I am.
    Login(Login),
    /// Server: the outcome of a login.
    LoginAnswer(LoginAnswer),
    /// Either side: the first `received` sequenced frames have arrived.
    Ack {
        /// Count since the session began.
        received: u64,
    },
    /// Client: are you there?
    Ping,
    /// Server: I am.
    Pong,
    /// Client: a message to one user.
    Send {
        /// Returned with the result.
        id: MessageId,
        /// The receiver as written; may break the rules for ids (§5.3).
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
    /// Server: what became of messages to users.
    SendResults {
        /// The outcome of them all.
        code: SendCode,
        /// Which.
        ids: Vec<MessageId>,
    },
    /// Client: a message to all other members of a room.
    Broadcast {
        /// Returned with the result.
        id: MessageId,
        /// Where.
        room: RoomId,
        /// The message.
        payload: Payload,
    },
    /// Server: a broadcast of another member.
    RoomDelivery {
        /// The sender.
        from: UserId,
        /// Where.
        room: RoomId,
        /// The message.
        payload: Payload,
    },
    /// Server: what became of broadcasts.
    BroadcastResults {
        /// Where.
        room: RoomId,
        /// The outcome of them all.
        code: BroadcastCode,
        /// Which.
        ids: Vec<MessageId>,
    },
    /// Client: become a member.
    Join {
        /// Of which room.
        room: RoomId,
        /// Repeated by the answer.
        ticket: u64,
        /// A tag for the server side.
        business_id: Option<BusinessId>,
    },
    /// Server: the outcome of a join.
    JoinAnswer {
        /// Of which join.
        ticket: u64,
        /// [`RoomState::Joined`] or why not.
        state: RoomState,
        /// The other members, at most 500.
        members: Vec<UserId>,
    },
    /// Client: stop being a member.
    Leave {
        /// Of which room.
        room: RoomId,
        /// Repeated by the answer.
        ticket: u64,
    },
    /// Server: a leave is done.
    LeaveAnswer {
        /// Which.
        ticket: u64,
    },
    /// Server: somebody else joined.
    MemberJoined {
        /// Where.
        room: RoomId,
        /// Who.
        uid: UserId,
    },
    /// Server: somebody else left.
    MemberLeft {
        /// Where.
        room: RoomId,
        /// Who.
        uid: UserId,
        /// Why.
        reason: LeaveReason,
    },
    /// Server: the room's state changed for you.
    RoomNotice {
        /// Where.
        room: RoomId,
        /// How.
        state: RoomState,
    },
    /// Server: a message of the app's back end to this member alone.
    RoomUnicast {
        /// A name that the back end gave itself.
        from: UserId,
        /// Where.
        room: RoomId,
        /// The message.
        payload: Payload,
    },
    /// Client: is this user online?
    StatusQuery {
        /// Repeated by the answer.
        query: u64,
        /// Who, as written; may break the rules for ids (§7.2).
        uid: Bytes,
    },
    /// Server: whether a user is online.
    StatusAnswer {
        /// Which query.
        query: u64,
        /// The answer.
        status: OnlineStatus,
    },
    /// Client: post my messages for the app's server there.
    SetServerParams(SetServerParams),
    /// Server: the outcome of a [`SetServerParams`].
    ServerParamsAnswer {
        /// Of which.
        ticket: u64,
        /// The outcome.
        code: ServerParamsCode,
    },
    /// Client: a message to the app's server.
    ServerSend {
        /// Returned with the result.
        id: MessageId,
        /// The message.
        payload: Payload,
    },
    /// Server: what became of a message to the app's server.
    ServerSendResult {
        /// Which.
        id: MessageId,
        /// The outcome.
        code: SendCode,
        /// What the app's server answered; empty unless the outcome is [`SendCode::Ok`].
        reply: Reply,
    },
    /// Client: leaving for good.
    Logout,
    /// Server: why the link ends.
    Close {
        /// See section 9; may be one that this version does not know.
        code: u32,
        /// For people.
        reason: Bytes,
        /// Do not come back before this.
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

    /// Whether the frame counts (§4.1).
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

    /// The frame as it travels, with its length in front.
    #[must_use]
    pub fn encode(self) -> Bytes {
        if let Some(bytes) = hot::encode(&self) {
            return bytes;
        }
        self.encode_with_prost()
    }

    fn encode_with_prost(self) -> Bytes {
        let frame = generated::Frame { kind: Some(self.into()) };
        let mut out = BytesMut::with_capacity(frame.encoded_len() + 4);
        frame.encode_length_delimited(&mut out).expect("a BytesMut grows");
        out.freeze()
    }

    /// Reads a frame without its length. `None` is one that may be skipped (§1.4).
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

/// §1.4: kinds from this field number on may be skipped.
const FIRST_OPTIONAL_KIND: u64 = 512;

/// The number of the one field that a frame is. Protobuf itself would take several, and keep the
/// last.
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
