//! What a session gets in one burst goes out in one piece, and members of a room who get the same share it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::session::{Session, SessionNumber};
use super::{Output, Server};

/// Frames that are together not longer than this are copied together: each output costs more than the copy.
pub(super) const BUNDLE_BYTES_MAX: usize = 16 * 1_024;

/// Puts frames together, and remembers the last bundle: in a room the next session often gets the same frames.
#[derive(Debug, Default)]
pub(super) struct Bundler {
    /// Where the frames of the last bundle lie, which tells them apart from all others that lie in windows.
    places: Vec<usize>,
    last: Bytes,
}

impl Bundler {
    /// Sends what waits in the session's window, if the session has a link.
    pub(super) fn transmit(&mut self, session: &mut Session, outputs: &mut VecDeque<Output>) {
        let Some(link) = session.link else { return };
        let mut rest = session.channel.transmit_all().peekable();
        loop {
            let mut run = rest.clone();
            let (mut count, mut bytes) = (0, 0);
            while let Some(frame) =
                rest.next_if(|frame| count == 0 || bytes + frame.len() <= BUNDLE_BYTES_MAX)
            {
                count += 1;
                bytes += frame.len();
            }
            let bundle = match count {
                1 => run.next().cloned(),
                _ => (count > 0).then(|| self.join(run.take(count), bytes)),
            };
            let Some(bundle) = bundle else { return };
            outputs.push_back(Output::Transmit(link, bundle));
        }
    }

    fn join<'a>(&mut self, frames: impl Iterator<Item = &'a Bytes> + Clone, bytes: usize) -> Bytes {
        let places = frames.clone().map(|frame| frame.as_ptr().addr());
        if self.last.len() != bytes || !places.clone().eq(self.places.iter().copied()) {
            self.places.clear();
            self.places.extend(places);
            let mut joined = BytesMut::with_capacity(bytes);
            frames.for_each(|frame| joined.extend_from_slice(frame));
            self.last = joined.freeze();
        }
        self.last.clone()
    }

    /// Call this before a frame may leave a window: another one may come to lie in its place.
    pub(super) fn forget(&mut self) {
        self.places.clear();
        self.last = Bytes::new();
    }
}

impl Server {
    /// Sends what waits in a session's window now, since something else has to come after it. Otherwise the end of the
    /// burst does.
    pub(super) fn transmit_window(&mut self, number: SessionNumber) {
        if let Some(session) = self.sessions.get_mut(number) {
            self.bundler.transmit(session, &mut self.outputs);
            self.bundler.forget();
        }
    }
}
