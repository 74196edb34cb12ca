//! Decodes a stream of bytes to frames (§1.1 to §1.3).

use alloc::vec::Vec;

use bytes::{Buf as _, Bytes};

use super::Frame;
use crate::ProtocolError;
use crate::limits::FRAME_BYTES_MAX;

/// Cuts a stream into frames, whatever the boundaries of its inputs.
///
/// Whole frames are read in place. Only a frame that is split over inputs is copied, once. It
/// stores no more than the received bytes of one frame, whose length was checked.
#[derive(Debug, Default)]
pub struct Decoder {
    cutter: Cutter,
    /// Input that was not decoded yet.
    input: Bytes,
}

impl Decoder {
    /// A decoder at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds received bytes. Call [`next`](Self::next) until it returns `None` before adding again.
    pub fn push(&mut self, input: Bytes) {
        debug_assert!(self.input.is_empty(), "the input before was not read to its end");
        self.input = input;
    }

    /// The next whole frame. Its length is at most `frame_bytes_max` (§1.2).
    ///
    /// After an error, the rest of the stream is meaningless.
    pub fn next(&mut self, frame_bytes_max: usize) -> Result<Option<Frame>, ProtocolError> {
        loop {
            let mut rest = &self.input[..];
            let piece = self.cutter.next(&mut rest, frame_bytes_max)?;
            let read = self.input.len() - rest.len();
            let frame = match piece {
                Some(Piece::Here(bytes)) => {
                    let len = bytes.len();
                    self.input.advance(read - len);
                    self.input.split_to(len)
                }
                Some(Piece::Joined(bytes)) => {
                    self.input.advance(read);
                    bytes
                }
                None => {
                    self.input.clear();
                    return Ok(None);
                }
            };
            if let Some(frame) = Frame::decode(frame)? {
                return Ok(Some(frame));
            }
        }
    }

    /// Bytes held of an incomplete frame.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.cutter.partial.len()
    }
}

/// The rest of a stream's inputs after decoding: the beginning of a frame.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    /// Includes the length prefix.
    partial: Vec<u8>,
}

/// The bytes of a frame without its length.
pub(crate) enum Piece<'a> {
    /// The frame, in the input.
    Here(&'a [u8]),
    /// The frame, joined from several inputs.
    Joined(Bytes),
}

impl Cutter {
    pub(crate) fn is_empty(&self) -> bool {
        self.partial.is_empty()
    }

    /// The next whole frame. Takes its bytes from `input`. If there is none, takes all of `input`
    /// and stores it for the next call.
    pub(crate) fn next<'a>(
        &mut self,
        input: &mut &'a [u8],
        frame_bytes_max: usize,
    ) -> Result<Option<Piece<'a>>, ProtocolError> {
        if self.partial.is_empty() {
            if let Some(prefix) = Prefix::read(input, frame_bytes_max)?
                && let Some((whole, rest)) = input.split_at_checked(prefix.total())
            {
                *input = rest;
                return Ok(Some(Piece::Here(&whole[prefix.prefix_len..])));
            }
            self.partial.extend_from_slice(core::mem::take(input));
            return Ok(None);
        }
        // A prefix has a few bytes, so they are taken one by one until it is whole.
        let prefix = loop {
            if let Some(prefix) = Prefix::read(&self.partial, frame_bytes_max)? {
                break prefix;
            }
            let Some((byte, rest)) = input.split_first() else { return Ok(None) };
            *input = rest;
            self.partial.push(*byte);
        };
        let missing = prefix.total() - self.partial.len();
        let (available, rest) = input.split_at(missing.min(input.len()));
        *input = rest;
        self.partial.extend_from_slice(available);
        if available.len() < missing {
            return Ok(None);
        }
        let mut whole = Bytes::from(core::mem::take(&mut self.partial));
        whole.advance(prefix.prefix_len);
        Ok(Some(Piece::Joined(whole)))
    }
}

/// The length of the first `count` frames with their prefixes. `bytes` must start with that many
/// frames.
pub(crate) fn frames_len(bytes: &[u8], count: u32) -> usize {
    let mut rest = bytes;
    for _ in 0..count {
        let prefix = Prefix::read(rest, usize::MAX).ok().flatten();
        rest = prefix.and_then(|prefix| rest.get(prefix.total()..)).unwrap_or_default();
    }
    bytes.len() - rest.len()
}

/// The number of frames, each with its length prefix, which these bytes are; `None` if they are
/// anything else. The content of the frames is not checked.
#[must_use]
pub fn frames_count(bytes: &[u8]) -> Option<u32> {
    let mut rest = bytes;
    let mut count = 0;
    while !rest.is_empty() {
        let prefix = Prefix::read(rest, FRAME_BYTES_MAX).ok().flatten()?;
        rest = rest.get(prefix.total()..)?;
        count += 1;
    }
    Some(count)
}

