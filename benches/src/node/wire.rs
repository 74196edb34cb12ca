//! The frames of the hot path, encoded and decoded by hand.

use bytes::Bytes;
use rts_proto::wire::Frame;
use rts_proto::{MessageConfig, MessageId, Payload, RoomId, UserId};

use crate::PAYLOAD_BYTES;

/// Tags of kinds, as they begin a frame: a field number of `proto/rts/v1/rts.proto` times 8, plus
/// 2.
const DELIVERY: u8 = 8 << 3 | 2;
const SEND_RESULTS: u8 = 9 << 3 | 2;
const ROOM_DELIVERY: u8 = 11 << 3 | 2;
const BROADCAST_RESULTS: u8 = 12 << 3 | 2;

/// The id of a client's first message. All ids from here on, up to 2^35, take five bytes.
const FIRST_ID: u64 = 1 << 28;
const ID_BYTES: usize = 5;

/// What a payload says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) lane: u64,
    /// Its number in the lane.
    pub(super) number: u64,
}

impl Message {
    pub(super) fn read(payload: &[u8]) -> Result<Self, String> {
        let number = |at: usize| payload.get(at..)?.first_chunk().copied().map(u64::from_le_bytes);
        match (number(0), number(8)) {
            (Some(lane), Some(number)) if payload.len() == PAYLOAD_BYTES => {
                Ok(Self { lane, number })
            }
            _ => Err("a message has another length".to_owned()),
        }
    }
}

/// A frame of which only the id and the begin of the payload change.
#[derive(Debug)]
pub(super) struct Template {
    frame: Vec<u8>,
    id_at: usize,
}

impl Template {
    pub(super) fn send(to: &UserId) -> Self {
        let to = Bytes::copy_from_slice(to.as_str().as_bytes());
        let config = MessageConfig::ReliableOrdered;
        Self::new(Frame::Send { id: MessageId(FIRST_ID), to, payload: payload(), config })
    }

    pub(super) fn broadcast(room: RoomId) -> Self {
        Self::new(Frame::Broadcast { id: MessageId(FIRST_ID), room, payload: payload() })
    }

    fn new(frame: Frame) -> Self {
        let frame = frame.encode().to_vec();
        // The lengths of the frame and of the message in it take as many bytes as needed; then
        // comes the key of the id.
        let (_, len_bytes) = varint(&frame).expect("a frame begins with its length");
        let (_, body_len_bytes) = varint(&frame[len_bytes + 1..]).expect("a message has one too");
        let id_at = len_bytes + 1 + body_len_bytes + 1;
        debug_assert_eq!(varint(&frame[id_at..]), Some((FIRST_ID, ID_BYTES)));
        Self { frame, id_at }
    }

    /// Adds the client's message `index`, counted from 0.
    pub(super) fn put(&mut self, index: u64, message: Message, out: &mut Vec<u8>) {
        let mut rest = FIRST_ID + index;
        for byte in &mut self.frame[self.id_at..][..ID_BYTES] {
            *byte = rest as u8 | 0x80;
            rest >>= 7;
        }
        self.frame[self.id_at + ID_BYTES - 1] &= 0x7F;
        let payload_at = self.frame.len() - PAYLOAD_BYTES;
        let payload = &mut self.frame[payload_at..];
        payload[..8].copy_from_slice(&message.lane.to_le_bytes());
        payload[8..16].copy_from_slice(&message.number.to_le_bytes());
        out.extend_from_slice(&self.frame);
    }
}

fn payload() -> Payload {
    Payload::binary(vec![b'x'; PAYLOAD_BYTES])
}

/// A frame from the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard<'a> {
    /// The payload of a message to the user.
    Delivery(&'a [u8]),
    /// The payload of a broadcast.
    RoomDelivery(&'a [u8]),
    Results(Results),
    /// Any other frame, without its length.
    Other(&'a [u8]),
}

/// Results in one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Results {
    /// Whether their code is that of success.
    pub(super) are_good: bool,
    pub(super) count: u64,
    /// The sum of the numbers of their messages, counted from 0.
    pub(super) id_sum: u64,
}

/// Takes the next frame. The bytes are whole frames.
pub(super) fn next<'a>(bytes: &mut &'a [u8]) -> Result<Option<Heard<'a>>, String> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let cut = || "a frame is cut".to_owned();
    let (len, prefix_len) = varint(bytes).ok_or_else(cut)?;
    let rest = &bytes[prefix_len..];
    let (frame, rest) = rest.split_at_checked(len as usize).ok_or_else(cut)?;
    *bytes = rest;
    heard(frame).ok_or_else(cut).map(Some)
}

