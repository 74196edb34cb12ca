//! The changes of the view that a node votes for, and those that have a majority.

use rts_proto::Instant;

use super::beat::{Beat, Change, Wish};
use super::contact::Contact;
use super::peers::Peers;
use crate::limits::{MEMBERS_MAX, PROPOSAL_STEP};
use crate::planted::planted;
use crate::view::{Incarnation, Member, MemberState, View};

#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Votes {
    /// The votes of this node in the present view.
    own: Vec<Change>,
    /// The member that the arbiter votes to remove.
    of_arbiter: Option<Incarnation>,
    /// The change that has a majority, and the moment at which this node may propose it.
    decided: Option<(Change, Instant)>,
}

impl Votes {
    pub(super) fn all(&self) -> &[Change] {
        &self.own
    }

    /// Votes count in one view.
    pub(super) fn view_changed(&mut self) {
        *self = Self::default();
    }

    /// Votes for what this node sees. Returns whether a vote is new.
    ///
    /// A vote to remove a node stays for the whole view, because it is a promise to grant that node
    /// nothing.
    pub(super) fn update(
        &mut self,
        now: Instant,
        view: &View,
        own: &Member,
        wish: Wish,
        peers: &Peers,
        contact: &Contact,
    ) -> bool {
        let mut votes = self.own.clone();
        votes.retain(|vote| matches!(vote, Change::Remove(_)));
        let mut add = |change: Change| {
            if !votes.contains(&change) {
                votes.push(change);
            }
        };
        for member in view.members() {
            let node = member.incarnation;
            let (wish, may_go) = match node == own.incarnation {
                true => (Some(wish), false),
                false => {
                    let beat = peers.beat(now, node);
                    (beat.map(|beat| beat.wish), peers.may_go(now, node, contact))
                }
            };
            match wish {
                _ if may_go => add(Change::Remove(node)),
                Some(Wish::Leave) => add(Change::Remove(node)),
                Some(Wish::Be(state)) if state != member.state => add(Change::Set(node, state)),
                Some(Wish::Be(_)) | None => {}
            }
        }
        if view.members().len() < MEMBERS_MAX {
            let joiners = peers.beats(now).filter_map(|beat| joiner(view, beat));
            joiners.take(MEMBERS_MAX).for_each(add);
        }
        let has_new = votes.iter().any(|vote| !self.own.contains(vote));
        self.own = votes;
        has_new
    }

    /// A change that has a majority, when it is this node's turn to propose it. `is_served`: its
    /// shards serve the view. `may_add`: it may add a node.
    pub(super) fn proposal(
        &mut self,
        now: Instant,
        view: &View,
        own: Incarnation,
        peers: &Peers,
        is_served: bool,
        may_add: bool,
    ) -> Option<Change> {
        let (votes, of_arbiter) = (&self.own[..], self.of_arbiter);
        let ballots = Ballots { view, own, is_served, votes, of_arbiter, peers };
        let Some(change) = ballots.decided(may_add) else {
            self.decided = None;
            return None;
        };
        let rank = view.members().iter().position(|member| member.incarnation == own)?;
        let turn = match self.decided.take() {
            Some((same, turn)) if same == change => turn,
            _ => now + PROPOSAL_STEP * rank as u32,
        };
        self.decided = Some((change.clone(), turn));
        (turn <= now).then_some(change)
    }

    /// The other one of two members, if this node votes to remove it, and nothing has a majority.
    pub(super) fn asks_arbiter(&self, view: &View, own: Incarnation) -> Option<Incarnation> {
        let [one, other] = view.members() else { return None };
        let other = if one.incarnation == own { other.incarnation } else { one.incarnation };
        let may_go = self.own.contains(&Change::Remove(other));
        (may_go && self.decided.is_none()).then_some(other)
    }

    /// The arbiter votes to remove this member.
    pub(super) fn arbiter_voted(&mut self, node: Incarnation) {
        self.of_arbiter = Some(node);
    }

    /// The moment of this node's turn to propose.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        self.decided.as_ref().map(|(_, turn)| *turn).filter(|turn| *turn > now)
    }
}

/// The change that makes a node a member, if it may become one.
fn joiner(view: &View, beat: &Beat) -> Option<Change> {
    let node = &beat.node;
    let is_known = view.has_removed(node.incarnation)
        || view
            .members()
            .iter()
            .any(|member| member.name == node.name || member.incarnation == node.incarnation);
    let wants = beat.view.is_none() && matches!(beat.wish, Wish::Be(_));
    (wants && !is_known)
        .then(|| Change::Add(Member { state: MemberState::Joining, ..node.clone() }))
}

/// The votes of all members, as far as this node knows them.
struct Ballots<'a> {
    view: &'a View,
    own: Incarnation,
    /// Whether the shards of this node serve the view.
    is_served: bool,
    votes: &'a [Change],
    of_arbiter: Option<Incarnation>,
    peers: &'a Peers,
}

impl Ballots<'_> {
    /// The first change with a majority. Removals go first.
    fn decided(&self, may_add: bool) -> Option<Change> {
        let mut changes: Vec<&Change> = self.votes.iter().collect();
        let is_served = self.is_served_by_all();
        changes.retain(|change| match change {
            Change::Remove(_) => true,
            Change::Set(..) => is_served,
            Change::Add(_) => is_served && may_add,
        });
        changes.sort_by_key(|change| match change {
            Change::Remove(_) => 0,
            Change::Set(..) => 1,
            Change::Add(_) => 2,
        });
        let is_decided =
            |change: &&&Change| self.has_majority(change) && self.has_everybody_else(change);
        changes.iter().find(is_decided).map(|change| (*change).clone())
    }

    /// Whether all shards of all members serve their view, which has to be the present one for any
    /// change. While homes move, shards bear only that the homes of a removed node move too.
    fn is_served_by_all(&self) -> bool {
        self.view.members().iter().all(|member| match self.peers.last(member.incarnation) {
            _ if member.incarnation == self.own => self.is_served,
            beat => beat.is_some_and(|beat| beat.is_served),
        })
    }

    fn has_majority(&self, change: &Change) -> bool {
        let votes = self.view.members().iter().filter(|member| self.votes_for(member, change));
        let count = votes.count();
        self.view.is_majority(count) || planted!(MinorityDecides) && count > 0
    }

    fn votes_for(&self, member: &Member, change: &Change) -> bool {
        let node = member.incarnation;
        // Who is dead acts no more, as if it had promised it. Nor does one of two members, without
        // the grants of the other one: then the arbiter votes in its place.
        if self.peers.is_dead(node) || self.of_arbiter == Some(node) {
            return *change == Change::Remove(node);
        }
        if node == self.own {
            return self.votes.contains(change);
        }
        let beat = self.peers.last(node).filter(|beat| beat.view == Some(self.view.reference()));
        beat.is_some_and(|beat| beat.votes.contains(change))
    }

    /// Whether all members have the present view, except those that a majority removes. So no
    /// member that acts is two views behind another one.
    fn has_everybody_else(&self, change: &Change) -> bool {
        self.view.members().iter().all(|member| {
            let node = member.incarnation;
            let removal = Change::Remove(node);
            node == self.own
                || *change == removal
                || self.peers.last_view(node) == Some(self.view.reference())
                || self.has_majority(&removal)
        })
    }
}
