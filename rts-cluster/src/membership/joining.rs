//! A node that is no member yet: the first one of a cluster, the successor of dead members, or one
//! that asks the members to add it.

use fastrand::Rng;
use rts_proto::Instant;

use super::peers::Peers;
use crate::limits::{FOUNDING_SILENCE, REMOVED_MAX};
use crate::view::{Epoch, Member, MemberState, View, ViewId};

#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Joining {
    /// The moment of the first input.
    started: Option<Instant>,
    /// The number of the view that the register had when this node first read it.
    after: Option<Epoch>,
}

impl Joining {
    pub(super) fn input_came(&mut self, now: Instant) {
        self.started.get_or_insert(now);
    }

    pub(super) fn has_read(&mut self, view: Option<&View>) {
        self.after.get_or_insert(view.map_or(Epoch(0), View::epoch));
    }

    /// Whether this node may ask the others to add it: it knows after which view it does.
    pub(super) fn may_ask(&self) -> bool {
        self.after.is_some()
    }

    /// Whether this node may have been a member, and been removed before the last removals that the
    /// view knows.
    pub(super) fn may_be_forgotten(&self, view: &View) -> bool {
        let known_until = |first: Epoch| first.0.saturating_add(REMOVED_MAX as u64);
        self.after.is_some_and(|first| known_until(first) < view.epoch().0)
    }

    /// The first view, if the register was never set.
    pub(super) fn first(
        &self,
        now: Instant,
        own: &Member,
        peers: &Peers,
        random: &mut Rng,
    ) -> Option<View> {
        let alone = vec![Member { state: MemberState::Up, ..own.clone() }];
        let (id, seed) = (ViewId(random.u128(..)), random.u64(..));
        View::first(id, seed, alone).ok().filter(|_| self.hears_no_member(now, peers))
    }

    /// If enough members of the view are dead, this node is the next cluster alone. It waits for
    /// the leases that they granted: they may have granted them in a view that the register has
    /// lost.
    ///
    /// The others, whose end is not certain, must not be able to act, neither in this view nor in
    /// the one before it, nor in one after it that the register has lost. These differ from it by
    /// one member. So less than half of the members may be left.
    pub(super) fn successor(
        &self,
        now: Instant,
        own: &Member,
        view: &View,
        peers: &Peers,
        random: &mut Rng,
    ) -> Option<View> {
        let (all, is_left) = (view.members(), |node| !peers.is_over(now, node));
        let left = all.iter().filter(|member| is_left(member.incarnation)).count();
        let are_over = 2 * left < all.len();
        let alone = vec![Member { state: MemberState::Up, ..own.clone() }];
        let next = view.next(ViewId(random.u128(..)), alone).ok();
        next.filter(|_| are_over && self.hears_no_member(now, peers))
    }

    /// Whether no other node has a view, as far as this node heard. If one has, the register has
    /// lost its value, and a second cluster beside that of the others would be wrong.
    fn hears_no_member(&self, now: Instant, peers: &Peers) -> bool {
        let has_listened = self.started.is_some_and(|at| at + FOUNDING_SILENCE <= now);
        has_listened && peers.beats(now).all(|beat| beat.view.is_none())
    }
}
