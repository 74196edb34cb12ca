//! Who is written to in a turn: what this turn brought first, and what a large room still waits for
//! a few at a time.

use std::task::Context;

use rts_proto::LinkId;
use rts_proto::server::Input;

use super::Reactor;
use super::served::{Fate, Seat, Served, congestion};
use crate::guarded;
use crate::runtime::Runtime;

/// Links that are written to in one turn, beside those that are read: each costs a call of the
/// system.
const WRITES_PER_TURN: usize = 32;
/// So many of them at least wait since an earlier turn, if there are such.
const LATE_WRITES_PER_TURN_MIN: usize = 16;

impl<R: Runtime> Reactor<R> {
    pub(super) fn write(&mut self) {
        let mut ordered = std::mem::take(&mut self.ordered);
        let now = ordered.len().min(WRITES_PER_TURN);
        let mut ids = ordered.drain(..);
        ids.by_ref().take(now).for_each(|id| self.write_if_ordered(id));
        let (before, late_max) =
            (self.unwritten.len(), (WRITES_PER_TURN - now).max(LATE_WRITES_PER_TURN_MIN));
        for id in ids {
            let Some(served) = self.links.get_mut(&id) else { continue };
            if !std::mem::replace(&mut served.is_unwritten, true) {
                self.unwritten.push_back(id);
            }
        }
        self.ordered = ordered;
        let late: Vec<_> = self.unwritten.drain(..before.min(late_max)).collect();
        for id in late {
            if let Some(served) = self.links.get_mut(&id) {
                served.is_unwritten = false;
            }
            self.write_if_ordered(id);
        }
    }

    /// Does what was ordered for this link, if that was not done yet.
    pub(super) fn write_if_ordered(&mut self, id: LinkId) {
        let Some(served) = self.links.get_mut(&id) else { return };
        if !std::mem::take(&mut served.is_ordered) {
            return;
        }
        match (served.fate, &mut served.seat) {
            (Fate::Stays, Seat::Here(link)) => {
                let mut context = Context::from_waker(&served.waker);
                match guarded(|| link.poll_flush(&mut context)) {
                    Some(()) => self.inputs.extend(congestion(id, link)),
                    None => self.give_up(id),
                }
            }
            // Nothing can be written before it is back.
            (Fate::Stays, Seat::Away(_)) => {}
            (Fate::Closes | Fate::IsCut, Seat::Away(_)) => {
                if let Some(link) = self.handshakes.take_back(id) {
                    self.away -= 1;
                    served.sit_down(link);
                    self.end(id);
                }
            }
            (Fate::Closes | Fate::IsCut, Seat::Here(_)) => self.end(id),
        }
    }

    fn end(&mut self, id: LinkId) {
        match self.links.get(&id).map(|served| served.fate) {
            Some(Fate::Closes) => self.finish(id),
            Some(Fate::IsCut) => self.give_up(id),
            Some(Fate::Stays) | None => {}
        }
    }

    pub(super) fn give_up(&mut self, id: LinkId) {
        if let Some(served) = self.links.remove(&id) {
            self.gone.push(served.counted);
            self.inputs.push(Input::Disconnected(id));
        }
    }

    /// Leaves the link to a task of its own, so that a link that is open does not hold what only
    /// its end needs.
    fn finish(&mut self, id: LinkId) {
        if let Some(served) = self.links.remove(&id) {
            let Served { seat: Seat::Here(link), counted, .. } = *served else { return };
            R::spawn(async move {
                link.finish::<R>().await;
                drop(counted);
            });
        }
    }
}
