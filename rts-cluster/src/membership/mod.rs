//! Membership: which nodes form the cluster, and whether this one may act.
//!
//! Each node sends a [`Beat`] to all others twice a second. The others answer in their own beats.
//! An answer is a grant: its author will not vote to remove the node for a while. With the grants
//! of a majority of its view, a node has a lease, and may act. Without them it is frozen.
//!
//! A view changes by one compare-and-set in a register, which needs the votes of a majority of the
//! present view. Who votes to remove a node no longer grants it anything in this view. So when a
//! node is removed, its lease has ended.

mod beat;
mod io;
mod lease;
mod peers;
mod register;
mod votes;

use std::collections::VecDeque;

use fastrand::Rng;
use rts_proto::Instant;

pub use beat::{Beat, Change, Echo, Wish};
pub use io::{CasResult, Ended, Input, Output, Revision};
use lease::{Lease, Until};
use peers::Peers;
pub use register::Question;
use register::Register;
use votes::Votes;

use crate::limits::{BEAT, BEAT_LIST_MAX, FOUNDING_SILENCE, FROZEN_MAX, LEASE};
use crate::view::{Epoch, Incarnation, Member, MemberState, View, ViewId};

/// The view of a node, with its revision in the register.
#[derive(Clone, Debug)]
struct Held {
    view: View,
    revision: Revision,
}

/// The membership of one incarnation of a node.
#[derive(Debug)]
pub struct Membership {
    own: Member,
    wish: Wish,
    held: Option<Held>,
    peers: Peers,
    lease: Lease,
    votes: Votes,
    /// Since when the node has no lease, if it had one.
    frozen_since: Option<Instant>,
    has_lease: bool,
    register: Register,
    next_beat: Instant,
    beats: u64,
    random: Rng,
    outputs: VecDeque<Output>,
    has_ended: bool,
    /// The moment of the first input.
    started: Option<Instant>,
    now: Instant,
}

impl Membership {
    /// A node that is no member yet. `seed` feeds the ids of views.
    #[must_use]
    pub fn new(own: Member, seed: u64) -> Self {
        Self {
            own: Member { state: MemberState::Joining, ..own },
            wish: Wish::Be(MemberState::Up),
            held: None,
            peers: Peers::default(),
            lease: Lease::default(),
            votes: Votes::default(),
            frozen_since: None,
            has_lease: false,
            register: Register::new(),
            next_beat: Instant::ORIGIN,
            beats: 0,
            random: Rng::with_seed(seed),
            outputs: VecDeque::new(),
            has_ended: false,
            started: None,
            now: Instant::ORIGIN,
        }
    }

