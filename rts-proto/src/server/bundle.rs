//! What a session gets in one burst goes out in one piece.

use alloc::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::session::{Session, SessionNumber};
use super::{Output, Server};

/// Frames that are together not longer than this are copied together: each output costs more than the copy.
pub(super) const BUNDLE_BYTES_MAX: usize = 16 * 1_024;

impl Session {
    /// Sends what waits in the window, if there is a link.
    pub(super) fn transmit_window(&mut self, outputs: &mut VecDeque<Output>) {
        let Some(link) = self.link else { return };
        let mut rest = self.channel.transmit_all().peekable();
        loop {
            let mut run = rest.clone();
            let (mut count, mut bytes_len) = (0, 0);
            while let Some(piece) =
                rest.next_if(|piece| count == 0 || bytes_len + piece.len() <= BUNDLE_BYTES_MAX)
            {
                count += 1;
                bytes_len += piece.len();
            }
            let bundle = match count {
                0 => return,
                1 => run.next().cloned().unwrap_or_default(),
                _ => joined(run.take(count), bytes_len),
            };
            outputs.push_back(Output::Transmit(link, bundle));
        }
    }
}

/// These one behind the other, which are together so long.
pub(super) fn joined<'a>(pieces: impl Iterator<Item = &'a Bytes>, bytes_len: usize) -> Bytes {
    let mut joined = BytesMut::with_capacity(bytes_len);
    pieces.for_each(|piece| joined.extend_from_slice(piece));
    joined.freeze()
}

impl Server {
    /// Sends what waits in a session's window now, since something else has to come after it. Otherwise the end of the
    /// burst does.
    pub(super) fn transmit_window(&mut self, number: SessionNumber) {
        if let Some(session) = self.sessions.get_mut(number) {
            session.transmit_window(&mut self.outputs);
        }
    }
}
