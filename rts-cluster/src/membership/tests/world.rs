//! Nodes with a simulated bus and register, and faults of all of them.

mod bus;
mod due;
mod faults;
mod law;
mod register;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use rts_proto::Instant;

use crate::membership::{Membership, Revision};
use crate::node::{self, Input, Output};
use crate::testing::{cluster_name, member};
use crate::view::{Incarnation, Member, MemberState, View, ViewId};
use bus::Connections;
use due::Due;
pub(crate) use faults::Fault;

/// The time of a packet on the bus.
const DELAY_MS: u64 = 2;
/// The longest time of a packet on a disturbed bus.
const DISTURBED_DELAY_MS: u64 = 400;

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) node: node::Node,
    /// Views that it took, with the time from which it serves slots of removed members.
    views: Vec<(View, Instant)>,
    /// The views that its shards have served.
    served: BTreeSet<ViewId>,
    pub(crate) paused_until: Instant,
    is_connected: bool,
    wait: Instant,
    pub(crate) is_foreign: bool,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) nodes: BTreeMap<u64, Node>,
    pub(crate) register: Option<(Revision, View)>,
    /// The value before the last one, if the register may still lose the last one.
    before_last: Option<(Revision, View)>,
    last_revision: u64,
    /// The votes of the arbiter.
    pub(crate) votes: BTreeMap<ViewId, Incarnation>,
    register_down_until: Instant,
    /// Every view that the register had.
    pub(crate) history: Vec<View>,
    due: Vec<(Instant, Due)>,
    /// Nodes of one side of a partition.
    pub(crate) one_side: BTreeSet<u64>,
    pub(crate) partition_until: Instant,
    connections: Connections,
    /// Two nodes that do not hear each other.
    pub(crate) apart: Option<[u64; 2]>,
    lose_of_10: u64,
    /// A node that gets no packets but those for all.
    closed: Option<(u64, Instant)>,
    /// Packets that are doubled, and delayed by a time that others overtake.
    disturb_of_10: u64,
    /// The longest time after which the shards of a node serve its view.
    serve_late: Duration,
    /// The outputs of incarnations about entries.
    pub(crate) log: Vec<(Incarnation, Output)>,
    random: Rng,
    next_incarnation: u64,
    of_name: BTreeMap<u64, Vec<Incarnation>>,
    /// Incarnations whose process has ended.
    dead: BTreeSet<Incarnation>,
}

impl Node {
    pub(crate) fn membership(&self) -> &Membership {
        self.node.membership()
    }

