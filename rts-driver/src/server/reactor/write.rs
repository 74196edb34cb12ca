//! Schedules writes: output of this turn comes first, and what is left of earlier turns, as to a
//! large room, a few links at a time.

use std::collections::VecDeque;

use rts_proto::LinkId;

use super::link_io::LinkIo;
use crate::runtime::Runtime;

/// Links that are written to in one turn, beside those that are read: each costs a call of the
/// system.
const WRITES_PER_TURN: usize = 32;
/// The share of them that is kept for links that wait since an earlier turn.
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

    /// Writes what is pending, as far as a turn goes.
    pub(super) fn write<R: Runtime>(&mut self, io: &mut LinkIo<R>) {
        let mut pending = io.links.take_pending();
        let now = pending.len().min(WRITES_PER_TURN);
        let (before, late_max) =
            (self.late.len(), (WRITES_PER_TURN - now).max(LATE_WRITES_PER_TURN_MIN));
        for id in pending.drain(now..) {
            let Some(entry) = io.links.get_mut(id) else { continue };
            if !std::mem::replace(&mut entry.is_late, true) {
                self.late.push_back(id);
            }
        }
        pending.drain(..).for_each(|id| io.flush(id));
        io.links.reuse_pending(pending);
        for _ in 0..before.min(late_max) {
            let Some(id) = self.late.pop_front() else { break };
            if let Some(entry) = io.links.get_mut(id) {
                entry.is_late = false;
            }
            io.flush(id);
        }
    }
}
