//! Between [`Frame`] and the protobuf types, with every check of §1.5.

use alloc::vec::Vec;

use bytes::Bytes;

use super::Frame;
use super::generated::{self as pb, frame::Kind};
use crate::limits::{NOTICE_MEMBERS_MAX, PAYLOAD_BYTES_MAX, REPLY_BYTES_MAX};
use crate::planted::{Bug, planted};
use crate::{
    BroadcastCode, BusinessId, LeaveReason, MessageConfig, MessageId, OnlineStatus, Payload,
    ProtocolError, Reply, RoomId, RoomState, SendCode, ServerParamsCode, Text, UserId,
};

impl From<Frame> for Kind {
    fn from(frame: Frame) -> Self {
        match frame {
            Frame::Hello { version, features } => Self::Hello(pb::Hello { version, features }),
            Frame::Login(login) => Self::Login(login.into()),
            Frame::LoginAnswer(answer) => Self::LoginAnswer(answer.into()),
            Frame::Ack { received } => Self::Ack(pb::Ack { received }),
            Frame::Ping => Self::Ping(pb::Ping {}),
            Frame::Pong => Self::Pong(pb::Pong {}),
            Frame::Send { id, to, payload, config } => Self::Send(pb::Send {
                id: id.0,
                to,
                payload: Some(payload.into()),
                config: config.code(),
            }),
            Frame::Delivery { from, payload, config } => Self::Delivery(pb::Delivery {
                from: wire(from.as_str()),
                payload: Some(payload.into()),
                config: config.code(),
            }),
            Frame::SendResults { code, ids } => {
                Self::SendResults(pb::SendResults { code: code.code(), ids: numbers(&ids) })
            }
            Frame::Broadcast { id, room, payload } => Self::Broadcast(pb::Broadcast {
                id: id.0,
                room: wire(room.as_str()),
                payload: Some(payload.into()),
            }),
            Frame::RoomDelivery { from, room, payload } => Self::RoomDelivery(pb::RoomDelivery {
                from: wire(from.as_str()),
                room: wire(room.as_str()),
                payload: Some(payload.into()),
            }),
            Frame::BroadcastResults { room, code, ids } => {
                Self::BroadcastResults(pb::BroadcastResults {
                    room: wire(room.as_str()),
                    code: code.code(),
                    ids: numbers(&ids),
                })
            }
            Frame::Join { room, ticket, business_id } => Self::Join(pb::Join {
                room: wire(room.as_str()),
                ticket,
                business_id: business_id.map(|id| wire(id.as_str())).unwrap_or_default(),
            }),
            Frame::JoinAnswer { ticket, state, members } => Self::JoinAnswer(pb::JoinAnswer {
                ticket,
                state: state.code(),
                members: members.iter().map(|uid| wire(uid.as_str())).collect(),
            }),
            Frame::Leave { room, ticket } => {
                Self::Leave(pb::Leave { room: wire(room.as_str()), ticket })
            }
            Frame::LeaveAnswer { ticket } => Self::LeaveAnswer(pb::LeaveAnswer { ticket }),
            Frame::MemberJoined { room, uid } => Self::MemberJoined(pb::MemberJoined {
                room: wire(room.as_str()),
                uid: wire(uid.as_str()),
            }),
            Frame::MemberLeft { room, uid, reason } => Self::MemberLeft(pb::MemberLeft {
                room: wire(room.as_str()),
                uid: wire(uid.as_str()),
                reason: reason.code(),
            }),
            Frame::RoomNotice { room, state } => {
                Self::RoomNotice(pb::RoomNotice { room: wire(room.as_str()), state: state.code() })
            }
            Frame::RoomUnicast { from, room, payload } => Self::RoomUnicast(pb::RoomUnicast {
                from: wire(from.as_str()),
                room: wire(room.as_str()),
                payload: Some(payload.into()),
            }),
            Frame::StatusQuery { query, uid } => Self::StatusQuery(pb::StatusQuery { query, uid }),
            Frame::StatusAnswer { query, status } => {
                Self::StatusAnswer(pb::StatusAnswer { query, status: status.code() })
            }
            Frame::SetServerParams(set) => Self::SetServerParams(set.into()),
            Frame::ServerParamsAnswer { ticket, code } => {
                Self::ServerParamsAnswer(pb::ServerParamsAnswer { ticket, code: code.code() })
            }
            Frame::ServerSend { id, payload } => {
                Self::ServerSend(pb::ServerSend { id: id.0, payload: Some(payload.into()) })
            }
            Frame::ServerSendResult { id, code, reply } => {
                Self::ServerSendResult(pb::ServerSendResult {
                    id: id.0,
                    code: code.code(),
                    reply: reply.into_bytes(),
                })
            }
            Frame::Logout => Self::Logout(pb::Logout {}),
            Frame::Close { code, reason, retry_after_ms } => {
                Self::Close(pb::Close { code, reason, retry_after_ms })
            }
        }
    }
}