    /// Handles an input. A `now` before the latest one counts as the latest one.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.now = self.now.max(now);
        self.started.get_or_insert(self.now);
        if self.has_ended {
            return;
        }
        match input {
            Input::Beat(beat) => self.heard(beat),
            Input::Dead(node) => self.has_died(node),
            Input::Read(question, found) => {
                if self.register.answered(self.now, question) {
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
            // The others remove a node that leaves without waiting for its lease to end.
            Input::Wish(_) if self.wish == Wish::Leave => {}
            Input::Wish(wish) => self.wish = wish,
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
        // A node that leaves has nothing left to do, and the others count on that.
        let is_over = self.has_ended || self.wish == Wish::Leave;
        let Some(held) = self.held.as_ref().filter(|_| !is_over) else { return false };
        match self.lease.until(&held.view, self.own.incarnation) {
            Some(Until::Ever) => true,
            Some(Until::Moment(until)) => now.max(self.now) < until,
            None => false,
        }
    }

    fn epoch(&self) -> Option<Epoch> {
        self.view().map(View::epoch)
    }

    fn heard(&mut self, beat: Beat) {
        let (of, epoch) = (beat.node.incarnation, beat.epoch);
        if of == self.own.incarnation {
            return;
        }
        let own = self.own.incarnation;
        beat.dead.iter().for_each(|node| self.has_died(*node));
        let echo = beat.echoes.iter().find(|echo| echo.of == own).map(|echo| echo.number);
        if !self.peers.hear(self.now, beat) {
            return;
        }
        if let Some(number) = echo
            && epoch.is_some()
            && epoch == self.epoch()
        {
            self.lease.granted(of, number);
        }
        if epoch > self.epoch() {
            self.register.must_read();
        }
    }

    /// The process of a node has ended. That matters while it is a member, or seems to join.
    fn has_died(&mut self, node: Incarnation) {
        let is_member = self.view().is_none_or(|view| view.member(node).is_some());
        if is_member || self.peers.has_heard(node) {
            self.peers.certify_dead(node);
        }
    }

    /// The register has this value.
    fn read(&mut self, found: Option<(Revision, View)>) {
        let Some((revision, view)) = found else {
            if self.held.is_some() {
                self.outputs.push_back(Output::RegisterIsForeign);
            } else if self.wish != Wish::Leave && self.is_first() {
                self.found_cluster();
            }
            return;
        };
        self.see(revision, view);
    }

    /// Whether no other node is a member, as far as this node heard. If there are members and no
    /// register, the register was removed, and a second cluster beside theirs would be wrong.
    fn is_first(&self) -> bool {
        let has_listened = self.started.is_some_and(|at| at + FOUNDING_SILENCE <= self.now);
        has_listened && self.peers.beats(self.now).all(|beat| beat.epoch.is_none())
    }

    /// The register was never set: this node is the first one of the cluster.
    fn found_cluster(&mut self) {
        let (id, seed) = (self.draw_id(), self.random.u64(..));
        let own = Member { state: MemberState::Up, ..self.own.clone() };
        if let Ok(view) = View::first(id, seed, vec![own]) {
            self.set(None, view);
        }
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
            None if is_member => self.take(revision, view),
            None => self.succeed(revision, &view),
            Some(held) if Some(held.view.id()) != view.parent() => {
                self.outputs.push_back(Output::RegisterIsForeign);
            }
            Some(_) if is_member => self.take(revision, view),
            Some(_) => self.end(why),
        }
    }

    /// If all members of the view are dead, this node is the next cluster alone.
    fn succeed(&mut self, revision: Revision, view: &View) {
        let is_dead = |member: &Member| self.peers.is_dead(member.incarnation);
        if !view.members().iter().all(is_dead) {
            return;
        }
        let id = self.draw_id();
        let own = Member { state: MemberState::Up, ..self.own.clone() };
        if let Ok(next) = view.next(id, vec![own]) {
            self.set(Some(revision), next);
        }
    }

    fn set(&mut self, expected: Option<Revision>, view: View) {
        let question = self.register.ask(self.now);
        self.outputs.push_back(Output::Cas(question, expected, view));
    }

    fn take(&mut self, revision: Revision, view: View) {
        let serve_after = self.serve_after(&view);
        self.peers.view_changed(self.now, &view);
        self.lease.view_changed();
        self.votes.view_changed();
        self.held = Some(Held { view: view.clone(), revision });
        if let Some(own) = view.member(self.own.incarnation) {
            self.own = own.clone();
        }
        self.outputs.push_back(Output::View { view, serve_after });
        // The others grant in a view when they have heard that this node has it.
        self.next_beat = self.now;
    }

    /// A removed member acts in the view from which it was removed at most: then its lease has
    /// ended. In an older view, its grants may be one lease older.
    fn serve_after(&self, next: &View) -> Instant {
        let Some(held) = &self.held else { return self.now };
        let is_removed = |member: &&Member| next.member(member.incarnation).is_none();
        let Some(removed) = held.view.members().iter().find(is_removed) else { return self.now };
        let was_in_view = self.peers.last_epoch(removed.incarnation) == Some(held.view.epoch());
        if was_in_view || self.peers.is_dead(removed.incarnation) {
            self.now
        } else {
            self.now + LEASE
        }
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
        // What has to be read comes first: it may be the next view already. A node that is no
        // member waits for the view that has it.
        if let Some(question) = self.register.read_if_due(self.now, self.held.is_none()) {
            self.outputs.push_back(Output::Read(question));
        }
        self.propose();
        if self.next_beat <= self.now {
            self.beat();
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

    fn vote(&mut self) {
        let Some(held) = &self.held else { return };
        if self.votes.update(self.now, &held.view, &self.own, self.wish, &self.peers) {
            self.next_beat = self.now;
        }
    }

    /// Proposes a change that has a majority. Members propose one after the other, so that mostly
    /// one of them does.
    fn propose(&mut self) {
        let Some(held) = &self.held else { return };
        if !self.register.is_free(self.now) {
            return;
        }
        let (now, own) = (self.now, self.own.incarnation);
        let Some(change) = self.votes.proposal(now, &held.view, own, &self.peers) else {
            return;
        };
        let members = changed(&held.view, &change);
        let (revision, present) = (held.revision, held.view.clone());
        let id = self.draw_id();
        if let Ok(next) = present.next(id, members) {
            self.set(Some(revision), next);
        }
    }

    fn beat(&mut self) {
        self.next_beat = self.now + BEAT;
        self.peers.forget_silent(self.now, self.held.as_ref().map(|held| &held.view));
        self.beats += 1;
        self.lease.beat_sent(self.now, self.beats);
        let votes = self.votes.all().to_vec();
        self.outputs.push_back(Output::Beat(Beat {
            node: self.own.clone(),
            epoch: self.epoch(),
            number: self.beats,
            wish: self.wish,
            echoes: self.echoes_of_beat(&votes),
            votes,
            dead: self.dead_of_beat(),
        }));
    }

    /// The answers to members come first. Those to strangers have the space that is left.
    fn echoes_of_beat(&self, votes: &[Change]) -> Vec<Echo> {
        let is_member = |node| self.view().is_some_and(|view| view.member(node).is_some());
        let mut echoes = self.peers.echoes(self.now, votes);
        echoes.sort_by_key(|echo| !is_member(echo.of));
        echoes.truncate(BEAT_LIST_MAX);
        echoes
    }

    /// A node that has started often before it became a member knows more dead ones than a beat may
    /// have. Its beats take turns.
    fn dead_of_beat(&self) -> Vec<Incarnation> {
        let all: Vec<Incarnation> = self.peers.dead().collect();
        if all.len() <= BEAT_LIST_MAX {
            return all;
        }
        let first = self.beats as usize % all.len() * BEAT_LIST_MAX % all.len();
        all.iter().copied().cycle().skip(first).take(BEAT_LIST_MAX).collect()
    }

    fn draw_id(&mut self) -> ViewId {
        ViewId(self.random.u128(..))
    }

    fn next_deadline(&self) -> Instant {
        let register = self.register.deadline(self.held.is_none());
        let lease = self.held.as_ref().and_then(|held| {
            match self.lease.until(&held.view, self.own.incarnation)? {
                Until::Moment(until) if self.has_lease => Some(until),
                Until::Moment(_) | Until::Ever => None,
            }
        });
        let thawed = self.frozen_since.map(|since| since + FROZEN_MAX);
        let silence = self.view().and_then(|view| self.peers.next_silence(self.now, view));
        let all = [register, lease, thawed, silence, self.votes.deadline(self.now)];
        all.into_iter().flatten().fold(self.next_beat, Instant::min)
    }
}

/// The members of a view after a change.
fn changed(view: &View, change: &Change) -> Vec<Member> {
    let mut members = view.members().to_vec();
    match change {
        Change::Add(member) => members.push(member.clone()),
        Change::Remove(node) => members.retain(|member| member.incarnation != *node),
        Change::Set(node, state) => {
            for member in members.iter_mut().filter(|member| member.incarnation == *node) {
                member.state = *state;
            }
        }
    }
    members
}

#[cfg(test)]
pub(crate) mod tests;
