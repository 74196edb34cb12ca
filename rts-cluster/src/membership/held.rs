//! The view of a node.

use rts_proto::Instant;

use super::io::Revision;
use super::peers::Peers;
use super::settling::Settling;
use crate::limits::LEASE;
use crate::view::{Incarnation, Member, View};

/// The view of a node, with its revision in the register.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) view: View,
    pub(super) revision: Revision,
    pub(super) settling: Settling,
}

impl Held {
    /// The view after the one that the node had, if it had one.
    pub(super) fn new(
        view: View,
        revision: Revision,
        before: Option<Self>,
        own: Incarnation,
        peers: &Peers,
    ) -> Self {
        let mut settling = Settling::new(&view, before.map(|before| before.view), own);
        peers.all_last().for_each(|beat| settling.heard(beat));
        Self { view, revision, settling }
    }

    /// A removed member acts in the view from which it was removed at most: then its lease has
    /// ended. In an older view, its grants may be one lease older.
    pub(super) fn serve_after(&self, now: Instant, next: &View, peers: &Peers) -> Instant {
        let is_removed = |member: &&Member| next.member(member.incarnation).is_none();
        let Some(removed) = self.view.members().iter().find(is_removed) else { return now };
        let was_in_view = peers.last_view(removed.incarnation) == Some(self.view.reference());
        if was_in_view || peers.is_dead(removed.incarnation) { now } else { now + LEASE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::membership::{Beat, Wish};
    use crate::testing::{self, member};
    use crate::view::{MemberState, ViewId, ViewRef};

    fn beat(of: u64, view: ViewRef, wish: Wish) -> Beat {
        Beat { view: Some(view), wish, ..testing::beat(member(&format!("n{of}"), of)) }
    }

    #[test]
    fn beats_that_came_before_the_view_count() {
        let members = (1..=4).map(|n| member(&format!("n{n}"), n)).collect();
        let view = View::first(ViewId(1), 7, members).expect("a valid view");
        let next = view.next(ViewId(2), view.members()[..3].to_vec()).expect("a valid view");
        let (own, now) = (Incarnation(1), Instant::ORIGIN);
        let before = Held::new(view.clone(), Revision(1), None, own, &Peers::default());
        let mut peers = Peers::default();
        peers.hear(now, beat(2, next.reference(), Wish::Be(MemberState::Up)));
        peers.hear(now, beat(4, view.reference(), Wish::Leave));
        let mut held = Held::new(next, Revision(2), Some(before), own, &peers);
        assert!(held.settling.count(|_| false), "three of four");
    }

    #[test]
    fn slots_of_a_node_whose_last_beat_had_another_view_are_served_a_lease_later() {
        let now = Instant::from_millis(7);
        let removed = Incarnation(2);
        let view = View::first(ViewId(1), 7, vec![member("a", 1), member("b", 2)]);
        let view = view.expect("a valid view");
        let next = view.next(ViewId(2), vec![member("a", 1)]).expect("a valid view");
        let held = Held::new(view.clone(), Revision(1), None, Incarnation(1), &Peers::default());
        let after = |view: ViewRef, is_dead| {
            let mut peers = Peers::default();
            peers.hear(now, beat(2, view, Wish::Leave));
            if is_dead {
                peers.certify_dead(now, removed);
            }
            held.serve_after(now, &next, &peers)
        };
        let (same, rival) = (view.reference(), ViewRef { id: ViewId(9), ..view.reference() });
        assert_eq!(after(same, false), now);
        assert_eq!(after(rival, false), now + LEASE);
        assert_eq!(after(rival, true), now);
    }
}
