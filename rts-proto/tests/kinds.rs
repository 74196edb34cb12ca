//! The kind of a frame is its one field (§1.4).

use bytes::Bytes;
use rts_proto::ProtocolError;
use rts_proto::wire::Frame;

const PING: &[u8] = &[0x2A, 0x00];
const PONG: &[u8] = &[0x32, 0x00];

fn decode(parts: &[&[u8]]) -> Result<Option<Frame>, ProtocolError> {
    Frame::decode(Bytes::from(parts.concat()))
}

#[test]
fn refuses_a_frame_with_two_kinds() {
    assert_eq!(decode(&[PING]), Ok(Some(Frame::Ping)));
    for two in [[PING, PONG], [PING, PING]] {
        assert_eq!(decode(&two), Err(ProtocolError::UnknownKind));
    }
}

#[test]
fn skips_unknown_kinds_from_512_on_and_refuses_lower_ones() {
    // Field numbers 511 and 512, each with one byte inside.
    let (must, may) = ([0xFA, 0x1F, 0x01, 0x07], [0x82, 0x20, 0x01, 0x07]);
    assert_eq!(decode(&[&must]), Err(ProtocolError::UnknownKind));
    assert_eq!(decode(&[&may]), Ok(None));
    assert_eq!(decode(&[&may, PING]), Err(ProtocolError::UnknownKind), "nor hides another");
}

#[test]
fn refuses_a_frame_that_is_not_one_whole_field() {
    // A number instead of a message, a message that is longer than the frame, and half a key.
    for bytes in [&[0x28, 0x00][..], &[0x2A, 0x01], &[0x2A], &[0x80]] {
        assert!(decode(&[bytes]).is_err(), "{bytes:?}");
    }
}

#[test]
fn unknown_fields_inside_a_kind_are_skipped() {
    // An Ack of 5 frames, with an unknown field 9.
    let ack = [0x22, 0x04, 0x08, 0x05, 0x48, 0x01];
    assert_eq!(decode(&[&ack]), Ok(Some(Frame::Ack { received: 5 })));
}
