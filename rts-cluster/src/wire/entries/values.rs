//! Values that entries of all kinds have, from and to the types of protobuf.

use bytes::Bytes;
use rts_proto::server::{Deliveries, SessionNumber};
use rts_proto::{
    AppId, BroadcastCode, BusinessId, LeaveReason, MessageConfig, RoomId, RoomState, SendCode,
    UserId,
};

use super::super::packet::WireError;

pub(super) fn invalid<T>(what: &'static str) -> Result<T, WireError> {
    Err(WireError::Invalid(what))
}

pub(super) fn id(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(super) fn session(number: u64) -> Result<SessionNumber, WireError> {
    SessionNumber::from_number(number).ok_or(WireError::Invalid("session"))
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
    leave_reason: u32 => LeaveReason::try_from, "reason";
}
