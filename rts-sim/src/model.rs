//! The state of all engines as their applications know it, and what back ends know, from the trace
//! alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::Instant;
use rts_proto::client::Event;
use rts_testkit::EngineIndex;

use super::engine::Engine;
use super::owners::Owners;
use super::plan::Step;
use super::reported::Reported;
use super::shape::Shape;
use super::trace::{Call, Entry, Line, Phase};

/// The state of every engine of a run, and the reports to the back ends.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Whether the server has several shards, so that entries are under way between them.
    pub(crate) has_mailboxes: bool,
    /// The longest time for which entries are under way between shards.
    pub(crate) under_way_max: Duration,
    /// The nodes of the server. Several ones are a cluster.
    pub(crate) nodes: usize,
    pub(crate) engines: Vec<Engine>,
    pub(crate) reported: BTreeMap<usize, Reported>,
    owners: Owners,
    /// Nodes that are frozen, and the end of the last time that one was frozen or stood still.
    frozen: BTreeSet<usize>,
    last_thaw: Option<Instant>,
    /// Whether a node was lost since the homes of a cluster were last at rest.
    pub(crate) loss_is_new: bool,
    /// `None` during the faults.
    phase: Option<Phase>,
}

impl Model {
    pub(crate) fn new(shape: &Shape) -> Self {
        Self {
            has_mailboxes: shape.has_mailboxes(),
            under_way_max: shape.under_way_max(),
            nodes: shape.nodes,
            ..Self::default()
        }
    }

    /// Whether the server is a cluster.
    pub(crate) fn is_cluster(&self) -> bool {
        self.nodes > 1
    }

    /// The engines in which a user of an app is logged in.
    pub(crate) fn live(&self, app: usize) -> impl Iterator<Item = (EngineIndex, &str)> {
        self.engines.iter().enumerate().filter_map(move |(who, engine)| {
            engine.login.live().filter(|_| engine.app == app).map(|uid| (who, uid))
        })
    }

    /// Whether what an engine sent at this moment and later keeps its order. In a cluster, a sender
    /// may get another link, to another node. What it has sent over the first node may then be
    /// overtaken by what it sends over the second one.
    pub(crate) fn keeps_order(&self, sender: EngineIndex, since: Instant) -> bool {
        !self.is_cluster() || self.engines[sender].last_dial < since
    }

    /// Whether the time to heal is over, so that everything must be in order.
    pub(crate) fn is_healed(&self) -> bool {
        self.phase >= Some(Phase::Healed)
    }

    /// Whether the run is in the phase of questions, which must all succeed.
    pub(crate) fn is_asking(&self) -> bool {
        self.phase == Some(Phase::Healed)
    }

    fn thawed(&mut self, node: usize, now: Instant) {
        self.frozen.remove(&node);
        self.last_thaw = self.last_thaw.max(Some(now));
    }

    /// Whether a node of a cluster was frozen or stood still at some time since then.
    pub(crate) fn was_frozen_since(&self, since: Instant) -> bool {
        !self.frozen.is_empty() || self.last_thaw.is_some_and(|thaw| thaw >= since)
    }

    /// The engine is about to be in fewer rooms.
    fn gives_up_rooms(&mut self, now: Instant, who: EngineIndex) {
        let engine = &self.engines[who];
        if let Some(known) = self.reported.get_mut(&engine.app) {
            engine.asking().for_each(|(room, uid)| known.gave_up(now, room, uid));
        }
    }

    pub(crate) fn apply(&mut self, line: &Line) {
        match &line.entry {
            Entry::Call {
                who,
                call: Call::LeaveRoom { .. } | Call::DestroyRoom { .. } | Call::Destroy,
                ..
            }
            | Entry::Event { who, event: Event::Logout(_) | Event::LoginResult { .. } }
                if self.is_cluster() =>
            {
                self.gives_up_rooms(line.at, *who);
            }
            _ => {}
        }
        match &line.entry {
            Entry::Engine { app, .. } => {
                self.engines.push(Engine {
                    app: *app,
                    send_timeout_ms: 10_000,
                    ..Engine::default()
                });
            }
            Entry::Call { who, call, returned } => {
                self.engines[*who].called(line.at, call, *returned);
            }
            Entry::Dialled { who } => self.engines[*who].last_dial = line.at,
            Entry::Returned { who } => self.engines[*who].returned(),
            Entry::Event { who, event } => self.engines[*who].event(event),
            Entry::Frozen { who, on } => {
                self.engines[*who].is_frozen = *on;
                self.engines[*who].last_thaw = line.at;
            }
            Entry::Reported { app, report } => {
                self.reported.entry(*app).or_default().add(line.at, report);
            }
            Entry::Restarted => {
                self.reported.clear();
                self.owners = Owners::default();
                self.frozen.clear();
                self.loss_is_new = false;
            }
            Entry::NodesRemoved(removed) => {
                self.loss_is_new = true;
                let engines = &self.engines;
                for (app, known) in &mut self.reported {
                    let of_app = engines.iter().filter(|engine| engine.app == *app);
                    known.lost(line.at, *app, removed, of_app.flat_map(Engine::asking));
                }
                for (app, uid) in self.owners.lost(removed) {
                    self.reported.entry(app).or_default().owner_lost(uid);
                }
            }
            Entry::NodeEnded { node, .. } => {
                self.loss_is_new = true;
                self.thawed(*node, line.at);
            }
            Entry::NodeFrozen { node, on: true } => {
                self.frozen.insert(*node);
            }
            Entry::NodeFrozen { node, on: false } => self.thawed(*node, line.at),
            Entry::Fault(Step::NodePauses { ms, .. }) => {
                let until = line.at + Duration::from_millis(*ms);
                self.last_thaw = self.last_thaw.max(Some(until));
            }
            Entry::EntriesArrived { from, to, entries } => {
                for entry in entries {
                    if let Some((app, uid)) = self.owners.arrived(*from, *to, entry) {
                        self.reported.entry(app).or_default().owner_lost(uid);
                    }
                }
            }
            Entry::Gauges { homes_move, .. } => self.loss_is_new &= homes_move,
            Entry::Phase(phase) => self.phase = Some(*phase),
            Entry::Judged { .. }
            | Entry::Commanded { .. }
            | Entry::Closed { .. }
            | Entry::WayUpDead { .. }
            | Entry::Congested { .. }
            | Entry::TargetChecked { .. }
            | Entry::Posted { .. }
            | Entry::AppServerSaid { .. }
            | Entry::PostAbandoned { .. }
            | Entry::Unknown { .. }
            | Entry::HandedOver { .. }
            | Entry::MailboxCongested { .. }
            | Entry::NodeHasView { .. }
            | Entry::Located(_)
            | Entry::Fault(_) => {}
        }
    }
}
