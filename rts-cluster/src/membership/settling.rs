//! Whether a view is settled: no other one can follow the view before it.
//!
//! The register may lose a change that it has acknowledged. Then two views can follow one, and
//! their members do not know of each other. A node has one of them and never takes the other. So
//! at most one of them gets a majority of the members of the view before, and only that one is
//! settled.
//!
//! A majority of the view's own members is not enough: of the four members of a view, two may have
//! the view without the third, and two the view without the fourth.

use std::collections::BTreeSet;

use super::beat::{Beat, Wish};
use crate::view::{Incarnation, View, ViewRef};

#[derive(Clone, Debug)]
pub(super) struct Settling {
    view: ViewRef,
    /// The view before it, if this node had that one.
    parent: Option<View>,
    /// Nodes that neither act nor grant in another view that follows the one before.
    bound: BTreeSet<Incarnation>,
    is_settled: bool,
}

impl Settling {
    /// The first view of a cluster is settled, and so is a view with one member: the other node of
    /// the view before has agreed to its own removal, or has ended, or the arbiter has voted to
    /// remove it.
    pub(super) fn new(view: &View, parent: Option<View>, own: Incarnation) -> Self {
        let is_settled = view.parent().is_none() || view.members().len() == 1;
        Self { view: view.reference(), parent, bound: BTreeSet::from([own]), is_settled }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.is_settled
    }

    /// Takes a beat of another node, also of one that is no member any more.
    pub(super) fn heard(&mut self, beat: &Beat) {
        let has_view = beat.view == Some(self.view);
        // A node that has joined just now does not know the view before.
        self.is_settled |= has_view && beat.is_settled;
        let parent = self.parent.as_ref().map(View::reference);
        let leaves = beat.wish == Wish::Leave && parent.is_some() && beat.view == parent;
        if has_view || leaves {
            self.bound.insert(beat.node.incarnation);
        }
    }

    /// Counts the members of the view before. `is_over`: a node has ended, and the leases that it
    /// may have granted too. Returns whether the view is settled now, and was not before.
    pub(super) fn count(&mut self, is_over: impl Fn(Incarnation) -> bool) -> bool {
        let Some(parent) = self.parent.as_ref().filter(|_| !self.is_settled) else { return false };
        let members = parent.members().iter().map(|member| member.incarnation);
        let bound = members.filter(|node| self.bound.contains(node) || is_over(*node));
        self.is_settled = parent.is_majority(bound.count());
        self.is_settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, member};
    use crate::view::{MemberState, ViewId};

    const OWN: Incarnation = Incarnation(1);

    fn view(members: u64) -> View {
        let all = (1..=members).map(|n| member(&format!("n{n}"), n)).collect();
        View::first(ViewId(1), 7, all).expect("a valid view")
    }

    /// The view after one of four members, without the last one.
    fn three_of_four() -> (Settling, View, View) {
        let parent = view(4);
        let next = parent.next(ViewId(2), parent.members()[..3].to_vec()).expect("a valid view");
        (Settling::new(&next, Some(parent.clone()), OWN), parent, next)
    }

    fn beat(of: u64, view: &View, wish: Wish) -> Beat {
        let view = Some(view.reference());
        Beat { view, wish, ..testing::beat(member(&format!("n{of}"), of)) }
    }

    const UP: Wish = Wish::Be(MemberState::Up);

    #[test]
    fn three_of_four_members_settle_the_view_after() {
        let (mut settling, parent, next) = three_of_four();
        settling.heard(&beat(2, &next, UP));
        settling.heard(&beat(3, &parent, UP));
        settling.heard(&beat(9, &next, UP));
        assert!(!settling.count(|_| false), "two of four");
        settling.heard(&beat(3, &next, UP));
        assert!(settling.count(|_| false) && settling.is_settled());
        assert!(!settling.count(|_| false), "it is told once");
    }

    #[test]
    fn member_that_leaves_or_is_over_counts() {
        let (mut settling, parent, next) = three_of_four();
        settling.heard(&beat(2, &next, UP));
        assert!(settling.clone().count(|node| node == Incarnation(4)));
        let rival = parent.next(ViewId(3), parent.members()[1..].to_vec()).expect("a valid view");
        settling.heard(&beat(4, &rival, Wish::Leave));
        assert!(!settling.count(|_| false), "it may grant in the rival");
        settling.heard(&beat(4, &parent, Wish::Leave));
        assert!(settling.count(|_| false));
    }

    #[test]
    fn node_that_did_not_have_the_view_before_believes_the_others() {
        let (_, parent, next) = three_of_four();
        let mut settling = Settling::new(&next, None, OWN);
        settling.heard(&Beat { is_settled: true, ..beat(2, &parent, UP) });
        settling.heard(&beat(2, &next, UP));
        assert!(!settling.count(|_| true) && !settling.is_settled());
        settling.heard(&Beat { is_settled: true, ..beat(2, &next, UP) });
        assert!(settling.is_settled());
    }

    #[test]
    fn first_view_and_a_view_with_one_member_are_settled() {
        assert!(Settling::new(&view(3), None, OWN).is_settled());
        let two = view(2);
        let one = two.next(ViewId(2), two.members()[..1].to_vec()).expect("a valid view");
        assert!(Settling::new(&one, Some(two), OWN).is_settled());
    }
}
