//! Plays a plan: the calls and faults, then the healing, then the end.

mod back_end;
mod calls;
mod faults;
mod healing;
mod homes;
mod losses;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rts_proto::client::Parameters;
use rts_proto::server::{NodeNumber, Post, RequestId, Verdict};
use rts_proto::{Instant, LoginCode, RoomKey};
use rts_testkit::{EngineIndex, Happening, World, shard_of_call};

use super::attack::Attackers;
use super::harmed::{HARMED_APP, Harmed};
use super::names::{app_id, app_number, number};
use super::newer::{Newer, Unknown};
use super::oracles::{Oracles, Violation};
use super::peer_entry::peer_entries;
use super::plan::{Banned, Plan, Step};
use super::situations::Situations;
use super::spotter::Spotter;
use super::trace::{Call, Entry, Line, Posted, Print, TokenFacts, Trace};
use super::wires::Wires;
use losses::Losses;
use requests::Requested;

/// The outcome of a run.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) violation: Option<Violation>,
    pub(crate) trace: Trace,
    pub(crate) situations: Situations,
    /// Calls that applications made.
    pub(crate) calls: u64,
    pub(crate) simulated: Duration,
}

/// Plays the plan. A panic is a violation too.
pub(crate) fn play(plan: &Plan, print: Option<Print>) -> Played {
    let mut run = Run::new(plan, print);
    let outcome = catch_unwind(AssertUnwindSafe(|| run.play()));
    let violation = match outcome {
        Ok(played) => played.err(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(format!("I40: panicked: {}", text.unwrap_or_default()))
        }
    };
    Played {
        violation,
        simulated: run.world.now().since(Instant::ORIGIN),
        trace: run.trace,
        situations: run.spotter.counts,
        calls: run.calls,
    }
}

/// The place of an engine.
struct Place {
    engine: EngineIndex,
    app: usize,
    user: usize,
    rooms: BTreeMap<usize, RoomKey>,
    is_frozen: bool,
}

struct Run<'a> {
    plan: &'a Plan,
    world: World,
    places: Vec<Place>,
    trace: Trace,
    oracles: Oracles,
    spotter: Spotter,
    attackers: Attackers,
    harmed: Harmed,
    tokens: BTreeMap<Vec<u8>, TokenFacts>,
    keys: BTreeMap<usize, u64>,
    refused: Vec<usize>,
    /// The number of refusals in force.
    refusals: u32,
    /// The bans of the back ends.
    bans: BTreeSet<(usize, Banned)>,
    last_serial: u64,
    calls: u64,
    losses: Losses,
    /// Requests of back ends to nodes of a cluster, without a response.
    requested: BTreeMap<RequestId, Requested>,
    /// Whether the server is stopping, before the next one starts.
    is_draining: bool,
    /// Whether a link may hold more bytes than it carries in an hour.
    was_narrow: bool,
}

