use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::*;
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::random::Random;
use crate::{BroadcastCode, MessageConfig, MessageId, Payload, RoomId, SendCode, UserId};

/// The length of the prefix of a frame.
fn prefix_len(frame: &Bytes) -> usize {
    1 + frame.iter().take_while(|byte| **byte >= 0x80).count()
}

/// Numbers next to every length of a varint.
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
    for (payload, name) in payloads().into_iter().flat_map(|p| ["u", "u.2"].map(|n| (p.clone(), n)))
    {
        let from = UserId::new(name).expect("well formed");
        for config in configs {
            for id in numbers().map(MessageId) {
                let to = Bytes::from_static(b"bob");
                frames.push(Frame::Send { id, to, payload: payload.clone(), config });
            }
            frames.push(Frame::Delivery { from: from.clone(), payload: payload.clone(), config });
        }
        let id = MessageId(1);
        frames.push(Frame::Broadcast { id, room: room.clone(), payload: payload.clone() });
        frames.push(Frame::RoomDelivery { from, room: room.clone(), payload });
    }
    let lists: [Vec<MessageId>; 4] = [
        Vec::new(),
        Vec::from([MessageId(0)]),
        numbers().map(MessageId).collect(),
        Vec::from([MessageId(u64::MAX); 1_000]),
    ];
    for ids in lists {
        for code in [SendCode::Ok, SendCode::Timeout] {
            frames.push(Frame::SendResults { code, ids: ids.clone() });
        }
        for code in [BroadcastCode::Ok, BroadcastCode::NotInRoom] {
            frames.push(Frame::BroadcastResults { room: room.clone(), code, ids: ids.clone() });
        }
    }
    frames
}

#[test]
fn hand_written_encoder_equals_prost() {
    for frame in frames() {
        let is_hot = !matches!(frame, Frame::Send { .. } | Frame::Broadcast { .. });
        let written = encode(&frame);
        assert_eq!(written.is_some(), is_hot, "{frame:?}");
        if let Some(bytes) = written {
            assert_eq!(bytes, frame.clone().encode_with_prost(), "{frame:?}");
        }
    }
}

#[test]
fn hand_written_decoder_equals_prost() {
    for frame in frames() {
        let whole = frame.clone().encode_with_prost();
        let bytes = whole.slice(prefix_len(&whole)..);
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
fn hand_written_decoder_refuses_damage_or_equals_prost() {
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
    let mut read_count = 0;
    for _ in 0..100_000 {
        let whole = &frames[next(frames.len())];
        let mut bytes = whole.slice(prefix_len(whole)..).to_vec();
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
            read_count += 1;
        }
    }
    assert!(read_count > 1_000, "{read_count} frames were read");
}
