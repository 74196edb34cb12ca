//! The state of all engines as their applications know it, and what back ends know, from the trace
//! alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::Instant;
use rts_proto::client::Event;
use rts_proto::limits::SESSION_GRACE;
use rts_proto::server::Report;
use rts_testkit::EngineIndex;

use super::engine::Engine;
use super::owners::Owners;
use super::plan::Step;
use super::reported::Reported;
use super::shape::Shape;
use super::trace::{Call, Entry, Line, Phase};

/// After a user gave up a room, a membership may wait for it this long at most: until its session
/// is lost, until the home says so, and then at the next home.
const WAITS_FOR: Duration = Duration::from_secs(3 * SESSION_GRACE.as_secs());

/// The state of every engine of a run, and the reports to the back ends.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Whether the server has several shards, so that entries are under way between them.
    pub(crate) has_mailboxes: bool,
    /// The longest time for which entries are under way between shards.
    pub(crate) under_way_max: Duration,
    /// Whether the bus of a cluster loses or delays packets until requests time out.
    is_bus_bad: bool,
    /// The nodes of the server. Several ones are a cluster.
    pub(crate) nodes: usize,
    pub(crate) engines: Vec<Engine>,
    pub(crate) reported: BTreeMap<usize, Reported>,
    owners: Owners,
    /// When a user of an app last gave up a room, or was reported to have left it.
    gave_up: BTreeMap<(usize, String, String), Instant>,
    /// Nodes that are frozen, and the end of the last time that one was frozen or stood still.
    frozen: BTreeSet<usize>,
    last_thaw: Option<Instant>,
    /// When something was last wrong with the nodes of a cluster, or between them.
    disturbed: Option<Instant>,
    /// Whether a node was lost since the homes of a cluster were last at rest.
    pub(crate) loss_is_new: bool,
    /// A node was lost at any time.
    has_lost_nodes: bool,
    /// `None` during the faults.
    phase: Option<Phase>,
}

impl Model {
    pub(crate) fn new(shape: &Shape) -> Self {
        Self {
            has_mailboxes: shape.has_mailboxes(),
            under_way_max: shape.under_way_max(),
            is_bus_bad: shape.is_bus_bad(),
            nodes: shape.nodes,
            ..Self::default()
        }
    }

    /// Whether a login waits for the home of a user.
    pub(crate) fn is_asked_for(&self, app: usize, uid: &str) -> bool {
        self.owners.is_asked_for(app, uid)
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

    /// Whether what an engine sent in its session `earlier` must not be overtaken by what arrived
    /// while it had its session `later`. If a node was lost, what was sent there last may be
    /// overtaken.
    pub(crate) fn keeps_order(&self, earlier: u64, later: u64) -> bool {
        !self.has_lost_nodes || earlier == later
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

    /// Whether something was wrong with the nodes of a cluster, or between them, at some time since
    /// shortly before then.
    pub(crate) fn was_disturbed_since(&self, since: Instant) -> bool {
        let disturbed = self.disturbed.max(self.last_thaw);
        self.loss_is_new
            || self.is_bus_bad
            || !self.frozen.is_empty()
            || disturbed.is_some_and(|at| since.since(at) <= self.under_way_max || at >= since)
    }

    fn disturbed(&mut self, line: &Line) {
        let lasts = match &line.entry {
            Entry::NodeHasView { .. }
            | Entry::NodeFrozen { .. }
            | Entry::NodeEnded { .. }
            | Entry::Restarted
            | Entry::Fault(Step::NodeBus { .. } | Step::BusAway { .. }) => 0,
            Entry::Fault(
                Step::NodePauses { ms, .. }
                | Step::NodesPart { ms, .. }
                | Step::NodesMute { ms, .. },
            ) => *ms,
            _ => return,
        };
        let until = line.at + Duration::from_millis(lasts);
        self.disturbed = self.disturbed.max(Some(until));
    }

    /// Whether a node of a cluster was frozen or stood still at some time since then.
    pub(crate) fn was_frozen_since(&self, since: Instant) -> bool {
        !self.frozen.is_empty() || self.last_thaw.is_some_and(|thaw| thaw >= since)
    }

    /// The engine is about to be in fewer rooms.
    fn gives_up_rooms(&mut self, now: Instant, who: EngineIndex) {
        let engine = &self.engines[who];
        for (room, uid) in engine.asking() {
            self.gave_up.insert((engine.app, room.to_owned(), uid.to_owned()), now);
        }
    }

    /// The rooms that users of an app are in, were in lately, or asked to join. If the home of such
    /// a room is lost, a membership may wait for the user at the next home.
    pub(crate) fn lately_in_rooms(
        &self,
        now: Instant,
        app: usize,
    ) -> impl Iterator<Item = (&str, &str)> {
        let of_app = self.engines.iter().filter(move |engine| engine.app == app);
        let recent = self
            .gave_up
            .iter()
            .filter(move |((of, ..), at)| *of == app && now.since(**at) <= WAITS_FOR);
        let gave_up = recent.map(|((_, room, uid), _)| (room.as_str(), uid.as_str()));
        of_app.flat_map(Engine::asking).chain(gave_up)
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
        self.disturbed(line);
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
            Entry::SessionBegan { who } => self.engines[*who].sessions += 1,
            Entry::Returned { who } => self.engines[*who].returned(),
            Entry::Event { who, event } => self.engines[*who].event(event),
            Entry::Frozen { who, on } => {
                self.engines[*who].is_frozen = *on;
                self.engines[*who].last_thaw = line.at;
            }
            Entry::Reported { app, report } => {
                if let Report::MemberLeft { room, uid, .. } = report {
                    let member = (*app, room.as_str().to_owned(), uid.as_str().to_owned());
                    self.gave_up.insert(member, line.at);
                }
                self.reported.entry(*app).or_default().add(report);
            }
            Entry::Restarted => {
                self.reported.clear();
                self.owners = Owners::default();
                self.frozen.clear();
                self.loss_is_new = false;
            }
            Entry::NodesRemoved(removed) => {
                (self.loss_is_new, self.has_lost_nodes) = (true, true);
                let mut reported = std::mem::take(&mut self.reported);
                for (app, known) in &mut reported {
                    known.lost(*app, removed, self.lately_in_rooms(line.at, *app));
                }
                self.reported = reported;
                for (app, uid) in self.owners.lost(removed) {
                    self.reported.entry(app).or_default().owner_lost(uid);
                }
            }
            Entry::NodeEnded { node, .. } => {
                (self.loss_is_new, self.has_lost_nodes) = (true, true);
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
            | Entry::Dialled { .. }
            | Entry::NodeServes { .. }
            | Entry::Requested { .. }
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
