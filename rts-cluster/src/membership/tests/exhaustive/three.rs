//! Three nodes, in rounds. All clocks run alike.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use rts_proto::Instant;

use crate::membership::{Beat, CasResult, Input, Membership, Output, Revision};
use crate::testing::member;
use crate::view::{Incarnation, View, ViewId};

/// The time between two rounds: the longest one after which a node still counts as heard.
const ROUND: Duration = crate::limits::UNHEARD;
/// The same while the nodes form their first view.
const FIRST_ROUND: Duration = Duration::from_millis(250);
pub(super) const NODES: usize = 3;

/// What becomes of what one node sends another one in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Way {
    Prompt,
    /// It arrives in the next round.
    Late,
    Lost,
}

/// What the register does in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum OfRegister {
    Answers,
    /// It does what it is asked to, but the answer to a change is lost.
    AnswersAreLost,
    Away,
}

/// What happens in a round, beside what the nodes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Round {
    /// By sender and receiver.
    pub(super) ways: [[Way; NODES]; NODES],
    /// A node that does nothing. What comes to it waits.
    pub(super) paused: Option<usize>,
    pub(super) register: OfRegister,
    /// A node that gets the certificate of the former life of the last node.
    pub(super) certified: Option<usize>,
}

impl Round {
    pub(super) const QUIET: Self = Self {
        ways: [[Way::Prompt; NODES]; NODES],
        paused: None,
        register: OfRegister::Answers,
        certified: None,
    };
}

#[derive(Clone, Debug)]
pub(super) struct Three {
    now: Instant,
    rounds: u64,
    nodes: [Membership; NODES],
    /// When each node serves the slots of the last removed one.
    serve_after: [Instant; NODES],
    /// By sender and receiver: beats, with the rounds in which they were sent.
    under_way: [[Vec<(u64, Beat)>; NODES]; NODES],
    register: Option<(Revision, View)>,
    votes: BTreeMap<ViewId, Incarnation>,
    fault: Option<String>,
}

impl Three {
    /// Three nodes that have formed a view, and act.
    pub(super) fn formed() -> Self {
        let of = |node: usize| member(&format!("n{node}"), node as u64 + 1);
        let nodes = std::array::from_fn(|node| Membership::new(of(node), node as u64 + 1));
        let mut three = Self {
            now: Instant::from_millis(1),
            rounds: 0,
            nodes,
            serve_after: [Instant::ORIGIN; NODES],
            under_way: Default::default(),
            register: None,
            votes: BTreeMap::new(),
            fault: None,
        };
        (0..NODES).for_each(|node| three.input(node, Input::Bus(true), Round::QUIET));
        three.pass_until_whole();
        three
    }

    /// The same after the last node has crashed and come back. The others have not learnt that it
    /// had ended.
    pub(super) fn with_a_restarted_node() -> Self {
        let mut three = Self::formed();
        let last = NODES - 1;
        three.nodes[last] = Membership::new(member("n2", 4), 4);
        three.input(last, Input::Bus(true), Round::QUIET);
        three.pass_until_whole();
        three
    }

    fn pass_until_whole(&mut self) {
        let is_whole = |three: &Self| {
            let acts = |node: &Membership| node.may_act(three.now);
            three.members() == NODES && three.nodes.iter().all(acts)
        };
        for _ in 0..200 {
            self.pass(FIRST_ROUND, Round::QUIET);
            if is_whole(self) {
                return;
            }
        }
        panic!("they form no view: {self:?}");
    }

    /// The number of members in the register.
    pub(super) fn members(&self) -> usize {
        self.register.as_ref().map_or(0, |(_, view)| view.members().len())
    }

    /// Whether a member may not act.
    pub(super) fn has_frozen_member(&self) -> bool {
        let is_member = |node: &Membership| {
            let view = self.register.as_ref().map(|(_, view)| view);
            view.is_some_and(|view| view.member(node.own.incarnation).is_some())
        };
        self.nodes.iter().any(|node| is_member(node) && !node.may_act(self.now))
    }