    pub(crate) fn incarnation(&self) -> Incarnation {
        self.membership().own.incarnation
    }
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            now: Instant::from_millis(1),
            nodes: BTreeMap::new(),
            register: None,
            before_last: None,
            last_revision: 0,
            votes: BTreeMap::new(),
            register_down_until: Instant::ORIGIN,
            history: Vec::new(),
            due: Vec::new(),
            one_side: BTreeSet::new(),
            partition_until: Instant::ORIGIN,
            connections: Connections::default(),
            apart: None,
            lose_of_10: 0,
            closed: None,
            disturb_of_10: 0,
            serve_late: Duration::ZERO,
            log: Vec::new(),
            random: Rng::with_seed(seed),
            next_incarnation: 0,
            of_name: BTreeMap::new(),
            dead: BTreeSet::new(),
        }
    }

    /// Starts a node of this name, or starts it again.
    pub(crate) fn start(&mut self, name: u64) {
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
        self.connect(name);
    }

    /// Adds a node, which knows nothing.
    pub(crate) fn add(&mut self, name: u64, own: Member) {
        let node = Node {
            node: node::Node::new(cluster_name(), own, self.random.u64(..)),
            views: Vec::new(),
            served: BTreeSet::new(),
            paused_until: Instant::ORIGIN,
            is_connected: false,
            wait: self.now,
            is_foreign: false,
        };
        self.nodes.insert(name, node);
    }

    pub(crate) fn crash(&mut self, name: u64) {
        if let Some(node) = self.nodes.remove(&name) {
            self.dead.insert(node.incarnation());
        }
    }

    /// A node learns which incarnations are dead.
    pub(crate) fn certify(&mut self) {
        let Some(name) = self.nodes.keys().next().copied() else { return };
        for dead in self.dead.clone() {
            self.input(name, Input::Dead(dead));
        }
    }

    pub(crate) fn input(&mut self, name: u64, input: Input) {
        let Some(node) = self.nodes.get_mut(&name) else { return };
        node.node.handle(self.now, input);
        let (mut ended, mut is_unheard) = (false, false);
        let mut packets = Vec::new();
        loop {
            match node.node.poll() {
                Output::Send { to, packet } => packets.push((to, packet)),
                Output::Read(question) => {
                    self.due.push((self.now + ms(1), Due::Read { by: name, question }));
                }
                Output::Cas(question, expected, view) => {
                    self.due
                        .push((self.now + ms(1), Due::Cas { by: name, question, expected, view }));
                }
                Output::Vote { question, view, remove } => self
                    .due
                    .push((self.now + ms(1), Due::Vote { by: name, question, view, remove })),
                Output::View { view, serve_after } => {
                    let late = self.random.u64(..=self.serve_late.as_millis() as u64);
                    let (incarnation, reference) = (node.incarnation(), view.reference());
                    let serve = Due::Serve { by: name, incarnation, view: reference };
                    self.due.push((self.now + ms(late), serve));
                    node.views.push((view, serve_after));
                }
                Output::Lease(_) => {}
                Output::Ended(_) => ended = true,
                Output::Unheard => is_unheard = true,
                Output::Namesake(_) => {}
                Output::RegisterIsForeign => node.is_foreign = true,
                Output::Wait(until) => {
                    node.wait = until;
                    break;
                }
                about_entries @ (Output::Entries { .. }
                | Output::PeerGone { .. }
                | Output::NotSent { .. }
                | Output::Congested(..)) => self.log.push((node.incarnation(), about_entries)),
            }
        }
        packets.into_iter().for_each(|(to, packet)| self.send(name, to, &packet));
        if ended {
            // Its sessions have ended. The process starts anew.
            self.crash(name);
            self.start(name);
        } else if is_unheard {
            self.disconnect(name);
        }
    }

    /// Sends a packet to a node or to all others.
    fn send(&mut self, from: u64, to: Option<Incarnation>, packet: &Bytes) {
        let is_for = |node: &Node| to.is_none_or(|to| to == node.incarnation());
        let others = self.nodes.iter().filter(|(name, node)| **name != from && is_for(node));
        let others: Vec<u64> = others.map(|(name, _)| *name).collect();
        for name in others {
            let is_closed = |(of, until)| of == name && self.now < until;
            if to.is_some() && self.closed.is_some_and(is_closed) {
                continue;
            }
            let to = name;
            if self.random.u64(0..10) < self.lose_of_10 {
                continue;
            }
            let is_disturbed = self.random.u64(0..10) < self.disturb_of_10;
            for _ in 0..if is_disturbed { 2 } else { 1 } {
                let more = if is_disturbed { DISTURBED_DELAY_MS } else { 5 };
                let delay = ms(DELAY_MS + self.random.u64(0..more));
                let packet = packet.clone();
                self.due.push((self.now + delay, Due::Packet { from, to, packet }));
            }
        }
    }

    fn is_cut(&self, one: u64, other: u64) -> bool {
        let side = |name| self.one_side.contains(&name);
        let is_between = self.now < self.partition_until && side(one) != side(other);
        let are_apart =
            self.apart.is_some_and(|apart| apart.contains(&one) && apart.contains(&other));
        is_between || are_apart || self.is_off(one) || self.is_off(other)
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

    pub(crate) fn pass(&mut self, millis: u64) {
        let end = self.now + ms(millis);
        while self.step(end) {}
        self.now = end;
    }

    /// Ends all faults: every node that ever ran is there again.
    pub(crate) fn heal(&mut self) {
        self.partition_until = self.now;
        (self.register_down_until, self.closed) = (self.now, None);
        (self.lose_of_10, self.disturb_of_10) = (0, 0);
        self.serve_late = Duration::ZERO;
        for node in self.nodes.values_mut() {
            node.paused_until = node.paused_until.min(self.now);
        }
        self.bus_is_back();
        let names: Vec<u64> = self.of_name.keys().copied().collect();
        names.into_iter().for_each(|name| self.start(name));
    }

    /// Whether the running nodes are the members of one view, and all may act.
    pub(crate) fn is_whole(&self) -> bool {
        let Some((_, view)) = &self.register else { return self.nodes.is_empty() };
        view.members().len() == self.nodes.len()
            && self.nodes.values().all(|node| {
                let own = node.incarnation();
                node.node.view() == Some(view)
                    && node.node.may_act(self.now)
                    && view.member(own).is_some_and(|own| own.state == MemberState::Up)
            })
    }

    pub(crate) fn pass_until_frozen(&mut self, name: u64) {
        while self.acting().contains(&name) {
            self.pass(10);
        }
    }

    /// The number of incarnations that there were, which is the last one of them.
    pub(crate) fn incarnations(&self) -> u64 {
        self.next_incarnation
    }

    /// The number of members in the register.
    pub(crate) fn members(&self) -> usize {
        self.register.as_ref().map_or(0, |(_, view)| view.members().len())
    }

    pub(crate) fn acting(&self) -> Vec<u64> {
        let acts = |node: &Node| node.node.may_act(self.now);
        self.nodes.iter().filter(|(_, node)| acts(node)).map(|(name, _)| *name).collect()
    }
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl World {
    /// The state of all nodes in a few lines, for failures.
    pub(crate) fn summary(&self) -> String {
        let mut lines = vec![format!("{}: register {:?}", self.now, self.register)];
        for (name, node) in &self.nodes {
            let membership = node.membership();
            lines.push(format!(
                "n{name} is {:?} in {:?}, settled {}, acts {}, wishes {:?}, votes {:?}, knows dead {:?}",
                membership.own.incarnation,
                membership.view_ref(),
                membership.is_settled(),
                membership.may_act(self.now),
                membership.wish,
                membership.votes.all(),
                membership.peers.dead_of_beat(0),
            ));
        }
        lines.join("\n")
    }
}
