//! The task of a node: it carries what the node wants to the bus, the arbiter and the shards, and
//! back what happens there.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rts_cluster::limits::FROZEN_MAX;
use rts_cluster::membership::{CasResult, Ended, Question, Revision, Wish};
use rts_cluster::node::{Dropped, Input, Node, Output, TrunkFigures};
use rts_cluster::trunk;
use rts_cluster::view::{Epoch, Incarnation, View};
use rts_cluster::wire::{Kind, Packet};
use rts_proto::Instant;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant as Moment;

use super::arbiter::Arbiter;
use super::bus::{Bus, BusEvent, To};
use super::clock::ClusterClock;
use super::event::NodeEvent;
use super::life::Life;
use super::status::NodeStatus;

/// Orders that are taken together, so that their entries share packets.
const ORDERS_OF_TURN: usize = 256;
/// About 30 years. The clock of the system cannot count to the end of time.
const FAR: Duration = Duration::from_secs(1_000_000_000);

/// The time without a lease that the log reports.
const FROZEN_IS_NEWS: Duration = Duration::from_secs(2);

/// The difference of two clocks that the log reports.
const CLOCK_IS_NEWS: Duration = Duration::from_secs(10);

/// What the server wants of the node.
#[derive(Debug)]
pub(super) enum Order {
    Wish(Wish),
    Served(Epoch),
    Send { to: Incarnation, pieces: Vec<Bytes> },
    Figures(oneshot::Sender<Figures>),
}

/// What a node has sent and received, at a moment.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// The trunks to all other members.
    pub trunks: Vec<TrunkFigures>,
    /// What was dropped since the node began.
    pub dropped: Dropped,
}

/// The shards of the node.
pub(super) struct Shards {
    pub(super) on_event: Box<dyn FnMut(NodeEvent) + Send>,
    pub(super) keeps_up: Box<dyn Fn() -> bool + Send>,
}

pub(super) struct Driver<B, A: Arbiter> {
    node: Node,
    clock: Arc<ClusterClock>,
    life: Life,
    bus: B,
    arbiter: Arc<A>,
    question: Option<Asked<A::Error>>,
    shards: Shards,
    report: watch::Sender<NodeStatus>,
    /// The node leaves when the others have all its entries.
    is_leaving: bool,
    /// The end of the lease that the shards know.
    acts_until: Option<Instant>,
    /// Since when the node has no lease, until the log tells it.
    frozen_since: Option<Moment>,
    origin: Moment,
}

/// How a question to the register ended.
enum Answer<E> {
    Read(Question, Result<Option<(Revision, View)>, E>),
    Cas(Question, CasResult),
    Vote(Question, Option<Incarnation>),
}

type Asked<E> = Pin<Box<dyn Future<Output = Answer<E>> + Send>>;

impl<B: Bus, A: Arbiter> Driver<B, A> {
    pub(super) fn new(
        node: Node,
        clock: Arc<ClusterClock>,
        life: Life,
        bus: B,
        arbiter: A,
        shards: Shards,
        report: watch::Sender<NodeStatus>,
    ) -> Self {
        Self {
            node,
            clock,
            life,
            bus,
            arbiter: Arc::new(arbiter),
            question: None,
            shards,
            report,
            is_leaving: false,
            acts_until: None,
            frozen_since: None,
            origin: Moment::now(),
        }
    }

