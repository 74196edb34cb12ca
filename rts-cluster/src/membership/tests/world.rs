//! Nodes with a simulated bus and register, and faults of all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use rts_proto::Instant;

use crate::membership::{Beat, CasResult, Input, Membership, Output, Question, Revision, Wish};
use crate::testing::member;
use crate::view::{Incarnation, Member, MemberState, View};

/// The time of a beat on the bus.
const DELAY_MS: u64 = 2;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) membership: Membership,
    /// Views that it took, with the time from which it serves slots of removed members.
    views: Vec<(View, Instant)>,
    paused_until: Instant,
    wait: Instant,
    pub(super) is_foreign: bool,
}

/// Something under way.
#[derive(Clone, Debug)]
enum Due {
    Beat { from: u64, to: u64, beat: Beat },
    Read { by: u64, question: Question },
    Cas { by: u64, question: Question, expected: Option<Revision>, view: View },
    Answer { to: u64, input: Input },
}

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) nodes: BTreeMap<u64, Node>,
    pub(super) register: Option<(Revision, View)>,
    register_down_until: Instant,
    /// Every view that the register had.
    pub(super) history: Vec<View>,
    due: Vec<(Instant, Due)>,
    /// Nodes of one side of a partition.
    pub(super) one_side: BTreeSet<u64>,
    pub(super) partition_until: Instant,
    lose_beats_of_10: u64,
    random: Rng,
    next_incarnation: u64,
    of_name: BTreeMap<u64, Vec<Incarnation>>,
    /// Incarnations whose process has ended.
    dead: BTreeSet<Incarnation>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now: Instant::from_millis(1),
            nodes: BTreeMap::new(),
            register: None,
            register_down_until: Instant::ORIGIN,
            history: Vec::new(),
            due: Vec::new(),
            one_side: BTreeSet::new(),
            partition_until: Instant::ORIGIN,
            lose_beats_of_10: 0,
            random: Rng::with_seed(seed),
            next_incarnation: 0,
            of_name: BTreeMap::new(),
            dead: BTreeSet::new(),
        }
    }

    /// Starts a node of this name, or starts it again.
    pub(super) fn start(&mut self, name: u64) {
        if self.nodes.contains_key(&name) {
            return;
        }
        self.next_incarnation += 1;
        let of_name = self.of_name.entry(name).or_default();
        let before = of_name.clone();
        of_name.push(Incarnation(self.next_incarnation));
        let own = member(&format!("n{name}"), self.next_incarnation);
        self.add(name, own);
        // The lock of its state directory shows that its predecessors have ended.
        before.into_iter().for_each(|before| self.input(name, Input::Dead(before)));
        self.input(name, Input::Tick);
    }

    /// Adds a node, which knows nothing.
    pub(super) fn add(&mut self, name: u64, own: Member) {
        let node = Node {
            membership: Membership::new(own, self.random.u64(..)),
            views: Vec::new(),
            paused_until: Instant::ORIGIN,
            wait: self.now,
            is_foreign: false,
        };
        self.nodes.insert(name, node);
    }

    pub(super) fn crash(&mut self, name: u64) {
        if let Some(node) = self.nodes.remove(&name) {
            self.dead.insert(node.membership.own.incarnation);
        }
    }

    /// A node learns which incarnations are dead.
    pub(super) fn certify(&mut self) {
        let Some(name) = self.nodes.keys().next().copied() else { return };
        for dead in self.dead.clone() {
            self.input(name, Input::Dead(dead));
        }
    }

    pub(super) fn input(&mut self, name: u64, input: Input) {
        let Some(node) = self.nodes.get_mut(&name) else { return };
        node.membership.handle(self.now, input);
        let mut ended = false;
        let mut later = Vec::new();
        loop {
            match node.membership.poll() {
                Output::Beat(beat) => later.push(beat),
                Output::Read(question) => {
                    self.due.push((self.now + ms(1), Due::Read { by: name, question }));
                }
                Output::Cas(question, expected, view) => {
                    self.due
                        .push((self.now + ms(1), Due::Cas { by: name, question, expected, view }));
                }
                Output::View { view, serve_after } => node.views.push((view, serve_after)),
                Output::Lease(_) => {}
                Output::Ended(_) => ended = true,
                Output::RegisterIsForeign => node.is_foreign = true,
                Output::Wait(until) => {
                    node.wait = until;
                    break;
                }
            }
        }
        for beat in later {
            self.broadcast(name, &beat);
        }
        if ended {
            // Its sessions have ended. The process starts anew.
            self.crash(name);
            self.start(name);
        }
    }

    fn broadcast(&mut self, from: u64, beat: &Beat) {
        let others: Vec<u64> = self.nodes.keys().copied().filter(|to| *to != from).collect();
        for to in others {
            if self.random.u64(0..10) < self.lose_beats_of_10 {
                continue;
            }
            let delay = ms(DELAY_MS + self.random.u64(0..5));
            self.due.push((self.now + delay, Due::Beat { from, to, beat: beat.clone() }));
        }
    }

    fn is_cut(&self, one: u64, other: u64) -> bool {
        let side = |name| self.one_side.contains(&name);
        self.now < self.partition_until && side(one) != side(other)
    }

    /// Handles the next event before `end`. Returns whether there was one.
    fn step(&mut self, end: Instant) -> bool {
        let awake = self.nodes.values().map(|node| node.wait.max(node.paused_until));
        let next = self.due.iter().map(|(at, _)| *at).chain(awake).min();
        let Some(next) = next.filter(|next| *next < end) else { return false };
        self.now = self.now.max(next);
        let index = self.due.iter().position(|(at, _)| *at <= self.now);
        if let Some(index) = index {
            let (_, due) = self.due.swap_remove(index);
            self.happen(due);
        } else {
            let is_due = |node: &Node| node.wait.max(node.paused_until) <= self.now;
            let name = self.nodes.iter().find(|(_, node)| is_due(node)).map(|(name, _)| *name);
            self.input(name.expect("one of them"), Input::Tick);
        }
        self.check();
        true
    }

    fn happen(&mut self, due: Due) {
        let (now, to) = (
            self.now,
            match &due {
                Due::Beat { to, .. } => *to,
                Due::Answer { to, .. } => *to,
                Due::Read { by, .. } | Due::Cas { by, .. } => *by,
            },
        );
        let Some(node) = self.nodes.get(&to) else { return };
        match due {
            // What comes to a node that is paused waits for it.
            Due::Beat { .. } | Due::Answer { .. } if now < node.paused_until => {
                self.due.push((node.paused_until, due));
            }
            Due::Beat { from, beat, .. } => {
                if !self.is_cut(from, to) {
                    self.input(to, Input::Beat(beat));
                }
            }
            Due::Answer { input, .. } => self.input(to, input),
            Due::Read { by, question } => {
                let input = match now < self.register_down_until {
                    true => Input::ReadFailed(question),
                    false => Input::Read(question, self.register.clone()),
                };
                self.due.push((now + ms(1), Due::Answer { to: by, input }));
            }
            Due::Cas { by, question, expected, view } => {
                let result = self.set(expected, view);
                self.due.push((
                    now + ms(1),
                    Due::Answer { to: by, input: Input::Cas(question, result) },
                ));
            }
        }
    }

    /// While the register is down, half of what it is asked to set is set, and nobody knows.
    fn set(&mut self, expected: Option<Revision>, view: View) -> CasResult {
        let is_down = self.now < self.register_down_until;
        if is_down && self.random.bool() {
            return CasResult::Unknown;
        }
        let revision = self.register.as_ref().map(|(revision, _)| *revision);
        let is_expected = revision == expected;
        if is_expected {
            let next = Revision(revision.map_or(1, |revision| revision.0 + 1));
            self.history.push(view.clone());
            self.register = Some((next, view));
        }
        match (is_down, is_expected) {
            (true, _) => CasResult::Unknown,
            (false, true) => CasResult::Done,
            (false, false) => CasResult::Conflict,
        }
    }

    /// Nobody serves what a removed node may still serve, and all agree on every view.
    fn check(&self) {
        let acts = |node: &Node| self.now >= node.paused_until && node.membership.may_act(self.now);
        for (name, node) in self.nodes.iter().filter(|(_, node)| acts(node)) {
            let (view, serve_after) = node.views.last().expect("it is a member");
            for (other_name, other) in self.nodes.iter().filter(|(_, other)| acts(other)) {
                let of_other = other.membership.view().expect("it is a member");
                if view.epoch() == of_other.epoch() {
                    assert_eq!(view.id(), of_other.id(), "one view of an epoch");
                }
                let incarnation = other.membership.own.incarnation;
                let was_removed =
                    view.epoch() > of_other.epoch() && view.member(incarnation).is_none();
                assert!(
                    !was_removed || self.now < *serve_after,
                    "at {} n{name} serves for n{other_name}, which still acts",
                    self.now
                );
            }
        }
    }

    pub(super) fn pass(&mut self, millis: u64) {
        let end = self.now + ms(millis);
        while self.step(end) {}
        self.now = end;
    }

    /// Ends all faults: every node that ever ran is there again.
    pub(super) fn heal(&mut self) {
        self.partition_until = self.now;
        self.register_down_until = self.now;
        self.lose_beats_of_10 = 0;
        for node in self.nodes.values_mut() {
            node.paused_until = node.paused_until.min(self.now);
        }
        let names: Vec<u64> = self.of_name.keys().copied().collect();
        names.into_iter().for_each(|name| self.start(name));
    }

    /// Whether the running nodes are the members of one view, and all may act.
    pub(super) fn is_whole(&self) -> bool {
        let Some((_, view)) = &self.register else { return self.nodes.is_empty() };
        view.members().len() == self.nodes.len()
            && self.nodes.values().all(|node| {
                let own = node.membership.own.incarnation;
                node.membership.view() == Some(view)
                    && node.membership.may_act(self.now)
                    && view.member(own).is_some_and(|own| own.state == MemberState::Up)
            })
    }

    pub(super) fn pass_until_frozen(&mut self, name: u64) {
        while self.acting().contains(&name) {
            self.pass(10);
        }
    }

    /// The number of members in the register.
    pub(super) fn members(&self) -> usize {
        self.register.as_ref().map_or(0, |(_, view)| view.members().len())
    }

    pub(super) fn acting(&self) -> Vec<u64> {
        let acts = |node: &Node| node.membership.may_act(self.now);
        self.nodes.iter().filter(|(_, node)| acts(node)).map(|(name, _)| *name).collect()
    }
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A fault, or the end of one.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    Start(u64),
    Crash { node: u64, is_certified: bool },
    Pause { node: u64, ms: u64 },
    Partition { one_side: BTreeSet<u64>, ms: u64 },
    RegisterDown { ms: u64 },
    Lose { of_10: u64 },
    Leave(u64),
}

