//! Whether a node can tell that another one is silent.
//!
//! When the bus is away from all nodes, each of them hears nobody. A vote to remove another one is
//! a promise for the whole view, so when the bus is back, somebody would be removed. So a node
//! counts the silence of others only while it is in contact: while it hears a majority of its view.
//! After a gap it begins anew, because the bus of some may be back later than that of others. A
//! vote that comes later than it might is safe.
//!
//! In a view of two members, the arbiter is heard in place of the other one. The bus leads to it.

use rts_proto::Instant;

use crate::limits::{SUSPECT, UNHEARD};
use crate::planted::planted;
use crate::view::{Incarnation, Member, View};

#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Contact {
    is_bus_up: bool,
    /// The last moment of contact.
    last: Instant,
    /// The end of the last gap.
    since: Instant,
    /// When the arbiter last answered.
    arbiter_at: Option<Instant>,
    /// Whether the view has two members, so that the arbiter votes too.
    needs_arbiter: bool,
}

impl Default for Contact {
    fn default() -> Self {
        let start = Instant::ORIGIN;
        Self { is_bus_up: false, last: start, since: start, arbiter_at: None, needs_arbiter: false }
    }
}

impl Contact {
    /// The bus works, or does not.
    pub(super) fn bus_changed(&mut self, is_up: bool) {
        self.is_bus_up = is_up;
    }

    /// The register has answered, and with it the arbiter.
    pub(super) fn arbiter_answered(&mut self, now: Instant) {
        self.arbiter_at = Some(now);
    }

    /// Something has happened. A process that was paused has been without contact. `heard_at`: when
    /// a member was last heard; this node hears itself.
    pub(super) fn update(
        &mut self,
        now: Instant,
        view: &View,
        heard_at: impl Fn(Incarnation) -> Option<Instant>,
    ) {
        let members = view.members();
        let last = match members.len() {
            1 | 2 if self.is_bus_up => now,
            1 | 2 => self.last,
            _ => majority_heard(view, heard_at),
        };
        if self.last + UNHEARD < last {
            self.since = now;
        }
        (self.last, self.needs_arbiter) = (last, members.len() == 2);
    }

    /// Whether a member that was last heard at this moment has been silent for too long.
    pub(super) fn shows_silence(&self, now: Instant, heard_at: Instant) -> bool {
        let is_recent = |at: Instant| now < at + UNHEARD;
        let has_arbiter = !self.needs_arbiter || self.arbiter_at.is_some_and(is_recent);
        has_arbiter && self.shows_stall(now, heard_at)
    }

    /// Whether a member that has stalled since this moment has done so for too long.
    pub(super) fn shows_stall(&self, now: Instant, since: Instant) -> bool {
        let long = if planted!(SuspectTooEarly) { SUSPECT / 2 } else { SUSPECT };
        now < self.last + UNHEARD && self.counts_from(since) + long <= now
    }

    /// The moment from which the silence of a member counts that was last heard at this one.
    pub(super) fn counts_from(&self, heard_at: Instant) -> Instant {
        heard_at.max(self.since)
    }
}

/// The moment at which a majority of the view was last heard.
fn majority_heard(view: &View, heard_at: impl Fn(Incarnation) -> Option<Instant>) -> Instant {
    let heard_at = |member: &Member| heard_at(member.incarnation).unwrap_or(Instant::ORIGIN);
    let mut all: Vec<_> = view.members().iter().map(heard_at).collect();
    all.sort_unstable_by(|one, other| other.cmp(one));
    let majority = (1..=all.len()).find(|count| view.is_majority(*count));
    majority.and_then(|count| all.get(count - 1)).copied().unwrap_or(Instant::ORIGIN)
}
