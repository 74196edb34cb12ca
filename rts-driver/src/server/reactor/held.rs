//! Counts the frames in a stream without decoding them, and holds those that are too many at once.

use bytes::Bytes;

/// Bytes that were read from a link, and not yet given to the core.
#[derive(Debug, Default)]
pub(crate) struct Held {
    bytes: Bytes,
    counter: FrameCounter,
}

impl Held {
    /// Keeps bytes, when there are none.
    pub(super) fn put(&mut self, bytes: Bytes) {
        self.bytes = bytes;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes up to this number of frames. Returns their bytes, and the number of frames.
    pub(super) fn take(&mut self, frames_max: usize) -> (Bytes, usize) {
        let (bytes_len, frames) = self.counter.take(&self.bytes, frames_max);
        (self.bytes.split_to(bytes_len), frames)
    }
}

/// Counts frames by their lengths. The count is arbitrary for an invalid stream, which ends its
/// link anyway.
#[derive(Debug, Default)]
struct FrameCounter {
    /// Bytes of the current frame that have not arrived.
    left: u64,
    /// The bits of an incomplete length.
    length: u64,
    length_bits: u32,
}

impl FrameCounter {
    /// Counts from the start of `bytes` until `frames_max` frames have ended. Returns the number of
    /// bytes up to there, and the number of frames that end in them.
    fn take(&mut self, bytes: &[u8], frames_max: usize) -> (usize, usize) {
        let (mut taken, mut frames) = (0, 0);
        while frames < frames_max
            && let Some(rest @ [first, ..]) = bytes.get(taken..)
        {
            if self.left > 0 {
                let now = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
                self.left -= now as u64;
                taken += now;
            } else {
                taken += 1;
                let bits = u64::from(first & 0x7F);
                self.length |= bits.checked_shl(self.length_bits).unwrap_or(0);
                self.length_bits = self.length_bits.saturating_add(7);
                if first & 0x80 != 0 {
                    continue;
                }
                self.left = std::mem::take(&mut self.length);
                self.length_bits = 0;
            }
            if self.left == 0 {
                frames += 1;
            }
        }
        (taken, frames)
    }
}

#[cfg(test)]
mod tests {
    use rts_proto::wire::Frame;

    use super::*;

    fn frames() -> Vec<u8> {
        let long = Frame::Close { code: 1, reason: vec![0; 300].into(), retry_after_ms: 0 };
        [Frame::Ping, long.clone(), Frame::Ping, Frame::Ping, long].map(|f| f.encode()).concat()
    }

    #[test]
    fn counts_the_same_frames_however_the_stream_is_cut() {
        for size in 1..=frames().len() {
            let mut frame_counter = FrameCounter::default();
            let counts = frames()
                .chunks(size)
                .map(|cut| frame_counter.take(cut, usize::MAX))
                .fold((0, 0), |(bytes, frames), (more_bytes, more)| {
                    (bytes + more_bytes, frames + more)
                });
            assert_eq!(counts, (frames().len(), 5), "in cuts of {size}");
        }
    }

    #[test]
    fn takes_n_frames_and_no_byte_of_the_next() {
        let pings = Frame::Ping.encode().repeat(10);
        let ping_bytes = Frame::Ping.encode().len();
        let mut frame_counter = FrameCounter::default();
        assert_eq!(frame_counter.take(&pings, 7), (7 * ping_bytes, 7));
        assert_eq!(frame_counter.take(&pings[7 * ping_bytes..], 7), (3 * ping_bytes, 3));
    }

    #[test]
    fn takes_bytes_that_are_not_frames() {
        for bytes in [vec![0xFF; 1_000], vec![0x80; 1_000], vec![0; 1_000]] {
            let (taken, frames) = FrameCounter::default().take(&bytes, 10);
            assert!(taken == bytes.len() || frames == 10, "{taken} bytes, {frames} frames");
        }
    }
}