    /// Who acts although it was removed.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Identifies the state of all nodes, and of all that is under way.
    pub(super) fn key(&self) -> u64 {
        struct Text(DefaultHasher);
        impl Write for Text {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0.write(text.as_bytes());
                Ok(())
            }
        }
        let mut text = Text(DefaultHasher::new());
        write!(text, "{self:?}").expect("it takes all text");
        text.0.finish()
    }

    pub(super) fn round(&mut self, round: Round) {
        self.pass(ROUND, round);
    }

    /// Time passes, and each node notices it. Then it gets what was late, and then what is prompt.
    fn pass(&mut self, time: Duration, round: Round) {
        self.now = self.now + time;
        self.rounds += 1;
        for node in (0..NODES).filter(|node| round.paused != Some(*node)) {
            self.input(node, Input::Tick, round);
            if round.certified == Some(node) {
                self.input(node, Input::Dead(Incarnation(NODES as u64)), round);
            }
        }
        while let Some((to, beat)) = self.next_arrival(round) {
            self.input(to, Input::Beat(beat), round);
        }
    }

    fn next_arrival(&mut self, round: Round) -> Option<(usize, Beat)> {
        let pairs = (0..NODES).flat_map(|from| (0..NODES).map(move |to| (from, to)));
        for (from, to) in pairs.filter(|(_, to)| round.paused != Some(*to)) {
            let arrives = |sent: u64| sent < self.rounds || round.ways[from][to] == Way::Prompt;
            let beats = &mut self.under_way[from][to];
            if beats.first().is_some_and(|(sent, _)| arrives(*sent)) {
                return Some((to, beats.remove(0).1));
            }
        }
        None
    }

    fn input(&mut self, to: usize, input: Input, round: Round) {
        self.nodes[to].handle(self.now, input);
        loop {
            let answer = match self.nodes[to].poll() {
                Output::Beat(beat) => {
                    self.send(to, &beat, round);
                    continue;
                }
                Output::Read(question) => match round.register {
                    OfRegister::Away => Input::ReadFailed(question),
                    _ => Input::Read(question, self.register.clone()),
                },
                Output::Cas(question, expected, view) => {
                    let result = match round.register {
                        OfRegister::Away => CasResult::Unknown,
                        _ => self.set(expected, view),
                    };
                    let is_lost = round.register == OfRegister::AnswersAreLost;
                    Input::Cas(question, if is_lost { CasResult::Unknown } else { result })
                }
                Output::Vote { question, view, remove } => {
                    let is_there = round.register != OfRegister::Away;
                    let vote = is_there.then(|| *self.votes.entry(view).or_insert(remove));
                    Input::Voted(question, vote)
                }
                Output::View { view, serve_after } => {
                    self.serve_after[to] = serve_after;
                    Input::Served(view.epoch())
                }
                Output::Wait(_) => break,
                Output::Lease(_) | Output::Ended(_) | Output::RegisterIsForeign => continue,
            };
            self.nodes[to].handle(self.now, answer);
        }
        self.check();
    }

    fn send(&mut self, from: usize, beat: &Beat, round: Round) {
        for to in (0..NODES).filter(|to| *to != from && round.ways[from][*to] != Way::Lost) {
            self.under_way[from][to].push((self.rounds, beat.clone()));
        }
    }

    fn set(&mut self, expected: Option<Revision>, view: View) -> CasResult {
        let present = self.register.as_ref().map(|(revision, _)| *revision);
        if present != expected {
            return CasResult::Conflict;
        }
        for node in &self.nodes {
            let is_removed = view.member(node.own.incarnation).is_none();
            let is_in_last = node.view().is_some_and(|held| Some(held.id()) == view.parent());
            if is_removed && is_in_last && node.may_act(self.now) {
                self.fault = Some(format!("{:?} is removed while it may act", node.own));
            }
        }
        self.register = Some((Revision(present.map_or(1, |last| last.0 + 1)), view));
        CasResult::Done
    }

    /// Nobody serves what a removed node may still serve.
    fn check(&mut self) {
        let acts = |node: &&Membership| node.may_act(self.now);
        for (node, serve_after) in self.nodes.iter().zip(self.serve_after) {
            let Some(view) = node.view().filter(|_| acts(&node) && serve_after <= self.now) else {
                continue;
            };
            for other in self.nodes.iter().filter(acts) {
                let is_older = other.view().is_some_and(|of| of.epoch() < view.epoch());
                if is_older && view.member(other.own.incarnation).is_none() {
                    self.fault = Some(format!("{:?} acts in place of {:?}", node.own, other.own));
                }
            }
        }
    }
}
