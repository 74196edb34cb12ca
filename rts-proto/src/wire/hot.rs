//! The few frames of which there are many, read and written by hand: messages, their deliveries and acknowledgements.
//!
//! They are written as prost writes them. They are read if they look as prost writes them: every field once, in order, none
//! left out but those with their default. Whatever looks otherwise, or breaks a rule, is not for here: prost reads it, and says
//! what is wrong with it.

use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;

use super::Frame;
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::{MessageConfig, MessageId, Payload, RoomId, Text};

/// Kinds with their wire type, as they begin a frame: the field's number times 8, plus 2.
mod kind {
    pub(super) const ACK: u8 = 4 << 3 | 2;
    pub(super) const SEND: u8 = 7 << 3 | 2;
    pub(super) const DELIVERY: u8 = 8 << 3 | 2;
    pub(super) const BROADCAST: u8 = 10 << 3 | 2;
    pub(super) const ROOM_DELIVERY: u8 = 11 << 3 | 2;
}

/// Keys of fields: the number times 8, plus 0 for a varint or 2 for bytes.
mod key {
    pub(super) const NUMBER_1: u8 = 1 << 3;
    pub(super) const BYTES_1: u8 = 1 << 3 | 2;
    pub(super) const BYTES_2: u8 = 2 << 3 | 2;
    pub(super) const TEXT: u8 = 3 << 3 | 2;
    pub(super) const BINARY: u8 = 4 << 3 | 2;
    pub(super) const CONFIG: u8 = 5 << 3;
}

/// The frame with its length in front, if it is one of these.
pub(super) fn encode(frame: &Frame) -> Option<Bytes> {
    match frame {
        Frame::Ack { received } => Some(encode_ack(*received)),
        Frame::Delivery { from, payload, config } => {
            Some(encode_delivery(kind::DELIVERY, from.as_str(), "", payload, *config))
        }
        Frame::RoomDelivery { from, room, payload } => {
            let config = MessageConfig::ReliableOrdered;
            let room = room.as_str();
            Some(encode_delivery(kind::ROOM_DELIVERY, from.as_str(), room, payload, config))
        }
        _ => None,
    }
}

/// The frame in these bytes, which have no length in front, if it is one of these and looks as it should.
pub(super) fn decode(bytes: &Bytes) -> Option<Frame> {
    let kind = *bytes.first()?;
    let mut reader = Reader { bytes, at: 1 };
    if !matches!(kind, kind::ACK | kind::SEND | kind::BROADCAST)
        || reader.number()? != reader.left()
    {
        return None;
    }
    let number = reader.number_field(key::NUMBER_1)?;
    if kind == kind::ACK {
        return reader.is_at_end().then_some(Frame::Ack { received: number });
    }
    let to = reader.bytes_field(key::BYTES_2)?;
    let payload = reader.payload()?;
    let config = reader.number_field(key::CONFIG)?;
    if !reader.is_at_end() {
        return None;
    }
    let id = MessageId(number);
    if kind == kind::SEND {
        let config = MessageConfig::from_code(u32::try_from(config).ok()?)?;
        return Some(Frame::Send { id, to: bytes.slice(to), payload, config });
    }
    let room = RoomId::from_bytes(&bytes[to]).ok()?;
    (config == 0).then_some(Frame::Broadcast { id, room, payload })
}

struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Reader<'_> {
    fn left(&self) -> u64 {
        (self.bytes.len() - self.at) as u64
    }

    fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// A varint in its shortest form.
    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        // Nine bytes: longer ones are rare enough for prost.
        for shift in (0..63).step_by(7) {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return (byte != 0 || shift == 0).then_some(value);
            }
        }
        None
    }

    fn is_next(&mut self, key: u8) -> bool {
        let is_next = self.bytes.get(self.at) == Some(&key);
        self.at += usize::from(is_next);
        is_next
    }

    /// 0 if the field is not there; one that is there is not 0.
    fn number_field(&mut self, key: u8) -> Option<u64> {
        if !self.is_next(key) {
            return Some(0);
        }
        self.number().filter(|number| *number != 0)
    }

    fn bytes_field(&mut self, key: u8) -> Option<Range<usize>> {
        if !self.is_next(key) {
            return None;
        }
        let len = usize::try_from(self.number()?).ok()?;
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len())?;
        Some(core::mem::replace(&mut self.at, end)..end)
    }

    fn payload(&mut self) -> Option<Payload> {
        if self.bytes.get(self.at) == Some(&key::TEXT) {
            let text =
                self.bytes_field(key::TEXT).filter(|range| range.len() <= PAYLOAD_BYTES_MAX)?;
            return Text::try_from(self.bytes.slice(text)).ok().map(Payload::Text);
        }
        let binary =
            self.bytes_field(key::BINARY).filter(|range| range.len() <= PAYLOAD_BYTES_MAX)?;
        Some(Payload::Binary(self.bytes.slice(binary)))
    }
}

fn encode_ack(received: u64) -> Bytes {
    let field_len = if received == 0 { 0 } else { 1 + number_len(received) };
    let mut out = Vec::with_capacity(3 + field_len);
    out.extend_from_slice(&[2 + field_len as u8, kind::ACK, field_len as u8]);
    put_number_field(&mut out, key::NUMBER_1, received);
    out.into()
}

