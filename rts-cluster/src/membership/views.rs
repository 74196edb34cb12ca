//! Views that the register has, and those that a node that joins makes.

use super::beat::Wish;
use super::held::Held;
use super::io::{Ended, Output, Revision};
use super::state::Membership;
use crate::view::View;

impl Membership {
    /// The register has this value.
    pub(super) fn read(&mut self, found: Option<(Revision, View)>) {
        self.joining.has_read(found.as_ref().map(|(_, view)| view));
        let Some((revision, view)) = found else {
            if self.held.is_some() {
                self.outputs.push_back(Output::RegisterIsForeign);
            } else if self.wish != Wish::Leave {
                let Self { joining, own, peers, random, .. } = self;
                let first = joining.first(self.now, own, peers, random);
                first.into_iter().for_each(|view| self.set(None, view));
            }
            return;
        };
        self.see(revision, view);
    }

    /// The register has this view.
    fn see(&mut self, revision: Revision, view: View) {
        if let Some(held) = self.held.as_mut().filter(|held| held.view.id() == view.id()) {
            // An operator who restores the value gives it another revision.
            held.revision = revision;
            return;
        }
        let is_member = view.member(self.own.incarnation).is_some();
        let why = match self.wish {
            Wish::Leave => Ended::Left,
            Wish::Be(_) => Ended::Removed,
        };
        match &self.held {
            // It may have missed the views before, also that which had it.
            _ if view.has_removed(self.own.incarnation) => self.end(why),
            None if self.joining.may_be_forgotten(&view) => self.end(Ended::Overtaken),
            None if is_member => self.take(revision, view),
            None => {
                let Self { joining, own, peers, random, .. } = self;
                let next = joining.successor(self.now, own, &view, peers, random);
                next.into_iter().for_each(|next| self.set(Some(revision), next));
            }
            Some(held) if Some(held.view.id()) != view.parent() => {
                self.outputs.push_back(Output::RegisterIsForeign);
            }
            Some(_) if is_member => self.take(revision, view),
            Some(_) => self.end(why),
        }
    }

    pub(super) fn take(&mut self, revision: Revision, view: View) {
        let before = self.held.take();
        let serve_after = before
            .as_ref()
            .map_or(self.now, |before| before.serve_after(self.now, &view, &self.peers));
        // A later view does not shorten the wait.
        let serve_after = serve_after.max(self.serve_after);
        self.serve_after = serve_after;
        let own = self.own.incarnation;
        let held = Held::new(view.clone(), revision, before, own, &self.peers);
        self.held = Some(held);
        self.peers.view_changed(self.now, &view);
        self.lease.view_changed();
        // Who has had the view for longer has granted in it before.
        self.peers.all_last().for_each(|beat| self.lease.heard(beat, &view, own));
        self.votes.view_changed();
        if let Some(own) = view.member(self.own.incarnation) {
            self.own = own.clone();
        }
        self.outputs.push_back(Output::View { view, serve_after });
        // The others grant in a view when they have heard that this node has it.
        self.next_beat = self.now;
    }
}
