//! Votes of a node, and proposals of what has a majority.

use super::beat::Wish;
use super::io::{Ended, Output};
use super::state::Membership;
use crate::view::Incarnation;

impl Membership {
    pub(super) fn vote(&mut self) {
        let Some(held) = &self.held else { return };
        let Self { now, own, wish, peers, contact, votes, .. } = self;
        contact.update(*now, &held.view, |node| match node == own.incarnation {
            true => Some(*now),
            false => peers.heard_at(node),
        });
        if votes.update(*now, &held.view, own, *wish, peers, contact) {
            self.next_beat = self.now;
        }
    }

    /// Proposes a change that has a majority. Members propose one after the other, so that mostly
    /// one of them does.
    pub(super) fn propose(&mut self) {
        // Of two views after one, only one is settled, so only one gets a successor.
        let Some(held) = self.held.as_ref().filter(|held| held.settling.is_settled()) else {
            return;
        };
        if !self.register.is_free(self.now) {
            return;
        }
        let (now, own) = (self.now, self.own.incarnation);
        // A node that joins would not know that it has to wait.
        let (is_served, may_add) = (self.is_served(), self.serve_after <= now);
        let change = self.votes.proposal(now, &held.view, own, &self.peers, is_served, may_add);
        let Some(change) = change else {
            return self.ask_arbiter();
        };
        let members = change.applied(&held.view);
        let (revision, present) = (held.revision, held.view.clone());
        let id = self.draw_id();
        if let Ok(next) = present.next(id, members) {
            self.set(Some(revision), next);
        }
    }

    fn ask_arbiter(&mut self) {
        let Some(view) = self.view().filter(|_| self.wish != Wish::Leave) else { return };
        let Some(remove) = self.votes.asks_arbiter(view, self.own.incarnation) else { return };
        let (view, question) = (view.id(), self.register.ask(self.now));
        self.outputs.push_back(Output::Vote { question, view, remove });
    }

    /// The arbiter votes to remove this node, or the other one of two.
    pub(super) fn arbiter_voted(&mut self, node: Incarnation) {
        if node == self.own.incarnation {
            self.end(Ended::Removed);
        } else {
            self.votes.arbiter_voted(node);
        }
    }
}