fn posted(post: &Post) -> Posted {
    Posted {
        app: app_number(&post.app_id),
        uid: post.uid.as_str().to_owned(),
        id: post.id.0,
        url: post.params.url().to_owned(),
        signature: post.params.signature().to_owned(),
        payload: post.payload.clone(),
    }
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, print: Option<Print>) -> Self {
        let shape = plan.swarm.shape;
        let world = World::new(plan.swarm.server(), 0, plan.seed);
        let mut world = match shape.is_cluster() {
            true => world.cluster(shape.nodes, shape.shards),
            false => world.shards(shape.shards),
        };
        shape.set(&mut world);
        if let Some(nodes) = world.nodes() {
            nodes.set_drift(shape.drift_ppm);
        }
        let wires = Wires::new(plan.swarm.newer.map(|side| Newer::new(side, plan.seed)));
        world.middlebox = Some(Box::new(wires.clone()));
        Self {
            plan,
            world,
            places: Vec::new(),
            trace: Trace::new(print),
            oracles: Oracles::new(&plan.swarm),
            spotter: Spotter::default(),
            attackers: Attackers::new(plan.swarm.has_rates(), shape.has_mailboxes()),
            harmed: Harmed::new(wires),
            tokens: BTreeMap::new(),
            keys: BTreeMap::new(),
            refused: Vec::new(),
            refusals: 0,
            bans: BTreeSet::new(),
            last_serial: 0,
            calls: 0,
            losses: Losses::default(),
            requested: BTreeMap::new(),
            is_draining: false,
            was_narrow: false,
        }
    }

    fn play(&mut self) -> Result<(), Violation> {
        for (app, user) in self.plan.swarm.engines.clone() {
            let engine = self.new_engine(app)?;
            let rooms = BTreeMap::new();
            self.places.push(Place { engine, app, user, rooms, is_frozen: false });
        }
        let plan = self.plan;
        if let Some(harm) = plan.swarm.harm {
            let engines: Result<_, Violation> =
                (0..harm.engines).map(|_| self.new_engine(HARMED_APP)).collect();
            self.harmed.enter(engines?, harm, plan.seed);
        }
        for (at, step) in &plan.steps {
            self.run_until(Instant::ORIGIN + *at)?;
            self.take(*step)?;
        }
        self.run_until(Instant::ORIGIN + plan.swarm.duration)?;
        self.heal()?;
        self.ask()?;
        self.settle()?;
        self.end()
    }

    fn new_engine(&mut self, app: usize) -> Result<EngineIndex, Violation> {
        let engine = self.world.add(app_id(app).as_str(), Parameters::default());
        self.note(Entry::Engine { who: engine, app })?;
        Ok(engine)
    }

    /// Unix time in seconds as tokens hold it, up to the year 2106.
    fn token_second(&self) -> u32 {
        u32::try_from(self.world.wall_seconds()).unwrap_or(u32::MAX)
    }

    fn run_until(&mut self, moment: Instant) -> Result<(), Violation> {
        let wait = self.world.until(moment);
        self.world.run_for(wait);
        self.collect()
    }

    fn run_for(&mut self, time: Duration) -> Result<(), Violation> {
        self.run_until(self.world.now() + time)
    }

    fn next_serial(&mut self) -> u64 {
        self.last_serial += 1;
        self.last_serial
    }

    fn note(&mut self, entry: Entry) -> Result<(), Violation> {
        self.note_at(self.world.now(), entry)
    }

    fn note_at(&mut self, at: Instant, entry: Entry) -> Result<(), Violation> {
        let line = Line { at, entry };
        self.spotter.see(&self.oracles.model, &line);
        let seen = self.oracles.see(&line);
        self.trace.push(line);
        seen
    }

    /// Moves the world's log into the trace.
    fn collect(&mut self) -> Result<(), Violation> {
        for (at, happening) in self.world.take_log() {
            let entry = match happening {
                Happening::Event(who, event) if self.harmed.is_one(who) => {
                    self.harmed.event(who, &event);
                    self.spotter.harmed_event(&event);
                    continue;
                }
                // Attempts of these engines are not paced by the law, and not in the trace.
                Happening::Dialled(who) | Happening::SessionBegan(who)
                    if self.harmed.is_one(who) =>
                {
                    continue;
                }
                Happening::Closed(who, code) if self.harmed.is_one(who) => {
                    self.spotter.harmed_closed(code);
                    continue;
                }
                Happening::Judged(asked, ..) if self.harmed.is_its_name(&asked.uid) => continue,
                Happening::Congested(who, _)
                    if self.harmed.is_one(who) || self.attackers.is_one(who) =>
                {
                    continue;
                }
                Happening::Congested(who, on) => Entry::Congested { who, on },
                Happening::Event(who, event) => Entry::Event { who, event },
                Happening::Dialled(who) => Entry::Dialled { who },
                Happening::SessionBegan(who) => Entry::SessionBegan { who },
                Happening::Reported(app, report) => {
                    Entry::Reported { app: app_number(&app), report }
                }
                Happening::TargetChecked(target, is_allowed) => Entry::TargetChecked {
                    app: app_number(&target.app_id),
                    url: target.url.to_string(),
                    is_allowed,
                },
                Happening::Posted(call, post) => {
                    let node = shard_of_call(call).node().number();
                    Entry::Posted { call, node, post: posted(&post) }
                }
                Happening::AppServerSaid(call, progress) => Entry::AppServerSaid { call, progress },
                Happening::PostAbandoned(call) => Entry::PostAbandoned { call },
                Happening::Marked(at, mark) => Entry::Unknown { at, what: Unknown::of(mark) },
                Happening::HandedOver(who, ..)
                    if self.harmed.is_one(who) || self.attackers.is_one(who) =>
                {
                    continue;
                }
                Happening::HandedOver(who, from, to) => {
                    Entry::HandedOver { who, from: number(from), to: number(to) }
                }
                Happening::EntriesArrived(from, to, entries) => {
                    let entries = peer_entries(&entries);
                    Entry::EntriesArrived { from: number(from), to: number(to), entries }
                }
                Happening::MailboxCongested(from, to, on) => {
                    Entry::MailboxCongested { from: number(from), to: number(to), on }
                }
                Happening::NodeFrozen(node, on) => Entry::NodeFrozen { node, on },
                Happening::NodeHasView(node, view) => {
                    if let Some(losses) = self.losses_of(&view) {
                        self.note_at(at, losses)?;
                    }
                    let (epoch, members) = (view.epoch().0, view.members().len());
                    Entry::NodeHasView { node, epoch, members }
                }
                Happening::NodeServes(node, epoch, outside) => {
                    Entry::NodeServes { node, epoch: epoch.0, outside }
                }
                Happening::NodeEnded(node, number) => {
                    Entry::NodeEnded { node, number: number.map(NodeNumber::number) }
                }
                Happening::Responded(id, response) => match self.responded(id, response) {
                    Some(commanded) => commanded,
                    None => continue,
                },
                Happening::Restarted => Entry::Restarted,
                Happening::Closed(who, code) => {
                    if self.attackers.is_one(who) {
                        self.spotter.attacker_closed(code);
                        continue;
                    }
                    Entry::Closed { who, code }
                }
                Happening::Judged(asked, ..) if self.attackers.is_its_name(&asked.uid) => continue,
                Happening::Judged(asked, verdict, wall) => {
                    let code = match verdict {
                        Verdict::Accept { .. } => LoginCode::Ok,
                        Verdict::Refuse(code) => code,
                    };
                    Entry::Judged {
                        app: app_number(&asked.app_id),
                        uid: asked.uid.as_str().to_owned(),
                        facts: self.tokens.get(&asked.token[..]).copied(),
                        wall,
                        code,
                    }
                }
            };
            self.note_at(at, entry)?;
        }
        Ok(())
    }

    fn take(&mut self, step: Step) -> Result<(), Violation> {
        if let Some(slot) = step.slot()
            && step.is_call()
        {
            // A frozen process makes no calls.
            if self.places[slot].is_frozen {
                return Ok(());
            }
            return self.call(slot, step);
        }
        if let Step::Command { app, command } = step {
            return self.command(app, command);
        }
        self.note(Entry::Fault(step))?;
        self.fault(step)?;
        self.collect()?;
        self.gauge()
    }

    fn made(&mut self, who: EngineIndex, call: Call, returned: i64) -> Result<(), Violation> {
        self.calls += 1;
        // The events of the call are in the log, which is read after this entry.
        self.note(Entry::Call { who, call, returned })?;
        self.collect()
    }

    fn gauge(&mut self) -> Result<(), Violation> {
        let mut open_questions = 0;
        for who in 0..self.oracles.model.engines.len() {
            open_questions += self.world.call(who, |engine, _| engine.open_questions());
        }
        let server = self.world.stats();
        let open_links = self.world.net.open_links();
        let waiting_bytes_most = self.world.waiting_bytes_most();
        let homes_move = self.plan.swarm.shape.is_cluster() && !self.homes_rest();
        self.note(Entry::Gauges {
            server,
            open_links,
            open_questions,
            waiting_bytes_most,
            homes_move,
            on_their_way: self.world.entries_on_their_way(),
        })?;
        match self.plan.swarm.shape.has_mailboxes() {
            true => self.note_homes(),
            false => Ok(()),
        }
    }
}
