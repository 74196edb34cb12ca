//! What a node has heard of the others.

use std::collections::{BTreeMap, BTreeSet};

use rts_proto::Instant;

use super::beat::{Beat, Change, Echo};
use crate::limits::SUSPECT;
use crate::view::{Epoch, Incarnation, View};

/// The last beats of all other nodes, members or not.
#[derive(Debug, Default)]
pub(super) struct Peers {
    heard: BTreeMap<Incarnation, Heard>,
    /// Nodes whose process has ended for certain.
    dead: BTreeSet<Incarnation>,
    /// When this node began to listen for the members of its view.
    listening_since: Instant,
}

#[derive(Debug)]
struct Heard {
    at: Instant,
    beat: Beat,
}

impl Peers {
    /// Takes a beat. False if a later one of its node has arrived, or its node is dead.
    pub(super) fn hear(&mut self, now: Instant, beat: Beat) -> bool {
        let node = beat.node.incarnation;
        let is_old = self.heard.get(&node).is_some_and(|last| last.beat.number >= beat.number);
        if is_old || self.dead.contains(&node) {
            return false;
        }
        self.heard.insert(node, Heard { at: now, beat });
        true
    }

    /// The node's process has ended.
    pub(super) fn certify_dead(&mut self, node: Incarnation) {
        self.dead.insert(node);
    }

    /// Whether a beat of the node has come, and was not forgotten.
    pub(super) fn has_heard(&self, node: Incarnation) -> bool {
        self.heard.contains_key(&node)
    }

    pub(super) fn dead(&self) -> impl Iterator<Item = Incarnation> {
        self.dead.iter().copied()
    }

    pub(super) fn is_dead(&self, node: Incarnation) -> bool {
        self.dead.contains(&node)
    }

    /// The view has changed. A member that was never heard is silent from now on.
    pub(super) fn view_changed(&mut self, now: Instant, view: &View) {
        self.listening_since = now;
        self.forget_dead(view);
    }

    /// Forgets dead nodes that are no members, and cannot become members by a beat that was heard.
    fn forget_dead(&mut self, view: &View) {
        let Self { dead, heard, .. } = self;
        dead.retain(|node| view.member(*node).is_some() || heard.contains_key(node));
    }

    /// Forgets nodes that are no members and have not been heard for long.
    pub(super) fn forget_silent(&mut self, now: Instant, view: Option<&View>) {
        let is_member = |node| view.is_some_and(|view| view.member(node).is_some());
        self.heard.retain(|node, heard| is_member(*node) || now < heard.at + SUSPECT);
        if let Some(view) = view {
            self.forget_dead(view);
        }
    }

    /// Whether a member has been silent for so long that it may be voted out.
    pub(super) fn is_silent(&self, now: Instant, node: Incarnation) -> bool {
        now >= self.silent_at(node)
    }

    /// The moment at which a member that stays silent may be voted out.
    pub(super) fn silent_at(&self, node: Incarnation) -> Instant {
        let last = self.heard.get(&node).map_or(self.listening_since, |heard| heard.at);
        last + SUSPECT
    }

    /// The last beat of a node, if it is not silent or dead.
    pub(super) fn beat(&self, now: Instant, node: Incarnation) -> Option<&Beat> {
        let heard = self.heard.get(&node)?;
        (now < heard.at + SUSPECT && !self.is_dead(node)).then_some(&heard.beat)
    }

    /// The last beat of a node, however old it is.
    pub(super) fn last(&self, node: Incarnation) -> Option<&Beat> {
        self.heard.get(&node).map(|heard| &heard.beat)
    }

    /// The epoch of that beat.
    pub(super) fn last_epoch(&self, node: Incarnation) -> Option<Epoch> {
        self.last(node)?.epoch
    }

    /// The next moment at which a member may be voted out, if none of them beats.
    pub(super) fn next_silence(&self, now: Instant, view: &View) -> Option<Instant> {
        let at = view.members().iter().map(|member| self.silent_at(member.incarnation));
        at.filter(|at| *at > now).min()
    }

    /// The last beats of all nodes that are not silent or dead, in the order of their incarnations.
    pub(super) fn beats(&self, now: Instant) -> impl Iterator<Item = &Beat> {
        self.heard.keys().filter_map(move |node| self.beat(now, *node))
    }

    /// The answers to the beats of all nodes but those that this node votes to remove.
    pub(super) fn echoes(&self, now: Instant, votes: &[Change]) -> Vec<Echo> {
        let is_granted = |beat: &&Beat| !votes.contains(&Change::Remove(beat.node.incarnation));
        let echo = |beat: &Beat| Echo { of: beat.node.incarnation, number: beat.number };
        self.beats(now).filter(is_granted).map(echo).collect()
    }
}
