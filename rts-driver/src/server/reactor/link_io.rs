//! Reads from one link and writes to one, and collects inputs for the core.

use std::task::Poll;

use rts_proto::LinkId;
use rts_stream::LayerError;

use super::batch::Batch;
use super::link_entry::{Ending, LinkEntry, congestion};
use super::links::LinkTable;
use crate::link::Step;
use crate::panics::catch_panic;
use crate::runtime::Runtime;
use crate::server::handshakes::HandshakePool;
use crate::server::hooks::Authenticate;
use crate::server::link_end::{Fault, LinkEnd};
use crate::server::notice_log::{AddressedNotice, NoticeLog};

/// Frames of one link that the core gets at once. Further frames wait for the next turn, and the
/// link is not read before.
const FRAMES_PER_READING: usize = 64;
/// With TLS or WebSocket, this number of bytes counts as a frame, whatever their content: they may
/// be many records of one byte, or only pings.
const LAYERED_BYTES_PER_FRAME: usize = 16;

/// The state that the reactor, the reader and the writer share. Two fields are open to the reactor,
/// because it passes the batch to the core while it applies the core's outputs to the links.
pub(super) struct LinkIo<R: Runtime> {
    pub(super) links: LinkTable<R>,
    pub(super) batch: Batch,
    log: NoticeLog,
    /// The number of the current turn.
    turn: u64,
}

impl<R: Runtime> LinkIo<R> {
    pub(super) fn new(handshakes: HandshakePool<R>) -> Self {
        Self {
            links: LinkTable::new(handshakes),
            batch: Batch::new(),
            log: NoticeLog::default(),
            turn: 1,
        }
    }

    pub(super) fn begin_turn(&mut self) {
        self.turn += 1;
    }

    pub(super) fn turn(&self) -> u64 {
        self.turn
    }

    pub(super) fn write_log(&mut self, notice: AddressedNotice, authenticator: &dyn Authenticate) {
        self.log.write(notice, authenticator);
    }

    /// Reads from the link, and gives the core up to [`FRAMES_PER_READING`] frames. Returns the
    /// number of bytes given.
    pub(super) fn read(&mut self, id: LinkId) -> usize {
        // The end of a link must not overtake the answer to its last frames.
        self.flush(id);
        let Some(entry) = self.links.get_mut(id) else { return 0 };
        if entry.is_here() && entry.has_held() {
            return self.pass_on(id);
        }
        let Some((link, mut context)) = entry.link_mut() else { return 0 };
        let step = catch_panic(|| link.poll_step(&mut context, true));
        let layered_bytes = link.take_layered_bytes();
        self.batch.extend(congestion(id, link));
        if layered_bytes > 0 {
            self.batch.count_frames(layered_bytes / LAYERED_BYTES_PER_FRAME);
            entry.mark_read(self.turn);
        }
        self.take_step(id, step)
    }

    /// Handles the result of a step of the link; `None` after a panic. Returns the number of bytes
    /// that the core gets.
    pub(super) fn take_step(&mut self, id: LinkId, step: Option<Poll<Step>>) -> usize {
        match step {
            Some(Poll::Pending) => return 0,
            Some(Poll::Ready(Step::Received(bytes))) => {
                if let Some(entry) = self.links.get_mut(id) {
                    entry.hold(bytes);
                }
                return self.pass_on(id);
            }
            Some(Poll::Ready(Step::Gone(how))) => self.drop_link(id, LinkEnd::of_stream(how)),
            None => self.drop_link(id, LinkEnd::GivenUp(Fault::Panicked)),
            Some(Poll::Ready(Step::Over(error))) => self.close_link(id, error),
        }
        0
    }

    /// Gives the core some of the bytes that were read. Returns the number of bytes.
    fn pass_on(&mut self, id: LinkId) -> usize {
        let Some(entry) = self.links.get_mut(id) else { return 0 };
        let (bytes, frames) = entry.take_held(FRAMES_PER_READING);
        let bytes_len = bytes.len();
        if !entry.is_logged_in() {
            self.batch.add_before_login(id);
        }
        entry.mark_read(self.turn);
        self.batch.received(id, bytes, frames);
        bytes_len
    }

    /// The peer closed the link, or violated the protocol of a layer.
    fn close_link(&mut self, id: LinkId, error: Option<LayerError>) {
        let Some(entry) = self.links.get(id) else { return };
        // The core need not wait until the close is written.
        self.batch.closed(id, entry.facts(Some(LinkEnd::of_layers(error))));
        self.links.mark_ending(id, Ending::AfterFlush);
    }

    /// Writes the pending bytes of this link, and ends it if it is marked to end. Does nothing if
    /// that was done since.
    pub(super) fn flush(&mut self, id: LinkId) {
        let Some(entry) = self.links.get_mut(id) else { return };
        if !entry.take_pending() {
            return;
        }
        if entry.ending().is_some() {
            if entry.is_here() || self.links.cancel_handshake(id) {
                self.finish_ending(id);
            }
            return;
        }
        // Nothing can be written before the link is back from the handshakes.
        let Some((link, mut context)) = entry.link_mut() else { return };
        match catch_panic(|| link.poll_flush(&mut context)) {
            Some(()) => self.batch.extend(congestion(id, link)),
            None => self.drop_link(id, LinkEnd::GivenUp(Fault::Panicked)),
        }
    }

    /// Ends a link that is here, in the way that it is marked for.
    fn finish_ending(&mut self, id: LinkId) {
        match self.links.get(id).and_then(LinkEntry::ending) {
            Some(Ending::AfterFlush) => self.finish(id),
            Some(Ending::Now(fault)) => self.drop_link(id, LinkEnd::GivenUp(fault)),
            None => {}
        }
    }

    fn drop_link(&mut self, id: LinkId, end: LinkEnd) {
        if let Some(entry) = self.links.remove(id) {
            self.batch.disconnected(id, entry.facts(Some(end)), entry.into_guard());
        }
    }

    /// Moves the link to a task of its own, so that entries of open links have no state for
    /// closing.
    fn finish(&mut self, id: LinkId) {
        if let Some((link, guard)) = self.links.remove(id).and_then(LinkEntry::into_link) {
            R::spawn(async move {
                link.finish::<R>().await;
                drop(guard);
            });
        }
    }
}
