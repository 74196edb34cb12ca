//! The write queue of a link: bytes that wait to be written, in few pieces however many were
//! pushed.

use std::collections::VecDeque;

use bytes::Bytes;

/// Pieces that are kept one by one, as they were pushed. Later small pieces that no other owner
/// holds are copied together, because each would cost many times its bytes by itself.
const LOOSE_MAX: usize = 64;
/// Small pieces are copied together up to this size.
const COPIED_BYTES_MAX: usize = 4 * 1_024;
/// Longer pieces are never copied.
const SMALL_BYTES_MAX: usize = 1_024;

/// Pieces of a stream, in order.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    whole: VecDeque<Bytes>,
    /// Pieces after `whole`, copied together.
    copied: Vec<u8>,
}

impl WriteQueue {
    pub(super) fn push(&mut self, bytes: Bytes) {
        // A piece that a session's window also holds costs only its entry here, and windows are
        // bounded.
        let is_copied = bytes.len() <= SMALL_BYTES_MAX
            && bytes.is_unique()
            && (self.whole.len() >= LOOSE_MAX || !self.copied.is_empty());
        if !is_copied {
            self.seal();
            self.whole.push_back(bytes);
            return;
        }
        if self.copied.len() + bytes.len() > COPIED_BYTES_MAX {
            self.seal();
        }
        if self.copied.is_empty() {
            self.copied.reserve_exact(COPIED_BYTES_MAX);
        }
        self.copied.extend_from_slice(&bytes);
    }

    /// The pieces at the front, for the caller to write and remove. Empty only if the queue is
    /// empty.
    pub(super) fn front(&mut self) -> &mut VecDeque<Bytes> {
        if self.whole.is_empty() {
            self.seal();
        }
        &mut self.whole
    }

    /// An empty queue holds no buffer.
    pub(super) fn release_memory(&mut self) {
        if self.whole.is_empty() {
            self.whole = VecDeque::new();
        }
    }

    fn seal(&mut self) {
        if self.copied.is_empty() {
            return;
        }
        let mut copied = std::mem::take(&mut self.copied);
        copied.shrink_to_fit();
        self.whole.push_back(copied.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(number: u32) -> Bytes {
        Bytes::copy_from_slice(&number.to_le_bytes())
    }

    fn take_all(queue: &mut WriteQueue) -> (usize, Vec<u8>) {
        let (mut count, mut all) = (0, Vec::new());
        while let Some(piece) = queue.front().pop_front() {
            count += 1;
            all.extend_from_slice(&piece);
        }
        (count, all)
    }

    #[test]
    fn small_pieces_are_merged_in_order() {
        const COUNT: u32 = 100_000;
        let mut queue = WriteQueue::default();
        (0..COUNT).for_each(|number| queue.push(small(number)));
        let expected: Vec<u8> = (0..COUNT).flat_map(u32::to_le_bytes).collect();
        let (count, all) = take_all(&mut queue);
        assert_eq!(all, expected);
        assert!(count <= LOOSE_MAX + expected.len() / COPIED_BYTES_MAX + 1, "{count} pieces");
    }

    #[test]
    fn copies_pieces_only_beyond_the_loose_ones() {
        let mut queue = WriteQueue::default();
        for number in 0..LOOSE_MAX {
            queue.push(small(u32::try_from(number).expect("few")));
            assert_eq!(queue.whole.len(), number + 1);
        }
        queue.push(small(1));
        assert_eq!((queue.whole.len(), queue.copied.len()), (LOOSE_MAX, 4));
    }

    #[test]
    fn long_or_shared_pieces_are_not_copied() {
        let mut queue = WriteQueue::default();
        (0..100).for_each(|number| queue.push(small(number)));
        let shared = small(7);
        let long = Bytes::from(vec![7; SMALL_BYTES_MAX + 1]);
        for piece in [shared.clone(), long.clone()] {
            let at = piece.as_ptr();
            queue.push(piece);
            assert_eq!(queue.whole.back().map(|last| last.as_ptr()), Some(at));
            queue.push(small(8));
            assert_eq!(queue.copied.len(), 4, "small pieces after it are copied again");
        }
        drop(shared);
    }

    /// One piece after the other, with a call of `front` in between, as on a link that is blocked.
    #[test]
    fn front_does_not_split_pieces() {
        let mut queue = WriteQueue::default();
        for number in 0..10_000 {
            queue.push(small(number));
            queue.front();
        }
        assert!(queue.whole.len() <= LOOSE_MAX + 10, "{} pieces", queue.whole.len());
    }
}
