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
mod held;
mod io;
mod joining;
mod lease;
mod peers;
mod register;
mod settling;
mod votes;

use std::collections::VecDeque;

use fastrand::Rng;
use rts_proto::Instant;

pub use beat::{Beat, Change, Echo, Wish};
use contact::Contact;
use held::Held;
pub use io::{CasResult, Ended, Input, Output, Revision};
use joining::Joining;
use lease::{Lease, Until};
use peers::Peers;
pub use register::Question;
use register::Register;
use votes::Votes;

use crate::limits::{BEAT, FROZEN_MAX, STALLED_MAX};
use crate::planted::planted;
use crate::view::{Epoch, Incarnation, Member, MemberState, View, ViewId, ViewRef};

/// The membership of one incarnation of a node.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub struct Membership {
    own: Member,
    wish: Wish,
    /// The view that it had when it wished to leave. It grants nothing in a later one.
    leaves_in: Option<Option<ViewRef>>,
    held: Option<Held>,
    joining: Joining,
    /// Before this moment, a member that was removed may still act in an older view.
    serve_after: Instant,
    peers: Peers,
    contact: Contact,
    lease: Lease,
    votes: Votes,
    /// The latest view whose homes all shards of this node have.
    served: Option<Epoch>,
    /// Since when the node has no lease, if it had one.
    frozen_since: Option<Instant>,
    has_lease: bool,
    register: Register,
    next_beat: Instant,
    beats: u64,
    random: Rng,
    outputs: VecDeque<Output>,
    has_ended: bool,
    now: Instant,
}

impl Membership {
    /// A node that is no member yet. `seed` feeds the ids of views.
    #[must_use]
    pub fn new(own: Member, seed: u64) -> Self {
        Self {
            own: Member { state: MemberState::Joining, ..own },
            wish: Wish::Be(MemberState::Up),
            leaves_in: None,
            held: None,
            joining: Joining::default(),
            serve_after: Instant::ORIGIN,
            peers: Peers::default(),
            contact: Contact::default(),
            lease: Lease::default(),
            votes: Votes::default(),
            served: None,
            frozen_since: None,
            has_lease: false,
            register: Register::new(),
            next_beat: Instant::ORIGIN,
            beats: 0,
            random: Rng::with_seed(seed),
            outputs: VecDeque::new(),
            has_ended: false,
            now: Instant::ORIGIN,
        }
    }

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

    /// The next output. [`Output::Wait`] is the last one.
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Wait(self.next_deadline()))
    }

    /// The view of this node, if it is a member.
    #[must_use]
    pub fn view(&self) -> Option<&View> {
        self.held.as_ref().map(|held| &held.view)
    }

    /// Whether this node may act at this moment.
    #[must_use]
    pub fn may_act(&self, now: Instant) -> bool {
        self.acts_until().is_some_and(|until| now.max(self.now) < until)
    }

    /// The moment before which this node may act in its present view: the end of time for the only
    /// member of a view. `None` if it may not act at all. It changes with each input.
    #[must_use]
    pub fn acts_until(&self) -> Option<Instant> {
        // A node that leaves has nothing left to do, and the others count on that.
        let is_over = self.has_ended || self.wish == Wish::Leave;
        let held = self.held.as_ref().filter(|held| !is_over && held.settling.is_settled())?;
        match self.lease.until(&held.view, self.own.incarnation)? {
            Until::Ever => Some(Instant::from_micros(u64::MAX)),
            Until::Moment(until) => Some(until),
        }
    }

    /// When the last beat of a node has come.
    pub(crate) fn heard_at(&self, node: Incarnation) -> Option<Instant> {
        self.peers.heard_at(node)
    }

    fn view_ref(&self) -> Option<ViewRef> {
        self.view().map(View::reference)
    }

    fn is_settled(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.settling.is_settled())
    }

    /// Whether all shards of this node decide by the homes of its view.
    fn is_served(&self) -> bool {
        self.view().is_some_and(|view| self.served == Some(view.epoch()))
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

    /// The register has this value.
    fn read(&mut self, found: Option<(Revision, View)>) {
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

    fn set(&mut self, expected: Option<Revision>, view: View) {
        let question = self.register.ask(self.now);
        self.outputs.push_back(Output::Cas(question, expected, view));
    }

    fn take(&mut self, revision: Revision, view: View) {
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

    fn end(&mut self, why: Ended) {
        self.has_ended = true;
        if std::mem::replace(&mut self.has_lease, false) {
            self.outputs.push_back(Output::Lease(false));
        }
        self.outputs.push_back(Output::Ended(why));
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

    /// A node that is no member waits for the view that has it. A frozen one may have been removed,
    /// or be in a view that the register has lost.
    fn must_always_read(&self) -> bool {
        self.held.is_none() || self.frozen_since.is_some()
    }

    fn vote(&mut self) {
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
    fn propose(&mut self) {
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
    fn arbiter_voted(&mut self, node: Incarnation) {
        if node == self.own.incarnation {
            self.end(Ended::Removed);
        } else {
            self.votes.arbiter_voted(node);
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

    fn draw_id(&mut self) -> ViewId {
        ViewId(self.random.u128(..))
    }

    fn next_deadline(&self) -> Instant {
        let register = self.register.deadline(self.must_always_read());
        let lease = self.held.as_ref().and_then(|held| {
            match self.lease.until(&held.view, self.own.incarnation)? {
                Until::Moment(until) if self.has_lease => Some(until),
                Until::Moment(_) | Until::Ever => None,
            }
        });
        let thawed = self.frozen_since.map(|since| since + FROZEN_MAX);
        let silence =
            self.view().and_then(|view| self.peers.next_silence(self.now, view, &self.contact));
        let all = [register, lease, thawed, silence, self.votes.deadline(self.now)];
        all.into_iter().flatten().fold(self.next_beat, Instant::min)
    }
}

#[cfg(test)]
pub(crate) mod tests;
