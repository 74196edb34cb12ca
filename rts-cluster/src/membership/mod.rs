//! Membership: which nodes form the cluster, and whether this one may act.
//!
//! Each node sends a [`Beat`] to all others twice a second. The others answer in their own beats.
//! An answer is a grant: its author will not vote to remove the node for a while. With the grants
//! of a majority of its view, a node has a lease, and may act. Without them it is frozen.
//!
//! A view changes by one compare-and-set in a register, which needs the votes of a majority of the
//! present view. Who votes to remove a node no longer grants it anything in this view. So when a
//! node is removed, its lease has ended.
//!
//! A node votes to remove a silent one only while it hears a majority of the view. Otherwise the
//! fault may be its own.
//!
//! Of two members, one alone is no majority. So in a view of two members, the arbiter votes too.
//! It votes once: when one of them is lost, or when they do not hear each other, it votes to remove
//! the one that it is first asked to remove.
//!
//! When members come or change, the homes of users move between shards, which takes a while. A next
//! member comes or changes only after all shards of all members serve the present view. A removal
//! does not wait for that.
//!
//! The register may lose a change that it has acknowledged. Then nodes may have views that exclude
//! each other. Grants and votes count in one view, and a node acts in a view when a majority of the
//! members of the view before have it. So nodes do not act in two such views. Those whose view was
//! lost keep it, and end when their lease has. This takes a member that knows of the lost change:
//! nobody knows of a lost first view, and of that of a node alone after all others have ended.

mod beat;
mod contact;
mod deciding;
mod held;
mod io;
mod joining;
mod lease;
mod peers;
mod register;
mod settling;
mod state;
mod views;
mod votes;

use rts_proto::Instant;

pub use beat::{Beat, Change, Echo, Wish};
pub use io::{CasResult, Ended, Input, Output, Revision};
pub use register::Question;
pub use state::Membership;

use crate::limits::{BEAT, FROZEN_MAX, STALLED_MAX};
use crate::planted::planted;
use crate::view::{Incarnation, ViewRef};

