//! Frames, and the stream that carries them.

use bytes::Bytes;
use rts_proto::ProtocolError;
use rts_proto::limits::{FRAME_BYTES_MAX, FRAME_BYTES_MAX_BEFORE_LOGIN};
use rts_proto::wire::{Decoder, Frame};

/// The longest allowed length prefix of a frame, in bytes.
const PREFIX_BYTES_MAX: usize = 3;
/// A frame without a payload is encoded with an empty text, which may make it longer (§1.7).
const REWRITTEN_BYTES_MAX: usize = FRAME_BYTES_MAX + 8;

/// The first byte chooses the cuts of the rest, a stream; its top bit chooses the limit in force.
///
/// However a stream is cut, it has the same frames and the same error. A decoded frame is encoded
/// and decoded to an equal frame. No more bytes are stored than the limit.
pub fn decode(data: &[u8]) {
    let Some((head, stream)) = data.split_first() else { return };
    let frame_bytes_max =
        if head & 0x80 == 0 { FRAME_BYTES_MAX } else { FRAME_BYTES_MAX_BEFORE_LOGIN };
    let chunk = usize::from(head & 0x7F).max(1);

    let whole = read(stream, stream.len().max(1), frame_bytes_max);
    assert_eq!(read(stream, chunk, frame_bytes_max), whole, "cut into {chunk}");
    assert_eq!(read(stream, 1, frame_bytes_max), whole, "byte by byte");

    for frame in whole.0 {
        let again = read(&frame.clone().encode(), usize::MAX, REWRITTEN_BYTES_MAX);
        assert_eq!(again, (vec![frame], Ok(())));
    }
}

fn read(
    stream: &[u8],
    chunk: usize,
    frame_bytes_max: usize,
) -> (Vec<Frame>, Result<(), ProtocolError>) {
    let mut decoder = Decoder::new();
    let mut frames = Vec::new();
    for input in stream.chunks(chunk) {
        decoder.push(Bytes::copy_from_slice(input));
        loop {
            match decoder.next(frame_bytes_max) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
        assert!(decoder.buffered_bytes() <= PREFIX_BYTES_MAX + frame_bytes_max);
    }
    (frames, Ok(()))
}