impl TryFrom<Kind> for Frame {
    type Error = ProtocolError;

    fn try_from(kind: Kind) -> Result<Self, ProtocolError> {
        Ok(match kind {
            Kind::Hello(hello) => Self::Hello { version: hello.version, features: hello.features },
            Kind::Login(login) => Self::Login(login.try_into()?),
            Kind::LoginAnswer(answer) => Self::LoginAnswer(answer.try_into()?),
            Kind::Ack(ack) => Self::Ack { received: ack.received },
            Kind::Ping(_) => Self::Ping,
            Kind::Pong(_) => Self::Pong,
            Kind::Send(send) => Self::Send {
                id: MessageId(send.id),
                to: send.to,
                payload: send.payload.try_into()?,
                config: MessageConfig::try_from(send.config).map_err(|_| bad("config"))?,
            },
            Kind::Delivery(delivery) => Self::Delivery {
                from: user(&delivery.from, "from")?,
                payload: delivery.payload.try_into()?,
                config: MessageConfig::try_from(delivery.config).map_err(|_| bad("config"))?,
            },
            Kind::SendResults(results) => Self::SendResults {
                code: SendCode::try_from(results.code).map_err(|_| bad("code"))?,
                ids: message_ids(&results.ids),
            },
            Kind::Broadcast(broadcast) => Self::Broadcast {
                id: MessageId(broadcast.id),
                room: room(&broadcast.room)?,
                payload: broadcast.payload.try_into()?,
            },
            Kind::RoomDelivery(delivery) => Self::RoomDelivery {
                from: user(&delivery.from, "from")?,
                room: room(&delivery.room)?,
                payload: delivery.payload.try_into()?,
            },
            Kind::BroadcastResults(results) => Self::BroadcastResults {
                room: room(&results.room)?,
                code: BroadcastCode::try_from(results.code).map_err(|_| bad("code"))?,
                ids: message_ids(&results.ids),
            },
            Kind::Join(join) => Self::Join {
                room: room(&join.room)?,
                ticket: join.ticket,
                business_id: match join.business_id.is_empty() {
                    true => None,
                    false => Some(
                        BusinessId::from_bytes(&join.business_id)
                            .map_err(|_| bad("business_id"))?,
                    ),
                },
            },
            Kind::JoinAnswer(answer) => Self::JoinAnswer {
                ticket: answer.ticket,
                state: RoomState::try_from(answer.state).map_err(|_| bad("state"))?,
                members: members(&answer.members)?,
            },
            Kind::Leave(leave) => Self::Leave { room: room(&leave.room)?, ticket: leave.ticket },
            Kind::LeaveAnswer(answer) => Self::LeaveAnswer { ticket: answer.ticket },
            Kind::MemberJoined(joined) => {
                Self::MemberJoined { room: room(&joined.room)?, uid: user(&joined.uid, "uid")? }
            }
            Kind::MemberLeft(left) => Self::MemberLeft {
                room: room(&left.room)?,
                uid: user(&left.uid, "uid")?,
                reason: LeaveReason::try_from(left.reason).map_err(|_| bad("reason"))?,
            },
            Kind::RoomNotice(notice) => Self::RoomNotice {
                room: room(&notice.room)?,
                state: RoomState::try_from(notice.state).map_err(|_| bad("state"))?,
            },
            Kind::RoomUnicast(unicast) => Self::RoomUnicast {
                from: user(&unicast.from, "from")?,
                room: room(&unicast.room)?,
                payload: unicast.payload.try_into()?,
            },
            Kind::StatusQuery(query) => Self::StatusQuery { query: query.query, uid: query.uid },
            Kind::StatusAnswer(answer) => Self::StatusAnswer {
                query: answer.query,
                status: OnlineStatus::try_from(answer.status).map_err(|_| bad("status"))?,
            },
            Kind::SetServerParams(set) => Self::SetServerParams(set.into()),
            Kind::ServerParamsAnswer(answer) => Self::ServerParamsAnswer {
                ticket: answer.ticket,
                code: ServerParamsCode::try_from(answer.code).map_err(|_| bad("code"))?,
            },
            Kind::ServerSend(send) => {
                Self::ServerSend { id: MessageId(send.id), payload: send.payload.try_into()? }
            }
            Kind::ServerSendResult(result) => Self::ServerSendResult {
                id: MessageId(result.id),
                code: SendCode::try_from(result.code).map_err(|_| bad("code"))?,
                reply: reply(result.reply)?,
            },
            Kind::Logout(_) => Self::Logout,
            Kind::Close(close) => Self::Close {
                code: close.code,
                reason: close.reason,
                retry_after_ms: close.retry_after_ms,
            },
        })
    }
}

