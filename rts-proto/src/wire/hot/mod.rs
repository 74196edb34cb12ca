//! The hot path of the codec: messages, deliveries, acknowledgements and results are encoded and
//! decoded without prost.
//!
//! Frames are written as prost writes them. A frame is read here if it looks as prost writes it:
//! each field once, in order, and absent only if it has the default value. The fallback is prost,
//! which reads every other frame and reports broken rules.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use read::{HotFrame, read};
pub(crate) use write::{Delivery, broadcast_results, delivery, room_delivery, send_results};

use bytes::Bytes;

use super::Frame;

/// Keys of the kinds at the beginning of a frame: the field's number times 8, plus 2.
mod kind {
    pub(super) const ACK: u8 = 4 << 3 | 2;
    pub(super) const SEND: u8 = 7 << 3 | 2;
    pub(super) const DELIVERY: u8 = 8 << 3 | 2;
    pub(super) const SEND_RESULTS: u8 = 9 << 3 | 2;
    pub(super) const BROADCAST: u8 = 10 << 3 | 2;
    pub(super) const ROOM_DELIVERY: u8 = 11 << 3 | 2;
    pub(super) const BROADCAST_RESULTS: u8 = 12 << 3 | 2;
}

/// Keys of fields: the number times 8, plus 0 for a varint or 2 for bytes.
mod key {
    pub(super) const NUMBER_1: u8 = 1 << 3;
    pub(super) const NUMBER_2: u8 = 2 << 3;
    pub(super) const BYTES_1: u8 = 1 << 3 | 2;
    pub(super) const BYTES_2: u8 = 2 << 3 | 2;
    pub(super) const BYTES_3: u8 = 3 << 3 | 2;
    pub(super) const TEXT: u8 = 3 << 3 | 2;
    pub(super) const BINARY: u8 = 4 << 3 | 2;
    pub(super) const CONFIG: u8 = 5 << 3;
}

/// The frame with its length in front, if its kind is written here.
pub(super) fn encode(frame: &Frame) -> Option<Bytes> {
    Some(match frame {
        Frame::Ack { received } => write::ack(*received),
        Frame::Delivery { from, payload, config } => delivery(from, payload.borrowed(), *config),
        Frame::RoomDelivery { from, room, payload } => {
            room_delivery(from, room, payload.borrowed())
        }
        Frame::SendResults { code, ids } => send_results(*code, ids.iter().copied()),
        Frame::BroadcastResults { room, code, ids } => {
            broadcast_results(room, *code, ids.iter().copied())
        }
        _ => return None,
    })
}

/// The frame in these bytes, which have no length prefix. `None` if it is left to prost.
pub(super) fn decode(bytes: &Bytes) -> Option<Frame> {
    read(bytes).map(|frame| frame.kept_in(bytes))
}
