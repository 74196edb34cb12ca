//! Schedules writes: output of this turn comes first. Output of earlier turns, as to a large room,
//! is written to a few links at a time.

use std::collections::VecDeque;

use rts_proto::LinkId;

use super::link_io::LinkIo;
use crate::runtime::Runtime;

/// Links with output of this turn that are written to in this turn, beside the links that are read.
/// Each costs a system call.
const WRITES_PER_TURN: usize = 32;
/// The least number of links with output of earlier turns that are written to in a turn. They also
/// get the places that links with new output leave free.
const LATE_WRITES_PER_TURN_MIN: usize = 16;

#[derive(Default)]
pub(super) struct Writer {
    /// Links that were pending in an earlier turn, each once.
    late: VecDeque<LinkId>,
}

impl Writer {
    pub(super) fn has_more(&self) -> bool {
        !self.late.is_empty()
    }

    /// Writes pending output, up to the bounds of a turn.
    pub(super) fn write<R: Runtime>(&mut self, io: &mut LinkIo<R>) {
        let mut pending = io.links.take_pending();
        let now = pending.len().min(WRITES_PER_TURN);
        let (before, late_max) =
            (self.late.len(), (WRITES_PER_TURN - now).max(LATE_WRITES_PER_TURN_MIN));
        for id in pending.drain(now..) {
            let Some(entry) = io.links.get_mut(id) else { continue };
            if entry.mark_late() {
                self.late.push_back(id);
            }
        }
        pending.drain(..).for_each(|id| io.flush(id));
        io.links.reuse_pending(pending);
        for _ in 0..before.min(late_max) {
            let Some(id) = self.late.pop_front() else { break };
            if let Some(entry) = io.links.get_mut(id) {
                entry.unmark_late();
            }
            io.flush(id);
        }
    }
}