    pub(super) async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) -> (Ended, Life) {
        self.handle(Input::Tick);
        let why = loop {
            let until = match self.act() {
                Outcome::Ended(why) => break why,
                Outcome::Wait(until) => until,
            };
            tokio::select! {
                event = self.bus.next() => self.on_bus(event),
                answer = answered(&mut self.question) => {
                    self.question = None;
                    self.on_answer(answer);
                }
                Some(order) = orders.recv() => {
                    self.on_order(order);
                    for _ in 1..ORDERS_OF_TURN {
                        let Ok(order) = orders.try_recv() else { break };
                        self.on_order(order);
                    }
                }
                () = tokio::time::sleep_until(until) => self.handle(Input::Tick),
            }
            if self.is_leaving && self.node.is_acknowledged() {
                self.handle(Input::Wish(Wish::Leave));
            }
        };
        (why, self.life)
    }

    fn handle(&mut self, input: Input) {
        let now = Instant::ORIGIN + self.origin.elapsed();
        self.node.set_clock(self.clock.now());
        self.node.handle(now, input);
        if let Some(clock) = self.node.take_heard_clock() {
            self.on_clock(clock);
        }
    }

    /// Another node has this time.
    fn on_clock(&mut self, clock: u64) {
        let before = self.report.borrow().clock_behind;
        let Some(behind) = self.clock.heard(clock) else { return };
        if behind < before + CLOCK_IS_NEWS {
            return;
        }
        let seconds = behind.as_secs();
        tracing::warn!(
            "the clock of this node is {seconds} s behind that of another one: set both right, or \
             tokens are refused or expire at the wrong time"
        );
        self.report.send_modify(|status| status.clock_behind = behind);
    }

    /// A moment of the clock of the node. The end of time is some years ahead.
    fn moment(&self, at: Instant) -> Moment {
        self.origin + at.since(Instant::ORIGIN).min(FAR)
    }

    /// Does all that the node wants.
    fn act(&mut self) -> Outcome {
        self.renew_lease();
        self.report_freeze();
        loop {
            match self.node.poll() {
                Output::Send { to, packet } => {
                    // What is not sent is sent again: entries by the trunk, a beat by the next one.
                    let _ = self.bus.send(to.map_or(To::All, To::Node), packet);
                }
                Output::Read(question) => {
                    let arbiter = self.arbiter.clone();
                    // The node has given up the question before this one.
                    self.question =
                        Some(Box::pin(async move { Answer::Read(question, arbiter.read().await) }));
                }
                Output::Cas(question, expected, view) => {
                    let arbiter = self.arbiter.clone();
                    self.question = Some(Box::pin(async move {
                        Answer::Cas(question, arbiter.cas(expected, view).await)
                    }));
                }
                Output::Vote { question, view, remove } => {
                    let arbiter = self.arbiter.clone();
                    self.question = Some(Box::pin(async move {
                        Answer::Vote(question, arbiter.vote(view, remove).await)
                    }));
                }
                Output::Entries { from, route, piece } => {
                    (self.shards.on_event)(NodeEvent::Entries { from, route, piece });
                }
                Output::View { view, serve_after } => self.on_view(view, serve_after),
                Output::PeerGone { node, given_back } => {
                    (self.shards.on_event)(NodeEvent::PeerGone { node, given_back });
                }
                Output::NotSent { to, pieces } => {
                    (self.shards.on_event)(NodeEvent::NotSent { to, pieces });
                }
                Output::Congested(node, is_congested) => {
                    (self.shards.on_event)(NodeEvent::Congested { node, is_congested });
                }
                Output::Lease(may_act) => self.on_lease(may_act),
                Output::RegisterIsForeign => self.on_foreign_register(),
                Output::Unheard => self.bus.reconnect(),
                Output::Namesake(other) => self.on_namesake(other),
                Output::Ended(why) => return Outcome::Ended(why),
                Output::Wait(until) => return Outcome::Wait(self.moment(until)),
            }
        }
    }

    fn on_order(&mut self, order: Order) {
        match order {
            Order::Wish(wish) => {
                self.is_leaving = wish == Wish::Leave;
                if !self.is_leaving {
                    self.handle(Input::Wish(wish));
                }
            }
            Order::Served(epoch) => self.handle(Input::Served(epoch)),
            Order::Figures(answer) => {
                let now = Instant::ORIGIN + self.origin.elapsed();
                let (trunks, dropped) = (self.node.trunks(now).collect(), self.node.dropped());
                // Who has asked may have given up.
                let _ = answer.send(Figures { trunks, dropped });
            }
            Order::Send { to, pieces } => self.handle(Input::Entries { to, pieces }),
        }
    }

    fn on_bus(&mut self, event: BusEvent) {
        match event {
            // Lost, as on the way. It is sent again.
            BusEvent::Packet(bytes) if !(self.shards.keeps_up)() && has_entries(&bytes) => {}
            BusEvent::Packet(bytes) => self.handle(Input::Packet(bytes)),
            BusEvent::Up => {
                self.report.send_modify(|status| status.bus_fault = None);
                self.handle(Input::BusUp);
            }
            BusEvent::Down { why } => {
                self.report.send_modify(|status| status.bus_fault = Some(why));
                self.handle(Input::BusDown);
            }
        }
    }

    fn on_answer(&mut self, answer: Answer<A::Error>) {
        let input = match answer {
            Answer::Cas(question, result) => Input::Cas(question, result),
            Answer::Vote(question, vote) => Input::Voted(question, vote),
            Answer::Read(question, Ok(found)) => {
                self.set_register_fault(None);
                self.certify_earlier(found.as_ref());
                Input::Read(question, found)
            }
            Answer::Read(question, Err(error)) => {
                self.set_register_fault(Some(error.to_string()));
                Input::ReadFailed(question)
            }
        };
        self.handle(input);
    }

    fn set_register_fault(&mut self, fault: Option<String>) {
        if self.report.borrow().register_fault == fault {
            return;
        }
        match &fault {
            Some(fault) => tracing::warn!("the register of the cluster cannot be read: {fault}"),
            None => tracing::info!("the register of the cluster can be read again"),
        }
        self.report.send_modify(|status| status.register_fault = fault);
    }

    /// If an earlier life of this node is still a member, all members learn that it has ended. Only
    /// that one: a beat has room for few.
    fn certify_earlier(&mut self, found: Option<&(Revision, View)>) {
        let members = found.into_iter().flat_map(|(_, view)| view.members());
        let dead = members.map(|member| member.incarnation);
        let dead: Vec<_> = dead.filter(|node| self.life.earlier().contains(node)).collect();
        dead.into_iter().for_each(|node| self.handle(Input::Dead(node)));
    }

    fn on_view(&mut self, view: View, serve_after: Instant) {
        tracing::info!(epoch = view.epoch().0, members = view.members().len(), "a new view");
        if view.parent().is_none() && view.members().len() == 1 {
            tracing::info!(
                "founded a cluster, because there was none of this name. If there should be one, \
                 the name of the cluster or the NATS server of this node is wrong"
            );
        }
        self.report.send_modify(|status| {
            status.view = Some(view.clone());
            status.register_is_foreign = false;
            status.namesake = None;
        });
        let serve_after = self.moment(serve_after).into_std();
        (self.shards.on_event)(NodeEvent::View { view, serve_after });
    }

    fn on_lease(&mut self, may_act: bool) {
        self.report.send_modify(|status| status.may_act = may_act);
        if !may_act {
            self.frozen_since = Some(Moment::now());
        } else if self.frozen_since.take().is_none() {
            tracing::info!("a majority of the cluster hears this node: it may act");
        }
    }

    /// After each change of the view, nodes have no lease for a moment. That is no news.
    fn report_freeze(&mut self) {
        if self.frozen_since.is_some_and(|since| since.elapsed() >= FROZEN_IS_NEWS) {
            self.frozen_since = None;
            let seconds = FROZEN_MAX.as_secs();
            tracing::warn!(
                "no majority of the cluster hears this node: it is frozen, and its sessions end \
                 after {seconds} s of that"
            );
        }
    }

    /// Tells the shards how long they may act.
    fn renew_lease(&mut self) {
        let until = self.node.acts_until();
        if std::mem::replace(&mut self.acts_until, until) != until {
            let until = until.map(|until| self.moment(until).into_std());
            (self.shards.on_event)(NodeEvent::Lease(until));
        }
    }

    fn on_foreign_register(&mut self) {
        let is_new = self
            .report
            .send_if_modified(|status| !std::mem::replace(&mut status.register_is_foreign, true));
        if is_new {
            tracing::error!(
                "the register of the cluster was removed, or replaced by an older copy: nodes can \
                 neither join nor be removed. Stop all nodes, and start them again"
            );
        }
    }

    fn on_namesake(&mut self, other: Incarnation) {
        // The last packets of an earlier life may come late.
        if self.life.earlier().contains(&other) {
            return;
        }
        let namesake = Some(other);
        if self.report.borrow().namesake != namesake {
            tracing::error!(
                "two nodes of this cluster have the name of this one, or it has two state \
                 directories: give each node a name and a directory of its own"
            );
            self.report.send_modify(|status| status.namesake = namesake);
        }
    }
}

/// Whether a packet brings entries of another node.
fn has_entries(packet: &Bytes) -> bool {
    let packet = Packet::decode(packet.clone()).ok().flatten();
    packet.is_some_and(|packet| matches!(packet.kind, Kind::Trunk(trunk::Packet::Batch { .. })))
}

/// What comes after all outputs.
enum Outcome {
    Ended(Ended),
    Wait(Moment),
}

/// Waits for the answer, or forever without a question. Cancel safe.
async fn answered<E>(question: &mut Option<Asked<E>>) -> Answer<E> {
    match question {
        Some(question) => question.await,
        None => std::future::pending().await,
    }
}