impl Membership {
    /// Handles an input. A `now` before the latest one counts as the latest one.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.now = self.now.max(now);
        self.joining.input_came(self.now);
        if self.has_ended {
            return;
        }
        match input {
            Input::Beat(beat) => self.heard(beat),
            Input::Dead(node) => self.has_died(node),
            Input::Stalled { since, .. } if since + STALLED_MAX <= self.now => {
                self.end(Ended::Stalled);
            }
            Input::Stalled { node, .. } => self.peers.stalled(self.now, node),
            Input::Moved(node) => self.peers.moved(node),
            Input::Read(question, found) => {
                if self.register.answered(self.now, question) {
                    self.contact.arbiter_answered(self.now);
                    self.read(found);
                }
            }
            Input::ReadFailed(question) => {
                if self.register.answered(self.now, question) {
                    self.register.must_read();
                }
            }
            Input::Cas(question, result) => {
                self.register.cas_ended(self.now, question, result == CasResult::Done);
            }
            Input::Voted(question, vote) => {
                if self.register.cas_ended(self.now, question, vote.is_some()) {
                    vote.into_iter().for_each(|node| self.arbiter_voted(node));
                }
            }
            Input::Served(epoch) => {
                self.served = self.served.max(Some(epoch));
                if self.is_served() {
                    self.next_beat = self.now;
                }
            }
            // The others remove a node that leaves without waiting for its lease to end.
            Input::Wish(_) if self.wish == Wish::Leave => {}
            Input::Wish(wish) => {
                self.wish = wish;
                self.leaves_in = (wish == Wish::Leave).then(|| self.view_ref());
            }
            Input::Bus(is_up) => self.contact.bus_changed(is_up),
            Input::Tick => {}
        }
        self.act();
    }

    fn heard(&mut self, beat: Beat) {
        let (of, view) = (beat.node.incarnation, beat.view);
        let own = self.own.incarnation;
        if of == own {
            return;
        }
        beat.dead.iter().for_each(|node| self.has_died(*node));
        if let Some(held) = &mut self.held {
            held.settling.heard(&beat);
        }
        if !self.peers.hear(self.now, beat) {
            return;
        }
        if let (Some(held), Some(beat)) = (&self.held, self.peers.last(of)) {
            self.lease.heard(beat, &held.view, own);
        }
        let own_view = self.view_ref();
        let is_unknown =
            |view: ViewRef| own_view.is_none_or(|own| view != own && own.epoch <= view.epoch);
        if view.is_some_and(is_unknown) {
            self.register.has_news();
        }
    }

    /// The process of a node has ended. That matters while it is a member, or seems to join.
    fn has_died(&mut self, node: Incarnation) {
        let node = if planted!(DeathOfAnother) { self.latest_or(node) } else { node };
        let is_member = self.view().is_none_or(|view| view.member(node).is_some());
        if is_member || self.peers.has_heard(node) {
            self.peers.certify_dead(self.now, node);
        }
    }

    /// The member that came last, for a planted bug.
    fn latest_or(&self, node: Incarnation) -> Incarnation {
        let latest = self.view().and_then(|view| {
            let members = view.members().iter().map(|member| member.incarnation);
            members.min_by_key(|member| view.seniority(*member))
        });
        latest.unwrap_or(node)
    }

    /// Does what is due.
    fn act(&mut self) {
        self.settle();
        self.update_lease();
        // Nobody else could remove it.
        let is_alone = self.view().is_none_or(|view| view.members().len() == 1);
        if self.wish == Wish::Leave && is_alone && !self.has_ended {
            self.end(Ended::Left);
        }
        if self.has_ended {
            return;
        }
        self.vote();
        // What has to be read comes first: it may be the next view already.
        if let Some(question) = self.register.read_if_due(self.now, self.must_always_read()) {
            self.outputs.push_back(Output::Read(question));
        }
        self.propose();
        if self.next_beat <= self.now {
            self.beat();
        }
    }

    /// Those who joined just now wait for a beat that tells it.
    fn settle(&mut self) {
        let (peers, now) = (&self.peers, self.now);
        let held = self.held.as_mut();
        if held.is_some_and(|held| held.settling.count(|node| peers.is_over(now, node))) {
            self.next_beat = self.now;
        }
    }

    fn update_lease(&mut self) {
        let may_act = self.may_act(self.now);
        if may_act != self.has_lease {
            self.has_lease = may_act;
            self.outputs.push_back(Output::Lease(may_act));
        }
        if may_act {
            self.frozen_since = None;
        } else if self.held.is_some() {
            let since = *self.frozen_since.get_or_insert(self.now);
            if since + FROZEN_MAX <= self.now {
                self.end(Ended::Frozen);
            }
        }
    }

    fn beat(&mut self) {
        self.next_beat = self.now + BEAT;
        if !self.joining.may_ask() {
            return;
        }
        self.peers.forget_silent(self.now, self.held.as_ref().map(|held| &held.view));
        self.beats += 1;
        self.lease.beat_sent(self.now, self.beats);
        let (view, votes) = (self.view(), self.votes.all());
        let grants = self.leaves_in.is_none_or(|leaves_in| leaves_in == self.view_ref());
        let echoes = if grants { self.peers.echoes(self.now, view, votes) } else { Vec::new() };
        self.outputs.push_back(Output::Beat(Beat {
            node: self.own.clone(),
            view: self.view_ref(),
            is_settled: self.is_settled(),
            is_served: self.is_served(),
            number: self.beats,
            wish: self.wish,
            echoes,
            votes: votes.to_vec(),
            dead: self.peers.dead_of_beat(self.beats),
            // A membership has no such clock.
            clock: 0,
        }));
    }
}

#[cfg(test)]
pub(crate) mod tests;
