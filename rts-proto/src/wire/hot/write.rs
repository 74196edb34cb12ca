//! Writes the most frequent frames of servers into memory of exactly their length.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{key, kind};
use crate::payload::PayloadRef;
use crate::{BroadcastCode, MessageConfig, MessageId, RoomId, SendCode, UserId};

/// `Ack`.
pub(super) fn ack(received: u64) -> Bytes {
    let mut out = frame(kind::ACK, number_field_len(received));
    put_number_field(&mut out, key::NUMBER_1, received);
    out.into()
}

/// `Delivery`.
pub(crate) fn delivery(from: &UserId, payload: PayloadRef<'_>, config: MessageConfig) -> Bytes {
    let delivery = Delivery::new(from, payload, config);
    let mut out = Vec::with_capacity(delivery.len);
    delivery.put(&mut out);
    out.into()
}

/// `Delivery`, to be written behind other bytes.
#[derive(Clone, Copy)]
pub(crate) struct Delivery<'a> {
    from: &'a [u8],
    payload: PayloadRef<'a>,
    config: u64,
    body_len: usize,
    /// Its length in bytes.
    pub(crate) len: usize,
}

impl<'a> Delivery<'a> {
    #[inline(always)]
    pub(crate) fn new(from: &'a UserId, payload: PayloadRef<'a>, config: MessageConfig) -> Self {
        let (from, config) = (from.as_str().as_bytes(), config.code().into());
        let body_len =
            bytes_field_len(from) + bytes_field_len(payload.as_bytes()) + number_field_len(config);
        Self { from, payload, config, body_len, len: len_with_body(body_len) }
    }

    #[inline(always)]
    pub(crate) fn put(self, out: &mut Vec<u8>) {
        put_head(out, kind::DELIVERY, self.body_len);
        put_bytes_field(out, key::BYTES_1, self.from);
        put_bytes_field(out, key_of(self.payload), self.payload.as_bytes());
        put_number_field(out, key::CONFIG, self.config);
    }
}

/// `RoomDelivery`.
pub(crate) fn room_delivery(from: &UserId, room: &RoomId, payload: PayloadRef<'_>) -> Bytes {
    let (from, room) = (from.as_str().as_bytes(), room.as_str().as_bytes());
    let body_len =
        bytes_field_len(from) + bytes_field_len(room) + bytes_field_len(payload.as_bytes());
    let mut out = frame(kind::ROOM_DELIVERY, body_len);
    put_bytes_field(&mut out, key::BYTES_1, from);
    put_bytes_field(&mut out, key::BYTES_2, room);
    put_bytes_field(&mut out, key_of(payload), payload.as_bytes());
    out.into()
}

/// `SendResults`.
pub(crate) fn send_results(code: SendCode, ids: impl Iterator<Item = MessageId> + Clone) -> Bytes {
    let (code, ids_len) = (u64::from(code.code()), numbers_len(ids.clone()));
    let mut out = frame(kind::SEND_RESULTS, number_field_len(code) + numbers_field_len(ids_len));
    put_number_field(&mut out, key::NUMBER_1, code);
    put_numbers_field(&mut out, key::BYTES_2, ids, ids_len);
    out.into()
}

/// `BroadcastResults`.
pub(crate) fn broadcast_results(
    room: &RoomId,
    code: BroadcastCode,
    ids: impl Iterator<Item = MessageId> + Clone,
) -> Bytes {
    let room = room.as_str().as_bytes();
    let (code, ids_len) = (u64::from(code.code()), numbers_len(ids.clone()));
    let body_len = bytes_field_len(room) + number_field_len(code) + numbers_field_len(ids_len);
    let mut out = frame(kind::BROADCAST_RESULTS, body_len);
    put_bytes_field(&mut out, key::BYTES_1, room);
    put_number_field(&mut out, key::NUMBER_2, code);
    put_numbers_field(&mut out, key::BYTES_3, ids, ids_len);
    out.into()
}

#[inline]
fn key_of(payload: PayloadRef<'_>) -> u8 {
    match payload {
        PayloadRef::Text(_) => key::TEXT,
        PayloadRef::Binary(_) => key::BINARY,
    }
}

/// The beginning of a frame, in memory for all of it.
fn frame(kind: u8, body_len: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(len_with_body(body_len));
    put_head(&mut out, kind, body_len);
    out
}

/// The length of a frame with its own length in front, without that one.
#[inline]
fn frame_len(body_len: usize) -> usize {
    1 + number_len(body_len as u64) + body_len
}

#[inline]
fn len_with_body(body_len: usize) -> usize {
    let frame_len = frame_len(body_len);
    number_len(frame_len as u64) + frame_len
}

#[inline]
fn put_head(out: &mut Vec<u8>, kind: u8, body_len: usize) {
    put_number(out, frame_len(body_len) as u64);
    out.push(kind);
    put_number(out, body_len as u64);
}

#[inline]
fn number_len(number: u64) -> usize {
    let bits = 64 - (number | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

#[inline]
fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A field of 0 is left out.
#[inline]
fn number_field_len(number: u64) -> usize {
    if number == 0 { 0 } else { 1 + number_len(number) }
}

#[inline]
fn put_number_field(out: &mut Vec<u8>, key: u8, number: u64) {
    if number != 0 {
        out.push(key);
        put_number(out, number);
    }
}

#[inline]
fn bytes_field_len(bytes: &[u8]) -> usize {
    1 + number_len(bytes.len() as u64) + bytes.len()
}

#[inline]
fn put_bytes_field(out: &mut Vec<u8>, key: u8, bytes: &[u8]) {
    out.push(key);
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// The length of a list of numbers, without key and length.
fn numbers_len(ids: impl Iterator<Item = MessageId>) -> usize {
    ids.map(|id| number_len(id.0)).sum()
}

/// An empty list is left out.
fn numbers_field_len(numbers_len: usize) -> usize {
    if numbers_len == 0 { 0 } else { 1 + number_len(numbers_len as u64) + numbers_len }
}

fn put_numbers_field(
    out: &mut Vec<u8>,
    key: u8,
    ids: impl Iterator<Item = MessageId>,
    numbers_len: usize,
) {
    if numbers_len != 0 {
        out.push(key);
        put_number(out, numbers_len as u64);
        ids.for_each(|id| put_number(out, id.0));
    }
}
