//! Bundles: all frames of a session in one burst go out in one piece. Members of a room with equal
//! frames share the piece.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::flow::Flow;
use crate::LinkId;
use crate::server::io::Output;

/// Frames up to this total length are copied together: one more output costs more than the copy.
pub(super) const BUNDLE_BYTES_MAX: usize = 16 * 1_024;

/// Bundles pieces of windows. Keeps only memory between the [`Bundling`]s that it begins.
#[derive(Debug, Default)]
pub(super) struct Bundler {
    last: Vec<Bundle>,
}

/// Sends the windows of several sessions, and keeps the last bundles. In a room the next session
/// often gets the same pieces. No piece may leave a window before it ends, because the address of
/// the piece may be reused.
#[derive(Debug)]
pub(super) struct Bundling<'a> {
    /// By their place in the output of one session.
    last: &'a mut Vec<Bundle>,
}

#[derive(Debug, Default)]
struct Bundle {
    /// The addresses of its pieces. They distinguish these from all other pieces in windows.
    places: Vec<usize>,
    bytes: Bytes,
}

impl Bundler {
    #[must_use]
    pub(super) fn begin(&mut self) -> Bundling<'_> {
        Bundling { last: &mut self.last }
    }

    /// Bytes and addresses that are kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.last.iter().map(|Bundle { places, bytes }| places.len() + bytes.len()).sum()
    }
}

impl Bundling<'_> {
    /// Sends the untransmitted pieces of a window.
    pub(super) fn transmit(
        &mut self,
        link: LinkId,
        flow: &mut Flow,
        outputs: &mut VecDeque<Output>,
    ) {
        let mut rest = flow.transmit_all().peekable();
        for place in 0.. {
            let mut run = rest.clone();
            let (mut count, mut bytes_len) = (0, 0);
            while let Some(piece) =
                rest.next_if(|piece| count == 0 || bytes_len + piece.len() <= BUNDLE_BYTES_MAX)
            {
                count += 1;
                bytes_len += piece.len();
            }
            let bundle = match count {
                1 => run.next().cloned(),
                _ => (count > 0).then(|| self.join(place, run.take(count), bytes_len)),
            };
            let Some(bundle) = bundle else { return };
            outputs.push_back(Output::Transmit(link, bundle));
        }
    }

    fn join<'a>(
        &mut self,
        place: usize,
        pieces: impl Iterator<Item = &'a Bytes> + Clone,
        bytes_len: usize,
    ) -> Bytes {
        if self.last.len() <= place {
            self.last.resize_with(place + 1, Bundle::default);
        }
        let last = &mut self.last[place];
        let places = pieces.clone().map(|piece| piece.as_ptr().addr());
        if last.bytes.len() != bytes_len || !places.clone().eq(last.places.iter().copied()) {
            last.places.clear();
            last.places.extend(places);
            last.bytes = joined(pieces, bytes_len);
        }
        last.bytes.clone()
    }
}

/// Forgets all bundles. The memory of their list is used again.
impl Drop for Bundling<'_> {
    fn drop(&mut self) {
        for bundle in &mut *self.last {
            bundle.places.clear();
            bundle.bytes = Bytes::new();
        }
    }
}

/// These pieces in one buffer. Their total length is `bytes_len`.
pub(super) fn joined<'a>(pieces: impl Iterator<Item = &'a Bytes>, bytes_len: usize) -> Bytes {
    let mut joined = BytesMut::with_capacity(bytes_len);
    pieces.for_each(|piece| joined.extend_from_slice(piece));
    joined.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Instant;

    const LINK: LinkId = LinkId(1);

    fn flow_with(pieces: &[Bytes]) -> Flow {
        let mut flow = Flow::new(Instant::ORIGIN);
        assert!(pieces.iter().all(|piece| flow.push(piece.clone(), None)));
        flow
    }

    fn transmitted(bundling: &mut Bundling<'_>, flow: &mut Flow) -> Vec<Bytes> {
        let mut outputs = VecDeque::new();
        bundling.transmit(LINK, flow, &mut outputs);
        let bytes = |output| match output {
            Output::Transmit(LINK, bytes) => bytes,
            other => panic!("{other:?}"),
        };
        outputs.into_iter().map(bytes).collect()
    }

    #[test]
    fn sessions_that_get_the_same_share_one_bundle() {
        let pieces = [Bytes::from_static(b"one"), Bytes::from_static(b"two")];
        let mut bundler = Bundler::default();
        let mut bundling = bundler.begin();
        let [first, second] =
            [0; 2].map(|_| transmitted(&mut bundling, &mut flow_with(&pieces)).remove(0));
        assert_eq!(first, "onetwo");
        assert_eq!(first.as_ptr(), second.as_ptr());
        drop(bundling);
        assert_eq!(bundler.len(), 0);
        let third = transmitted(&mut bundler.begin(), &mut flow_with(&pieces)).remove(0);
        assert_ne!(first.as_ptr(), third.as_ptr());
    }

    #[test]
    fn bundle_has_a_bound_and_sends_each_piece_once() {
        let half = Bytes::from(alloc::vec![1; BUNDLE_BYTES_MAX / 2]);
        let one = Bytes::from_static(b"1");
        let mut flow = flow_with(&[half.clone(), half, one]);
        let mut bundler = Bundler::default();
        let mut bundling = bundler.begin();
        let sent = transmitted(&mut bundling, &mut flow);
        assert!(sent.iter().map(Bytes::len).eq([BUNDLE_BYTES_MAX, 1]));
        assert!(transmitted(&mut bundling, &mut flow).is_empty());
    }
}
