//! The struct of all parts of a membership, and what all uses of it need.

use std::collections::VecDeque;

use fastrand::Rng;
use rts_proto::Instant;

use super::beat::Wish;
use super::contact::Contact;
use super::held::Held;
use super::io::{Ended, Output, Revision};
use super::joining::Joining;
use super::lease::{Lease, Until};
use super::peers::Peers;
use super::register::Register;
use super::votes::Votes;
use crate::limits::FROZEN_MAX;
use crate::view::{Epoch, Incarnation, Member, MemberState, View, ViewId, ViewRef};

/// The membership of one incarnation of a node.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub struct Membership {
    pub(super) own: Member,
    pub(super) wish: Wish,
    /// The view that it had when it wished to leave. It grants nothing in a later one.
    pub(super) leaves_in: Option<Option<ViewRef>>,
    pub(super) held: Option<Held>,
    pub(super) joining: Joining,
    /// Before this moment, a member that was removed may still act in an older view.
    pub(super) serve_after: Instant,
    pub(super) peers: Peers,
    pub(super) contact: Contact,
    pub(super) lease: Lease,
    pub(super) votes: Votes,
    /// The latest view whose homes all shards of this node have.
    pub(super) served: Option<Epoch>,
    /// Since when the node has no lease, if it had one.
    pub(super) frozen_since: Option<Instant>,
    pub(super) has_lease: bool,
    pub(super) register: Register,
    pub(super) next_beat: Instant,
    pub(super) beats: u64,
    pub(super) random: Rng,
    pub(super) outputs: VecDeque<Output>,
    pub(super) has_ended: bool,
    pub(super) now: Instant,
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

    pub(super) fn view_ref(&self) -> Option<ViewRef> {
        self.view().map(View::reference)
    }

    pub(super) fn is_settled(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.settling.is_settled())
    }

    /// Whether all shards of this node decide by the homes of its view.
    pub(super) fn is_served(&self) -> bool {
        self.view().is_some_and(|view| self.served == Some(view.epoch()))
    }

    pub(super) fn set(&mut self, expected: Option<Revision>, view: View) {
        let question = self.register.ask(self.now);
        self.outputs.push_back(Output::Cas(question, expected, view));
    }

    pub(super) fn end(&mut self, why: Ended) {
        self.has_ended = true;
        if std::mem::replace(&mut self.has_lease, false) {
            self.outputs.push_back(Output::Lease(false));
        }
        self.outputs.push_back(Output::Ended(why));
    }

    /// A node that is no member waits for the view that has it. A frozen one may have been removed,
    /// or be in a view that the register has lost.
    pub(super) fn must_always_read(&self) -> bool {
        self.held.is_none() || self.frozen_since.is_some()
    }

    pub(super) fn draw_id(&mut self) -> ViewId {
        ViewId(self.random.u128(..))
    }

    pub(super) fn next_deadline(&self) -> Instant {
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
