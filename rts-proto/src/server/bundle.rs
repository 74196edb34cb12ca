//! What a session gets in one burst goes out in one piece, and members of a room who get the same
//! share it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::session::{Session, SessionNumber};
use super::{Output, Server};

/// Frames that are together not longer than this are copied together: each output costs more than
/// the copy.
pub(super) const BUNDLE_BYTES_MAX: usize = 16 * 1_024;

/// Puts pieces of windows together, and remembers the last bundles: in a room the next session
/// often gets the same.
#[derive(Debug, Default)]
pub(super) struct Bundler {
    /// By their place in what one session gets.
    last: Vec<Bundle>,
}

#[derive(Debug, Default)]
struct Bundle {
    /// Where its pieces lie, which tells them apart from all others that lie in windows.
    places: Vec<usize>,
    bytes: Bytes,
}

impl Bundler {
    /// Sends what waits in the session's window, if the session has a link.
    pub(super) fn transmit(&mut self, session: &mut Session, outputs: &mut VecDeque<Output>) {
        let Some(link) = session.link else { return };
        let mut rest = session.channel.transmit_all().peekable();
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

    /// Call this before a piece may leave a window: another one may come to lie in its place.
    pub(super) fn forget(&mut self) {
        for bundle in &mut self.last {
            bundle.places.clear();
            bundle.bytes = Bytes::new();
        }
    }
}

impl Server {
    /// Sends what waits in a session's window now, since something else has to come after it.
    /// Otherwise the end of the burst does.
    pub(super) fn transmit_window(&mut self, number: SessionNumber) {
        debug_assert!(self.fan_out.is_empty(), "they come first");
        if let Some(session) = self.sessions.get_mut(number) {
            self.bundler.transmit(session, &mut self.outputs);
            self.bundler.forget();
        }
    }
}

/// These one behind the other, which are together so long.
pub(super) fn joined<'a>(pieces: impl Iterator<Item = &'a Bytes>, bytes_len: usize) -> Bytes {
    let mut joined = BytesMut::with_capacity(bytes_len);
    pieces.for_each(|piece| joined.extend_from_slice(piece));
    joined.freeze()
}