impl World {
    pub(super) fn break_it(&mut self, fault: Fault) {
        let now = self.now;
        match fault {
            Fault::Start(node) => self.start(node),
            Fault::Crash { node, is_certified } => {
                self.crash(node);
                if is_certified {
                    self.certify();
                }
            }
            Fault::Pause { node, ms: millis } => {
                if let Some(node) = self.nodes.get_mut(&node) {
                    node.paused_until = now + ms(millis);
                }
            }
            Fault::Partition { one_side, ms: millis } => {
                (self.one_side, self.partition_until) = (one_side, now + ms(millis));
            }
            Fault::RegisterDown { ms: millis } => self.register_down_until = now + ms(millis),
            Fault::Lose { of_10 } => self.lose_beats_of_10 = of_10,
            Fault::Leave(node) => self.input(node, Input::Wish(Wish::Leave)),
        }
    }
}

impl World {
    /// The state of all nodes in a few lines, for failures.
    pub(super) fn summary(&self) -> String {
        let mut lines = vec![format!("{}: register {:?}", self.now, self.register)];
        for (name, node) in &self.nodes {
            let membership = &node.membership;
            lines.push(format!(
                "n{name} is {:?} in {:?}, acts {}, wishes {:?}, votes {:?}, knows dead {:?}",
                membership.own.incarnation,
                membership.view().map(View::epoch),
                membership.may_act(self.now),
                membership.wish,
                membership.votes.all(),
                membership.peers.dead().collect::<Vec<_>>(),
            ));
        }
        lines.join("\n")
    }
}