/// `room` is empty in a message to one user.
fn encode_delivery(
    kind: u8,
    from: &str,
    room: &str,
    payload: &Payload,
    config: MessageConfig,
) -> Bytes {
    let (payload_key, payload) = match payload {
        Payload::Text(text) => (key::TEXT, text.as_bytes()),
        Payload::Binary(bytes) => (key::BINARY, &**bytes),
    };
    let room_len = if room.is_empty() { 0 } else { field_len(room.len()) };
    let config_len = if config.code() == 0 { 0 } else { 2 };
    let body_len = field_len(from.len()) + room_len + field_len(payload.len()) + config_len;
    let frame_len = field_len(body_len);
    let mut out = Vec::with_capacity(number_len(frame_len as u64) + frame_len);
    put_number(&mut out, frame_len as u64);
    out.push(kind);
    put_number(&mut out, body_len as u64);
    put_bytes_field(&mut out, key::BYTES_1, from.as_bytes());
    if !room.is_empty() {
        put_bytes_field(&mut out, key::BYTES_2, room.as_bytes());
    }
    put_bytes_field(&mut out, payload_key, payload);
    put_number_field(&mut out, key::CONFIG, config.code().into());
    out.into()
}

/// A key of one byte, a length, and so many bytes.
fn field_len(len: usize) -> usize {
    1 + number_len(len as u64) + len
}

fn number_len(number: u64) -> usize {
    let bits = 64 - (number | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_number_field(out: &mut Vec<u8>, key: u8, number: u64) {
    if number != 0 {
        out.push(key);
        put_number(out, number);
    }
}

fn put_bytes_field(out: &mut Vec<u8>, key: u8, bytes: &[u8]) {
    out.push(key);
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;
    use crate::UserId;
    use crate::random::Random;

    /// Numbers about every length of a varint.
    fn numbers() -> impl Iterator<Item = u64> {
        (0..64).flat_map(|shift| [(1_u64 << shift) - 1, 1 << shift])
    }

    fn payloads() -> Vec<Payload> {
        let lengths = [0, 1, 100, 126, 127, 128, 16_384, PAYLOAD_BYTES_MAX];
        let text = |len| Payload::text(String::from_utf8(alloc::vec![b'x'; len]).expect("ASCII"));
        let binary = |len| Payload::binary(alloc::vec![0xFF; len]);
        lengths.into_iter().flat_map(|len| [text(len), binary(len)]).collect()
    }

    fn frames() -> Vec<Frame> {
        let mut frames: Vec<Frame> = numbers().map(|received| Frame::Ack { received }).collect();
        let room = RoomId::new(&"r".repeat(128)).expect("well formed");
        let configs = [
            MessageConfig::ReliableOrdered,
            MessageConfig::UnreliableOrdered,
            MessageConfig::UnreliableUnordered,
        ];
        for (payload, name) in
            payloads().into_iter().flat_map(|p| ["u", "u.2"].map(|n| (p.clone(), n)))
        {
            let from = UserId::new(name).expect("well formed");
            for config in configs {
                for id in numbers().map(MessageId) {
                    let to = Bytes::from_static(b"bob");
                    frames.push(Frame::Send { id, to, payload: payload.clone(), config });
                }
                frames.push(Frame::Delivery {
                    from: from.clone(),
                    payload: payload.clone(),
                    config,
                });
            }
            let id = MessageId(1);
            frames.push(Frame::Broadcast { id, room: room.clone(), payload: payload.clone() });
            frames.push(Frame::RoomDelivery { from, room: room.clone(), payload });
        }
        frames
    }

    #[test]
    fn what_is_written_by_hand_is_what_prost_writes() {
        for frame in frames() {
            if let Some(bytes) = encode(&frame) {
                assert_eq!(bytes, frame.clone().encode_with_prost(), "{frame:?}");
            }
        }
    }

    #[test]
    fn what_is_read_by_hand_is_what_prost_reads() {
        for frame in frames() {
            let whole = frame.clone().encode_with_prost();
            let bytes = whole.slice(number_len(whole.len() as u64 - 1)..);
            assert_eq!(Frame::decode_with_prost(bytes.clone()).as_ref(), Ok(&Some(frame.clone())));
            let is_sent_by_clients =
                matches!(frame, Frame::Ack { .. } | Frame::Send { .. } | Frame::Broadcast { .. });
            match decode(&bytes) {
                Some(read) => assert_eq!(read, frame),
                // The longest numbers are left to prost.
                None => assert!(
                    !is_sent_by_clients || format!("{frame:?}").contains("92233720"),
                    "{frame:?}"
                ),
            }
        }
    }

    #[test]
    fn what_is_damaged_is_read_as_prost_reads_it_or_not_at_all() {
        let mut random = Random::new(1);
        let mut next = |below: usize| {
            let micros = random.next_u64() % below as u64;
            usize::try_from(micros).expect("less than `below`")
        };
        let frames: Vec<Bytes> = frames()
            .into_iter()
            .filter(|frame| {
                matches!(frame, Frame::Ack { .. } | Frame::Send { .. } | Frame::Broadcast { .. })
            })
            .map(Frame::encode_with_prost)
            .filter(|bytes| bytes.len() < 200)
            .collect();
        for _ in 0..100_000 {
            let whole = &frames[next(frames.len())];
            let mut bytes = whole.slice(number_len(whole.len() as u64 - 1)..).to_vec();
            for _ in 0..=next(2) {
                let at = next(bytes.len());
                match next(3) {
                    0 => bytes[at] = next(256) as u8,
                    1 => bytes.insert(at, next(256) as u8),
                    _ => drop(bytes.remove(at)),
                }
                if bytes.is_empty() {
                    bytes.push(kind::SEND);
                }
            }
            let bytes = Bytes::from(bytes);
            if let Some(read) = decode(&bytes) {
                assert_eq!(Frame::decode_with_prost(bytes.clone()), Ok(Some(read)), "{bytes:?}");
            }
        }
    }
}
