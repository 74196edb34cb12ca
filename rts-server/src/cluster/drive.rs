//! The task of a node: it carries what its membership wants to the bus and to the arbiter, and back
//! what happens there.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use rts_cluster::limits::FROZEN_MAX;
use rts_cluster::membership::{
    Beat, CasResult, Ended, Input, Membership, Output, Question, Revision, Wish,
};
use rts_cluster::view::{ClusterName, Incarnation, Member, View};
use rts_cluster::wire::{Kind, Packet};
use rts_proto::Instant;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant as Moment;

use super::arbiter::Arbiter;
use super::bus::{Bus, BusEvent, To};
use super::echo::Echoes;
use super::life::Life;
use super::status::NodeStatus;

pub(super) struct Driver<B, A: Arbiter> {
    membership: Membership,
    echoes: Echoes,
    cluster: ClusterName,
    own: Member,
    /// Incarnations that have ended for certain.
    earlier: Vec<Incarnation>,
    life: Option<Kept>,
    bus: B,
    arbiter: Arc<A>,
    question: Option<Asked<A::Error>>,
    report: watch::Sender<NodeStatus>,
    origin: Moment,
}

/// The life of the node, which may be at its write to disk.
enum Kept {
    Here(Life),
    Writing(JoinHandle<Life>),
}

const LIFE: &str = "a life is put back at once";

/// How a question to the register ended.
enum Answer<E> {
    Read(Question, Result<Option<(Revision, View)>, E>),
    Cas(Question, CasResult),
}

type Asked<E> = Pin<Box<dyn Future<Output = Answer<E>> + Send>>;

impl<B: Bus, A: Arbiter> Driver<B, A> {
    pub(super) fn new(
        cluster: ClusterName,
        own: Member,
        life: Life,
        bus: B,
        arbiter: A,
        report: watch::Sender<NodeStatus>,
    ) -> Self {
        let incarnation = own.incarnation;
        Self {
            // The seed feeds the ids of views, which no two nodes may draw alike.
            membership: Membership::new(own.clone(), incarnation.0),
            echoes: Echoes::new(incarnation, Instant::ORIGIN),
            cluster,
            own,
            earlier: life.earlier().to_vec(),
            life: Some(Kept::Here(life)),
            bus,
            arbiter: Arc::new(arbiter),
            question: None,
            report,
            origin: Moment::now(),
        }
    }

