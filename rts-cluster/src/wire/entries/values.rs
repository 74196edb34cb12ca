//! Values that entries of all kinds have, from and to the types of protobuf.

use std::time::Duration;

use bytes::Bytes;
use rts_proto::server::{Deliveries, NodeNumber, SessionNumber, ShardId};
use rts_proto::{
    AppId, BroadcastCode, BusinessId, Instant, LeaveReason, MessageConfig, OnlineStatus, RoomId,
    RoomState, SendCode, UserId, wire,
};

use super::super::packet::WireError;
use rts_proto::wire::ResumeKey;

pub(super) fn invalid<T>(what: &'static str) -> Result<T, WireError> {
    Err(WireError::Invalid(what))
}

pub(super) fn id(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(super) fn session(number: u64) -> Result<SessionNumber, WireError> {
    SessionNumber::from_number(number).ok_or(WireError::Invalid("session"))
}

pub(super) fn key(key: &Bytes) -> Result<ResumeKey, WireError> {
    <[u8; 16]>::try_from(&key[..]).map(ResumeKey).map_err(|_| WireError::Invalid("key"))
}

/// The content of the frame is not checked.
pub(super) fn frame(frame: Bytes) -> Result<Bytes, WireError> {
    if wire::is_one_frame(&frame) { Ok(frame) } else { invalid("frame") }
}

/// The number of a shard among the shards of all nodes.
pub(super) fn shard_number(shard: ShardId) -> u32 {
    (shard.node().number() * ShardId::COUNT_MAX + shard.number()) as u32
}

pub(super) fn shard(number: u32) -> Result<ShardId, WireError> {
    let number = number as usize;
    let node = NodeNumber::new(number / ShardId::COUNT_MAX);
    let shard = node.and_then(|node| ShardId::of_node(node, number % ShardId::COUNT_MAX));
    shard.ok_or(WireError::Invalid("shard"))
}

/// The time from `now` to this moment, in microseconds.
pub(super) fn remaining(until: Instant, now: Instant) -> u64 {
    until.as_micros().saturating_sub(now.as_micros())
}

/// The moment until which this many microseconds remain.
pub(super) fn arriving(remaining: u64, now: Instant) -> Instant {
    now + Duration::from_micros(remaining)
}

pub(super) fn deliveries(part: &Bytes) -> Result<Deliveries, WireError> {
    Deliveries::from_part(part).map_err(|error| WireError::Invalid(error.part()))
}

macro_rules! checked {
    ($($name:ident: $from:ty => $to:ident::$read:ident, $what:literal;)+) => {$(
        pub(super) fn $name(value: $from) -> Result<$to, WireError> {
            $to::$read(value).map_err(|_| WireError::Invalid($what))
        }
    )+};
}

checked! {
    app_id: &Bytes => AppId::from_bytes, "app";
    uid: &Bytes => UserId::from_bytes, "user";
    room: &Bytes => RoomId::from_bytes, "room";
    business_id: &Bytes => BusinessId::from_bytes, "business id";
    message_config: u32 => MessageConfig::try_from, "delivery guarantee";
    send_code: u32 => SendCode::try_from, "result";
    broadcast_code: u32 => BroadcastCode::try_from, "result";
    room_state: i32 => RoomState::try_from, "state";
    status: u32 => OnlineStatus::try_from, "status";
    leave_reason: u32 => LeaveReason::try_from, "reason";
}