fn heard(frame: &[u8]) -> Option<Heard<'_>> {
    let body = || {
        let rest = frame.get(1..)?;
        Some(&rest[varint(rest)?.1..])
    };
    Some(match *frame.first()? {
        DELIVERY => Heard::Delivery(fields(body()?, 0, 4)?.1?),
        ROOM_DELIVERY => Heard::RoomDelivery(fields(body()?, 0, 4)?.1?),
        SEND_RESULTS => Heard::Results(results(body()?, [1, 2], 0)?),
        BROADCAST_RESULTS => Heard::Results(results(body()?, [2, 3], 200)?),
        _ => Heard::Other(frame),
    })
}

fn results(body: &[u8], [code, ids]: [u64; 2], good: u64) -> Option<Results> {
    let (code, ids) = fields(body, code, ids)?;
    let (mut ids, mut count, mut id_sum) = (ids?, 0, 0);
    while let Some((id, len)) = varint(ids) {
        ids = &ids[len..];
        count += 1;
        id_sum += id.checked_sub(FIRST_ID)?;
    }
    ids.is_empty().then_some(Results { are_good: code == good, count, id_sum })
}

/// The number in one field, 0 if it is not there, and the bytes in another.
fn fields(mut message: &[u8], number: u64, bytes: u64) -> Option<(u64, Option<&[u8]>)> {
    let (mut found_number, mut found_bytes) = (0, None);
    while let Some((key, len)) = varint(message) {
        let (value, value_len) = varint(&message[len..])?;
        message = &message[len + value_len..];
        if key & 7 == 2 {
            let (content, rest) = message.split_at_checked(value as usize)?;
            message = rest;
            if key >> 3 == bytes {
                found_bytes = Some(content);
            }
        } else if key >> 3 == number {
            found_number = value;
        }
    }
    Some((found_number, found_bytes))
}

/// A number with seven bits in each byte, and its length in bytes; `None` if it is cut.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use rts_proto::limits::FRAME_BYTES_MAX;
    use rts_proto::wire::Decoder;
    use rts_proto::{BroadcastCode, SendCode};

    use super::*;

    fn user() -> UserId {
        UserId::new("bob").expect("well formed")
    }

    fn room() -> RoomId {
        RoomId::new("room").expect("well formed")
    }

    #[test]
    fn core_reads_frames_of_templates() {
        let mut out = Vec::new();
        let message = Message { lane: 3, number: 1 << 40 };
        Template::send(&user()).put(300, message, &mut out);
        Template::broadcast(room()).put(7, message, &mut out);
        let mut decoder = Decoder::new();
        decoder.push(out.into());
        let mut next = || decoder.next(FRAME_BYTES_MAX).expect("well formed").expect("whole");
        let Frame::Send { id, to, payload, config } = next() else { panic!("a Send") };
        assert_eq!((id, &to[..]), (MessageId(FIRST_ID + 300), &b"bob"[..]));
        assert_eq!(config, MessageConfig::ReliableOrdered);
        assert_eq!(Message::read(payload.as_bytes()), Ok(message));
        let Frame::Broadcast { id, room: to, payload } = next() else { panic!("a Broadcast") };
        assert_eq!((id, to), (MessageId(FIRST_ID + 7), room()));
        assert_eq!(Message::read(payload.as_bytes()), Ok(message));
    }

    #[test]
    fn frames_of_the_core_are_read() {
        let config = MessageConfig::ReliableOrdered;
        let ids = vec![MessageId(FIRST_ID + 2), MessageId(FIRST_ID + 5)];
        let frames = [
            Frame::Delivery { from: user(), payload: payload(), config },
            Frame::RoomDelivery { from: user(), room: room(), payload: payload() },
            Frame::SendResults { code: SendCode::Ok, ids: ids.clone() },
            Frame::BroadcastResults { room: room(), code: BroadcastCode::Ok, ids: ids.clone() },
            Frame::SendResults { code: SendCode::ReceiverNotFound, ids },
            Frame::Pong,
        ];
        let bytes = frames.into_iter().map(Frame::encode).collect::<Vec<_>>().concat();
        let mut rest = &bytes[..];
        let heard = std::iter::from_fn(|| next(&mut rest).expect("whole frames"));
        let results = |are_good| Heard::Results(Results { are_good, count: 2, id_sum: 7 });
        let payload = [b'x'; PAYLOAD_BYTES];
        let expected = [
            Heard::Delivery(&payload),
            Heard::RoomDelivery(&payload),
            results(true),
            results(true),
            results(false),
            Heard::Other(&[6 << 3 | 2, 0]),
        ];
        assert_eq!(heard.collect::<Vec<_>>(), expected);
        assert!(next(&mut &bytes[..20]).is_err(), "a cut frame");
    }
}
