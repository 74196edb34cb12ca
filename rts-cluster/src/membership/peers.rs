//! What a node has heard of the others.

use std::collections::BTreeMap;

use rts_proto::Instant;

use super::beat::{Beat, Change, Echo};
use super::contact::Contact;
use crate::limits::{BEAT_LIST_MAX, LEASE, SUSPECT};
use crate::planted::planted;
use crate::view::{Incarnation, View, ViewRef};

/// The last beats of all other nodes, members or not.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Peers {
    heard: BTreeMap<Incarnation, Heard>,
    /// Nodes whose process has ended for certain, and when this node learned it.
    dead: BTreeMap<Incarnation, Instant>,
    /// Members that acknowledge no entries, and since when this node grants them nothing for that.
    stalled: BTreeMap<Incarnation, Instant>,
    /// When this node began to listen for the members of its view.
    listening_since: Instant,
}

#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct Heard {
    at: Instant,
    beat: Beat,
}

impl Peers {
    /// Takes a beat. False if a later one of its node has arrived, or its node is dead.
    pub(super) fn hear(&mut self, now: Instant, beat: Beat) -> bool {
        let node = beat.node.incarnation;
        let is_old = self.heard.get(&node).is_some_and(|last| last.beat.number >= beat.number);
        if is_old || self.dead.contains_key(&node) {
            return false;
        }
        self.heard.insert(node, Heard { at: now, beat });
        true
    }

    /// The node's process has ended.
    pub(super) fn certify_dead(&mut self, now: Instant, node: Incarnation) {
        self.dead.entry(node).or_insert(now);
    }

    /// Whether a beat of the node has come, and was not forgotten.
    pub(super) fn has_heard(&self, node: Incarnation) -> bool {
        self.heard.contains_key(&node)
    }

    /// When the last beat of a node has come, if that was not forgotten.
    pub(super) fn heard_at(&self, node: Incarnation) -> Option<Instant> {
        self.heard.get(&node).map(|heard| heard.at)
    }

    /// The dead nodes that a beat names. A node that has started often before it became a member
    /// knows more of them than a beat may have. Its beats take turns.
    pub(super) fn dead_of_beat(&self, number: u64) -> Vec<Incarnation> {
        let all: Vec<Incarnation> = self.dead.keys().copied().collect();
        if all.len() <= BEAT_LIST_MAX {
            return all;
        }
        let first = number as usize % all.len() * BEAT_LIST_MAX % all.len();
        all.iter().copied().cycle().skip(first).take(BEAT_LIST_MAX).collect()
    }

    pub(super) fn is_dead(&self, node: Incarnation) -> bool {
        self.dead.contains_key(&node)
    }

    /// Whether the process of a node has ended for certain, and so long ago that the leases that it
    /// has granted have ended too.
    pub(super) fn is_over(&self, now: Instant, node: Incarnation) -> bool {
        self.dead.get(&node).is_some_and(|since| *since + LEASE <= now)
    }

    /// The view has changed. A member that was never heard is silent from now on.
    pub(super) fn view_changed(&mut self, now: Instant, view: &View) {
        self.listening_since = now;
        self.stalled.retain(|node, _| view.member(*node).is_some());
        self.forget_dead(view);
    }

    /// Forgets dead nodes that are no members, and cannot become members by a beat that was heard.
    fn forget_dead(&mut self, view: &View) {
        let Self { dead, heard, .. } = self;
        dead.retain(|node, _| view.member(*node).is_some() || heard.contains_key(node));
    }

    /// Forgets nodes that are no members and have not been heard for long.
    pub(super) fn forget_silent(&mut self, now: Instant, view: Option<&View>) {
        let is_member = |node| view.is_some_and(|view| view.member(node).is_some());
        self.heard.retain(|node, heard| is_member(*node) || now < heard.at + SUSPECT);
        if let Some(view) = view {
            self.forget_dead(view);
        }
    }

    /// A member acknowledges no entries.
    pub(super) fn stalled(&mut self, now: Instant, node: Incarnation) {
        self.stalled.entry(node).or_insert(now);
    }

    /// A member acknowledges entries again.
    pub(super) fn moved(&mut self, node: Incarnation) {
        self.stalled.remove(&node);
    }

    /// Whether a member may be voted out: it is dead, or has got no grants for so long that its
    /// lease has ended, because it was silent or stalled.
    pub(super) fn may_go(&self, now: Instant, node: Incarnation, contact: &Contact) -> bool {
        let is_stalled =
            self.stalled.get(&node).is_some_and(|since| contact.shows_stall(now, *since));
        is_stalled || self.is_dead(node) || contact.shows_silence(now, self.silent_since(node))
    }

    /// The moment since which a member was not heard.
    fn silent_since(&self, node: Incarnation) -> Instant {
        self.heard_at(node).unwrap_or(self.listening_since)
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

    /// The view of that beat.
    pub(super) fn last_view(&self, node: Incarnation) -> Option<ViewRef> {
        self.last(node)?.view
    }

    /// The last beats of all nodes, however old they are.
    pub(super) fn all_last(&self) -> impl Iterator<Item = &Beat> {
        self.heard.values().map(|heard| &heard.beat)
    }

    /// The next moment at which a member may be voted out, if none of them beats.
    pub(super) fn next_silence(
        &self,
        now: Instant,
        view: &View,
        contact: &Contact,
    ) -> Option<Instant> {
        let silent_since = |node| contact.counts_from(self.silent_since(node));
        let at = view.members().iter().map(|member| silent_since(member.incarnation) + SUSPECT);
        at.filter(|at| *at > now).min()
    }

    /// The last beats of all nodes that are not silent or dead, in the order of their incarnations.
    pub(super) fn beats(&self, now: Instant) -> impl Iterator<Item = &Beat> {
        self.heard.keys().filter_map(move |node| self.beat(now, *node))
    }

    /// The answers to the beats of all nodes but those that have stalled or that this node votes to
    /// remove. Those to members come first. Those to strangers have the space that is left.
    pub(super) fn echoes(&self, now: Instant, view: Option<&View>, votes: &[Change]) -> Vec<Echo> {
        let is_granted = |beat: &&Beat| {
            let node = beat.node.incarnation;
            let promised = !planted!(VoteWithoutPromise) && votes.contains(&Change::Remove(node));
            !self.stalled.contains_key(&node) && !promised
        };
        let echo = |beat: &Beat| Echo { of: beat.node.incarnation, number: beat.number };
        let is_member = |node| view.is_some_and(|view| view.member(node).is_some());
        let mut echoes: Vec<Echo> = self.beats(now).filter(is_granted).map(echo).collect();
        echoes.sort_by_key(|echo| !is_member(echo.of));
        echoes.truncate(BEAT_LIST_MAX);
        echoes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{beat, member};
    use crate::view::ViewId;

    #[test]
    fn member_that_stalls_gets_no_answer_while_it_is_a_member() {
        let (now, own, other) = (Instant::ORIGIN, member("a", 1), member("b", 2));
        let view = View::first(ViewId(1), 7, vec![own.clone(), other.clone()]);
        let view = view.expect("a valid view");
        let mut peers = Peers::default();
        peers.hear(now, beat(other.clone()));
        peers.stalled(now, other.incarnation);
        assert_eq!(peers.echoes(now, Some(&view), &[]), []);
        peers.view_changed(now, &view);
        assert_eq!(peers.echoes(now, Some(&view), &[]), []);
        let alone = view.next(ViewId(2), vec![own]).expect("a valid view");
        peers.view_changed(now, &alone);
        assert_eq!(peers.echoes(now, Some(&alone), &[]).len(), 1);
    }
}