    pub(super) async fn run(mut self, mut wishes: mpsc::UnboundedReceiver<Wish>) -> (Ended, Life) {
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
                Some(wish) = wishes.recv() => self.handle(Input::Wish(wish)),
                () = tokio::time::sleep_until(until) => self.handle(Input::Tick),
            }
            let now = self.now();
            if self.has_peers() && self.echoes.is_silent(now) {
                self.bus.reconnect();
            }
        };
        let life = match self.life.expect(LIFE) {
            Kept::Here(life) => life,
            Kept::Writing(task) => task.await.expect("a write does not panic"),
        };
        (why, life)
    }

    fn now(&self) -> Instant {
        Instant::ORIGIN + self.origin.elapsed()
    }

    fn handle(&mut self, input: Input) {
        let now = self.now();
        self.membership.handle(now, input);
    }

    /// Does all that the membership wants.
    fn act(&mut self) -> Outcome {
        loop {
            match self.membership.poll() {
                Output::Beat(beat) => {
                    let kind = Kind::Beat(beat);
                    let (cluster, from) = (self.cluster.clone(), self.own.incarnation);
                    let packet = Packet { cluster, from, to: None, kind };
                    // A beat that is not sent is followed by the next one.
                    let _ = self.bus.send(To::All, packet.encode());
                }
                Output::Read(question) => {
                    let arbiter = self.arbiter.clone();
                    // The membership has given up the question before this one.
                    self.question =
                        Some(Box::pin(async move { Answer::Read(question, arbiter.read().await) }));
                }
                Output::Cas(question, expected, view) => {
                    let arbiter = self.arbiter.clone();
                    self.question = Some(Box::pin(async move {
                        Answer::Cas(question, arbiter.cas(expected, view).await)
                    }));
                }
                Output::View { view, serve_after: _ } => self.on_view(view),
                Output::Lease(may_act) => self.on_lease(may_act),
                Output::RegisterIsForeign => self.on_foreign_register(),
                Output::Ended(why) => return Outcome::Ended(why),
                Output::Wait(until) => return Outcome::Wait(self.woken_at(until)),
            }
        }
    }

    /// This moment, or that of a reconnect if it is earlier.
    fn woken_at(&self, until: Instant) -> Moment {
        let reconnect = self.has_peers().then(|| self.echoes.deadline());
        let until = reconnect.map_or(until, |reconnect| reconnect.min(until));
        self.origin + until.since(Instant::ORIGIN)
    }

    /// Whether there is somebody who would answer its beats over a connection.
    fn has_peers(&self) -> bool {
        let is_connected = self.report.borrow().bus_fault.is_none();
        is_connected && self.membership.view().is_some_and(|view| view.members().len() > 1)
    }

    fn on_bus(&mut self, event: BusEvent) {
        match event {
            BusEvent::Packet(bytes) => self.on_packet(bytes),
            BusEvent::Up => {
                self.report.send_modify(|status| status.bus_fault = None);
                let now = self.now();
                self.echoes.connected(now);
            }
            BusEvent::Down { why } => {
                self.report.send_modify(|status| status.bus_fault = Some(why));
            }
        }
    }

    fn on_packet(&mut self, bytes: Bytes) {
        match Packet::decode(bytes) {
            Ok(Some(packet)) if packet.cluster != self.cluster => {}
            Ok(Some(Packet { from, kind: Kind::Beat(beat), .. })) => {
                if from != self.own.incarnation {
                    self.on_beat(beat);
                }
            }
            // This task has no trunks.
            Ok(Some(Packet { kind: Kind::Trunk(_), .. }) | None) => {}
            Err(error) => tracing::debug!("a packet on the bus is not one of a node: {error}"),
        }
    }

    fn on_beat(&mut self, beat: Beat) {
        let now = self.now();
        self.echoes.heard(now, &beat);
        let other = &beat.node;
        if other.name == self.own.name && !self.earlier.contains(&other.incarnation) {
            let (name, namesake) = (&other.name, Some(other.incarnation));
            if self.report.borrow().namesake != namesake {
                tracing::error!(
                    "two nodes of this cluster have the name {name}, or one name has two state \
                     directories: give each node a name and a directory of its own"
                );
                self.report.send_modify(|status| status.namesake = namesake);
            }
        }
        self.handle(Input::Beat(beat));
    }

    fn on_answer(&mut self, answer: Answer<A::Error>) {
        let input = match answer {
            Answer::Cas(question, result) => Input::Cas(question, result),
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
        let dead: Vec<_> = dead.filter(|node| self.earlier.contains(node)).collect();
        dead.into_iter().for_each(|node| self.handle(Input::Dead(node)));
    }

    fn on_view(&mut self, view: View) {
        tracing::info!(epoch = view.epoch().0, members = view.members().len(), "a new view");
        self.report.send_modify(|status| {
            status.view = Some(view);
            status.register_is_foreign = false;
            status.namesake = None;
        });
        self.life = Some(match self.life.take().expect(LIFE) {
            Kept::Here(life) if !life.earlier().is_empty() => {
                Kept::Writing(tokio::task::spawn_blocking(|| without_earlier(life)))
            }
            life => life,
        });
    }

    fn on_lease(&mut self, may_act: bool) {
        self.report.send_modify(|status| status.may_act = may_act);
        if may_act {
            tracing::info!("a majority of the cluster hears this node: it may act");
        } else {
            let seconds = FROZEN_MAX.as_secs();
            tracing::warn!(
                "no majority of the cluster hears this node: it is frozen, and its sessions end \
                 after {seconds} s of that"
            );
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

/// A member is the only one of its name, so its earlier lives are in no view.
fn without_earlier(mut life: Life) -> Life {
    if let Err(error) = life.forget_earlier() {
        tracing::warn!("earlier starts of this node stay on record: {error}");
    }
    life
}
