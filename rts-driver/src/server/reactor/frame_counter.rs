//! How many frames there are in a stream of them, without a look into any.

/// Counts frames by their lengths. What is no stream of frames is counted somehow: it ends its link
/// anyway.
#[derive(Debug, Default)]
pub(crate) struct FrameCounter {
    /// Bytes of the frame under way that have not come.
    left: u64,
    /// The bits of a length that has not come whole.
    length: u64,
    length_bits: u32,
}

impl FrameCounter {
    /// So many of these bytes can be taken for at most `frames_max` frames to end in them; and so
    /// many do.
    pub(crate) fn take(&mut self, bytes: &[u8], frames_max: usize) -> (usize, usize) {
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
    fn takes_so_many_frames_and_not_a_byte_of_the_next() {
        let pings = Frame::Ping.encode().repeat(10);
        let ping_bytes = Frame::Ping.encode().len();
        let mut frame_counter = FrameCounter::default();
        assert_eq!(frame_counter.take(&pings, 7), (7 * ping_bytes, 7));
        assert_eq!(frame_counter.take(&pings[7 * ping_bytes..], 7), (3 * ping_bytes, 3));
    }

    #[test]
    fn what_is_no_frame_is_taken_all_the_same() {
        for bytes in [vec![0xFF; 1_000], vec![0x80; 1_000], vec![0; 1_000]] {
            let (taken, frames) = FrameCounter::default().take(&bytes, 10);
            assert!(taken == bytes.len() || frames == 10, "{taken} bytes, {frames} frames");
        }
    }
}
