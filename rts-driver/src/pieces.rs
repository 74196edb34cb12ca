//! What waits to be written: few pieces, whatever their number was.

use std::collections::VecDeque;

use bytes::Bytes;

/// Pieces that wait one by one, as they came. Behind so many, small ones that nobody else holds are
/// copied together: by itself each would cost many times its bytes.
const LOOSE_MAX: usize = 64;
/// Small pieces are copied together up to this size.
const COPIED_BYTES_MAX: usize = 4 * 1_024;
/// What is longer is never copied.
const SMALL_BYTES_MAX: usize = 1_024;

/// Pieces of a stream, in order.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    whole: VecDeque<Bytes>,
    /// Behind them, copied together.
    copied: Vec<u8>,
}

impl Pieces {
    pub(crate) fn push(&mut self, bytes: Bytes) {
        // A piece that a session's window holds too costs only its place here, and there are bounds
        // on windows.
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

    /// Those that come first: to be written, and taken from the front. None are left out if this is
    /// empty.
    pub(crate) fn first(&mut self) -> &mut VecDeque<Bytes> {
        if self.whole.is_empty() {
            self.seal();
        }
        &mut self.whole
    }

    /// What was written leaves no buffer behind.
    pub(crate) fn forget_room(&mut self) {
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

    fn take_all(pieces: &mut Pieces) -> (usize, Vec<u8>) {
        let (mut count, mut all) = (0, Vec::new());
        while let Some(piece) = pieces.first().pop_front() {
            count += 1;
            all.extend_from_slice(&piece);
        }
        (count, all)
    }

    #[test]
    fn many_small_pieces_are_few_and_come_out_in_order() {
        const COUNT: u32 = 100_000;
        let mut pieces = Pieces::default();
        (0..COUNT).for_each(|number| pieces.push(small(number)));
        let expected: Vec<u8> = (0..COUNT).flat_map(u32::to_le_bytes).collect();
        let (count, all) = take_all(&mut pieces);
        assert_eq!(all, expected);
        assert!(count <= LOOSE_MAX + expected.len() / COPIED_BYTES_MAX + 1, "{count} pieces");
    }

    #[test]
    fn few_pieces_stay_as_they_are_and_one_more_is_copied() {
        let mut pieces = Pieces::default();
        for number in 0..LOOSE_MAX {
            pieces.push(small(u32::try_from(number).expect("few")));
            assert_eq!(pieces.whole.len(), number + 1);
        }
        pieces.push(small(1));
        assert_eq!((pieces.whole.len(), pieces.copied.len()), (LOOSE_MAX, 4));
    }

    #[test]
    fn what_is_long_or_held_elsewhere_is_not_copied() {
        let mut pieces = Pieces::default();
        (0..100).for_each(|number| pieces.push(small(number)));
        let shared = small(7);
        let long = Bytes::from(vec![7; SMALL_BYTES_MAX + 1]);
        for piece in [shared.clone(), long.clone()] {
            let at = piece.as_ptr();
            pieces.push(piece);
            assert_eq!(pieces.whole.back().map(|last| last.as_ptr()), Some(at));
            pieces.push(small(8));
            assert_eq!(pieces.copied.len(), 4, "behind it, small ones are copied again");
        }
        drop(shared);
    }

    /// One piece after the other, with a look at what comes first in between: as on a link that is
    /// blocked.
    #[test]
    fn looking_at_what_comes_first_makes_no_more_pieces() {
        let mut pieces = Pieces::default();
        for number in 0..10_000 {
            pieces.push(small(number));
            pieces.first();
        }
        assert!(pieces.whole.len() <= LOOSE_MAX + 10, "{} pieces", pieces.whole.len());
    }
}
