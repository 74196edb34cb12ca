//! The register and the arbiter of a world.

use super::{Node, World};
use crate::membership::{CasResult, Revision};
use crate::view::{Incarnation, Member, View, ViewId};

impl World {
    /// While the register is down, half of what it is asked to set is set, and nobody knows.
    pub(super) fn set(&mut self, expected: Option<Revision>, view: View) -> CasResult {
        let is_down = self.now < self.register_down_until;
        if is_down && self.random.bool() {
            return CasResult::Unknown;
        }
        let revision = self.register.as_ref().map(|(revision, _)| *revision);
        let is_expected = revision == expected;
        if is_expected {
            self.check_successor(&view);
            // No two values have one revision, also when the first one of them was lost.
            self.last_revision = self.last_revision.max(revision.map_or(0, |last| last.0)) + 1;
            self.history.push(view.clone());
            let stays =
                |of: &View| of.members().iter().any(|of| view.member(of.incarnation).is_some());
            let has_witness = self.register.as_ref().is_some_and(|(_, before)| stays(before));
            let next = Some((Revision(self.last_revision), view));
            let before = std::mem::replace(&mut self.register, next);
            self.before_last = before.filter(|_| has_witness);
        }
        match (is_down, is_expected) {
            (true, _) => CasResult::Unknown,
            (false, true) => CasResult::Done,
            (false, false) => CasResult::Conflict,
        }
    }

    /// No view that adds or changes a member follows one that a running member has yet to serve.
    fn check_successor(&self, view: &View) {
        let Some((_, before)) = &self.register else { return };
        let is_new = |of: &Member| before.member(of.incarnation) != Some(of);
        if !view.members().iter().any(is_new) {
            return;
        }
        let is_member = |node: &&Node| before.member(node.incarnation()).is_some();
        for member in self.nodes.values().filter(is_member) {
            let has_served = member.served.contains(&before.id());
            assert!(has_served, "{:?} has yet to serve {before:?}", member.incarnation());
        }
    }

    /// The vote of the arbiter. While the register is down, half of the votes are given, and nobody
    /// knows.
    pub(super) fn vote(&mut self, view: ViewId, remove: Incarnation) -> Option<Incarnation> {
        let is_down = self.now < self.register_down_until;
        if is_down && self.random.bool() {
            return None;
        }
        let vote = *self.votes.entry(view).or_insert(remove);
        (!is_down).then_some(vote)
    }

    /// The register loses its last change, also if it has acknowledged it. It loses no second one
    /// before the next. Nor does it lose a vote, the first view, or that of a node alone after all
    /// others have ended: nobody else knows of these.
    pub(crate) fn forget_last_change(&mut self) {
        if let Some(before) = self.before_last.take() {
            self.register = Some(before);
        }
    }
}