/// Whether the bytes are one frame of an allowed length, with its length prefix. The content of the
/// frame is not checked.
#[must_use]
pub fn is_one_frame(bytes: &[u8]) -> bool {
    let prefix = Prefix::read(bytes, FRAME_BYTES_MAX);
    prefix.is_ok_and(|prefix| prefix.is_some_and(|prefix| prefix.total() == bytes.len()))
}

/// A frame's length, and the length of its prefix.
#[derive(Clone, Copy)]
struct Prefix {
    prefix_len: usize,
    frame_len: usize,
}

impl Prefix {
    /// Seven bits a byte make ten bytes for 64 bits.
    const BYTES_MAX: usize = 10;

    fn total(self) -> usize {
        self.prefix_len + self.frame_len
    }

    /// `None` when more bytes are needed.
    fn read(bytes: &[u8], frame_bytes_max: usize) -> Result<Option<Self>, ProtocolError> {
        let mut len = 0_u64;
        for (index, byte) in bytes.iter().take(Self::BYTES_MAX).enumerate() {
            let bits = u64::from(byte & 0x7F);
            let shift = 7 * u32::try_from(index).expect("at most ten");
            let shifted = bits << shift;
            if shifted >> shift != bits {
                return Err(ProtocolError::BadLength);
            }
            len |= shifted;
            if byte & 0x80 == 0 {
                if *byte == 0 && index > 0 {
                    return Err(ProtocolError::BadLength);
                }
                return Self::checked(len, index + 1, frame_bytes_max).map(Some);
            }
            // The value only grows with further bytes, so the rest is not needed.
            if len > frame_bytes_max as u64 {
                return Err(ProtocolError::FrameTooLarge { len, max: frame_bytes_max });
            }
        }
        if bytes.len() >= Self::BYTES_MAX { Err(ProtocolError::BadLength) } else { Ok(None) }
    }

    fn checked(len: u64, prefix_len: usize, frame_bytes_max: usize) -> Result<Self, ProtocolError> {
        match usize::try_from(len) {
            Ok(0) => Err(ProtocolError::EmptyFrame),
            Ok(frame_len) if frame_len <= frame_bytes_max => Ok(Self { prefix_len, frame_len }),
            _ => Err(ProtocolError::FrameTooLarge { len, max: frame_bytes_max }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        Prefix::read(bytes, 300).map(|prefix| prefix.map(|prefix| prefix.frame_len))
    }

    #[test]
    fn one_frame_has_a_prefix_of_its_length_and_an_allowed_length() {
        let framed = |len: usize| {
            let mut bytes = Vec::new();
            prost::encoding::encode_varint(len as u64, &mut bytes);
            bytes.resize(bytes.len() + len, 7);
            bytes
        };
        for len in [1, 127, 128, FRAME_BYTES_MAX] {
            let mut bytes = framed(len);
            assert!(is_one_frame(&bytes), "{len}");
            bytes.push(7);
            assert!(!is_one_frame(&bytes), "{len} and one more");
            assert!(!is_one_frame(&bytes[..bytes.len() - 2]), "{len} less one");
        }
        assert!(!is_one_frame(&framed(FRAME_BYTES_MAX + 1)));
        for invalid in [&[][..], &[0], &[0x80], &[0x81, 0x00, 7]] {
            assert!(!is_one_frame(invalid), "{invalid:?}");
        }
    }

    #[test]
    fn accepts_largest_length_and_refuses_the_next() {
        assert_eq!(read(&[0xAC, 0x02]), Ok(Some(300)));
        assert_eq!(read(&[0xAD, 0x02]), Err(ProtocolError::FrameTooLarge { len: 301, max: 300 }));
    }

    #[test]
    fn refuses_a_huge_length_before_it_is_complete() {
        assert!(matches!(read(&[0xFF, 0xFF]), Err(ProtocolError::FrameTooLarge { .. })));
    }

    #[test]
    fn refuses_lengths_that_are_not_shortest_varints() {
        assert_eq!(read(&[0x81, 0x00]), Err(ProtocolError::BadLength));
        assert_eq!(read(&[0x81, 0x80, 0x00]), Err(ProtocolError::BadLength));
        assert_eq!(read(&[0x80; 10]), Err(ProtocolError::BadLength));
        assert_eq!(read(&[0x00]), Err(ProtocolError::EmptyFrame));
    }

    #[test]
    fn a_length_may_arrive_in_pieces() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[0x81]), Ok(None));
        assert_eq!(read(&[0x81, 0x01]), Ok(Some(129)));
    }
}