/// Protobuf generates one type for each field with a payload. All are equal.
macro_rules! payloads {
    ($($message:ident)*) => {$(
        impl From<Payload> for pb::$message::Payload {
            fn from(payload: Payload) -> Self {
                match payload {
                    Payload::Text(text) => Self::Text(text.into_bytes()),
                    Payload::Binary(bytes) => Self::Binary(bytes),
                }
            }
        }

        impl TryFrom<Option<pb::$message::Payload>> for Payload {
            type Error = ProtocolError;

            fn try_from(payload: Option<pb::$message::Payload>) -> Result<Self, ProtocolError> {
                match payload {
                    Some(pb::$message::Payload::Binary(bytes)) => binary(bytes),
                    Some(pb::$message::Payload::Text(bytes)) => text(bytes),
                    None => text(Bytes::new()),
                }
            }
        }
    )*};
}

payloads!(send delivery broadcast room_delivery room_unicast server_send);

pub(super) fn bad(field: &'static str) -> ProtocolError {
    ProtocolError::BadValue { field }
}

pub(super) fn wire(id: &str) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

fn numbers(ids: &[MessageId]) -> Vec<u64> {
    ids.iter().map(|id| id.0).collect()
}

fn message_ids(numbers: &[u64]) -> Vec<MessageId> {
    numbers.iter().copied().map(MessageId).collect()
}

pub(super) fn user(bytes: &[u8], field: &'static str) -> Result<UserId, ProtocolError> {
    UserId::from_bytes(bytes).map_err(|_| bad(field))
}

fn room(bytes: &[u8]) -> Result<RoomId, ProtocolError> {
    let room = RoomId::from_bytes(bytes);
    assert!(room.is_ok() || !planted(Bug::RoomTrusted), "an invalid room");
    room.map_err(|_| bad("room"))
}

fn members(list: &[Bytes]) -> Result<Vec<UserId>, ProtocolError> {
    if list.len() > NOTICE_MEMBERS_MAX {
        return Err(bad("members"));
    }
    list.iter().map(|uid| user(uid, "members")).collect()
}

fn reply(bytes: Bytes) -> Result<Reply, ProtocolError> {
    if bytes.len() > REPLY_BYTES_MAX {
        return Err(bad("reply"));
    }
    Ok(Reply::new(bytes))
}

fn binary(bytes: Bytes) -> Result<Payload, ProtocolError> {
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(bad("payload"));
    }
    Ok(Payload::Binary(bytes))
}

fn text(bytes: Bytes) -> Result<Payload, ProtocolError> {
    if bytes.len() > PAYLOAD_BYTES_MAX {
        return Err(bad("payload"));
    }
    Text::try_from(bytes).map(Payload::Text).map_err(|_| bad("text"))
}
