//! A simulated server and its engines, in virtual time.

mod app;
mod happening;
mod links;
mod serving;
mod shards;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
#[cfg(feature = "tokio")]
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use rts_client::Engine;
#[cfg(feature = "tokio")]
use rts_client::TokenRequest;
use rts_proto::client::{self, Client, Parameters};
use rts_proto::server::{self, Credentials, Server, ShardId};
use rts_proto::{AppId, Instant, LinkId, LoginId};

pub use happening::Happening;
pub(crate) use links::{link_of, owner};

use crate::app_server::AppServer;
use crate::clock::Clock;
use crate::engine::{Core, SimulatedEngine};
use crate::gate::Gate;
use crate::mailboxes::Mailboxes;
use crate::middlebox::Middlebox;
use crate::net::{Arrival, Net, Side};
use crate::node::Node;
use crate::stranger::Stranger;
use crate::tasks::Tasks;
use crate::timers::Timers;
use crate::wake_flag::WakeFlag;

/// The number of steps at one moment that counts as an endless loop.
const STEPS_AT_ONE_MOMENT_MAX: usize = 1_000_000;
/// The app of [`World::add`] and [`World::connect`].
pub const APP_ID: &str = "123456781234567812345678";

/// Options of the drivers. None of them may change what happens.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct DriverOptions {
    /// Ticks every core at every step. Otherwise a core is ticked at its deadline only.
    pub ticks_always: bool,
    /// Takes an engine's outputs only after all its arrivals were fed in. The server is always
    /// drained at once, because late verdicts would be a different input.
    pub drains_late: bool,
    /// Ended links send more frames to both cores.
    pub stale_links_send: bool,
}

/// An engine, by its index in the world.
pub type EngineIndex = usize;

/// A core with a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Party {
    Shard(ShardId),
    Engine(EngineIndex),
}

/// One server, its engines, and the time.
#[derive(Debug)]
pub struct World {
    pub(crate) clock: Clock,
    /// The network between engines and server.
    pub net: Net,
    /// The mailboxes between the shards of the server.
    pub mailboxes: Mailboxes,
    /// Options of the drivers.
    pub driver_options: DriverOptions,
    /// The app server.
    pub app_server: AppServer,
    pub(crate) gate: Gate,
    /// Changes the frames between engines and server, if set.
    pub middlebox: Option<Box<dyn Middlebox>>,
    /// The time that the server takes to judge a token.
    pub verdict_delay: Duration,
    verdicts: BTreeSet<(Instant, LoginId)>,
    judged: BTreeMap<LoginId, Credentials>,
    pub(crate) node: Node,
    pub(crate) engines: Vec<SimulatedEngine>,
    deadlines: BTreeSet<(Instant, Party)>,
    pub(crate) strangers: Vec<Stranger>,
    /// Everything that happened, in order, until it is taken.
    pub(crate) log: Vec<(Instant, Happening)>,
    /// Ended links, each with the side that knew the link.
    pub(crate) stale_links: VecDeque<(Side, LinkId)>,
    tasks: Tasks,
    /// The application's timers.
    timers: Timers,
    /// Set when a task was woken, or an engine with handles was called.
    wake_flag: Arc<WakeFlag>,
    pub(crate) seed: u64,
    restarts: u64,
    /// The links that the server knows to be congested.
    congested: BTreeSet<LinkId>,
    /// The most bytes that ever waited on one link towards a client.
    waiting_bytes_most: usize,
    steps_at_this_moment: usize,
}

impl World {
    /// A server with this configuration, and `engines` engines of one app. `seed` feeds all
    /// randomness.
    #[must_use]
    pub fn new(config: server::Config, engines: usize, seed: u64) -> Self {
        let mut world = Self {
            clock: Clock::new(),
            net: Net::new(seed),
            mailboxes: Mailboxes::new(seed),
            driver_options: DriverOptions::default(),
            app_server: AppServer::new(),
            gate: Gate::new(),
            middlebox: None,
            verdict_delay: Duration::ZERO,
            verdicts: BTreeSet::new(),
            judged: BTreeMap::new(),
            node: Node::new(config, 1, seed, seed),
            engines: Vec::new(),
            deadlines: BTreeSet::new(),
            strangers: Vec::new(),
            log: Vec::new(),
            stale_links: VecDeque::new(),
            tasks: Tasks::default(),
            timers: Timers::default(),
            wake_flag: Arc::default(),
            seed,
            restarts: 0,
            congested: BTreeSet::new(),
            waiting_bytes_most: 0,
            steps_at_this_moment: 0,
        };
        world.gate.add_app(&AppId::new(APP_ID).expect("an app id"));
        for _ in 0..engines {
            world.add(APP_ID, Parameters::default());
        }
        world
    }

    /// Adds an engine that the test calls through [`call`](Self::call).
    ///
    /// # Panics
    ///
    /// If the app id is invalid.
    pub fn add(&mut self, app_id: &str, parameters: Parameters) -> EngineIndex {
        let app_id = AppId::new(app_id).expect("an app id");
        let mut config = client::Config::new(app_id.clone());
        config.parameters = parameters;
        let core = Core::Called(Box::new(Client::new(config, self.seed_of_next())));
        self.enter(app_id, core)
    }

    /// Adds an engine as an application has it, over the simulated network and at the world's time.
    /// What is called on it takes effect when the world runs next.
    pub fn connect(&mut self) -> (EngineIndex, Engine) {
        self.connect_with(Parameters::default())
    }

    /// Like [`connect`](Self::connect), with other times of the engine.
    pub fn connect_with(&mut self, parameters: Parameters) -> (EngineIndex, Engine) {
        let (index, engine) = self.connect_handle(parameters);
        (index, engine.into())
    }

    /// Like [`connect_with`](Self::connect_with), with a token provider. It is asked by the world's
    /// clocks, in the runtime of [`spawn`](Self::spawn).
    #[cfg(feature = "tokio")]
    pub fn connect_with_provider<F, E>(
        &mut self,
        parameters: Parameters,
        provide: impl Fn(TokenRequest) -> F + Send + Sync + 'static,
    ) -> (EngineIndex, Engine)
    where
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let (index, engine) = self.connect_handle(parameters);
        let (engine, keeper) = Engine::with_token_provider(engine, self.clock.wall(), provide);
        self.spawn(keeper);
        (index, engine)
    }

    fn connect_handle(&mut self, parameters: Parameters) -> (EngineIndex, rts_engine::Engine) {
        let clock = self.clock.for_engine();
        let app_id = AppId::new(APP_ID).expect("an app id");
        let mut config = client::Config::new(app_id.clone());
        config.parameters = parameters;
        let (engine, driver) = rts_engine::Engine::with_clock(config, self.seed_of_next(), clock);
        (self.enter(app_id, Core::Held(driver)), engine)
    }

    fn seed_of_next(&self) -> u64 {
        self.seed.wrapping_mul(31).wrapping_add(self.engines.len() as u64)
    }

    fn enter(&mut self, app_id: AppId, core: Core) -> EngineIndex {
        self.gate.add_app(&app_id);
        self.engines.push(SimulatedEngine::new(app_id, core));
        self.engines.len() - 1
    }

    /// The time of the monotonic clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The server's counts.
    #[must_use]
    pub fn stats(&self) -> server::Stats {
        self.node.ids().map(|shard| self.node.shard(shard).core.stats()).sum()
    }

    /// The most bytes that ever waited on one link towards a client.
    #[must_use]
    pub fn waiting_bytes_most(&self) -> usize {
        self.waiting_bytes_most
    }

    /// Makes a call on an engine of [`add`](Self::add) or [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// If the engine is one of [`connect`](Self::connect): the test calls its handles.
    pub fn call<R>(&mut self, who: EngineIndex, call: impl FnOnce(&mut Client, Instant) -> R) -> R {
        let now = self.now();
        let Core::Called(client) = &mut self.engines[who].core else {
            panic!("this engine has handles: call those");
        };
        let returned = call(client, now);
        self.drain_engine(who);
        returned
    }

    /// Runs a command of an app's back end on the only shard of the server. A server of several
    /// shards runs commands through [`Shards`](server::Shards).
    ///
    /// # Panics
    ///
    /// If the server has several shards.
    pub fn backend<R>(&mut self, command: impl FnOnce(&mut Server, Instant) -> R) -> R {
        assert_eq!(self.node.len(), 1, "commands go to several shards through `Shards`");
        server::Shards::shard(self, ShardId::FIRST, command)
    }

    /// Moves the clock on by `time`, and runs everything that is due in between.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now() + time;
        self.settle();
        while self.step(end) {}
        self.clock.advance_to(end);
    }

    /// Moves to the next moment at which something is due, and runs that. Returns false if nothing
    /// is due up to `end`.
    fn step(&mut self, end: Instant) -> bool {
        // What a link held back arrives when it is let go, which may be later than it was due.
        let next = self.next_moment().map(|next| next.max(self.now())).filter(|next| *next <= end);
        let reached = self.let_timers_pass(next.unwrap_or(end));
        let was_woken = self.wake_flag.take();
        let is_later = reached > self.now();
        self.steps_at_this_moment = if is_later { 0 } else { self.steps_at_this_moment + 1 };
        assert!(
            self.steps_at_this_moment < STEPS_AT_ONE_MOMENT_MAX,
            "still busy at {reached}: {:?}",
            self.deadlines.first()
        );
        self.clock.advance_to(reached);
        if next != Some(reached) {
            self.settle();
            return was_woken;
        }
        while let Some((link, side, arrival)) = self.net.take(self.now()) {
            self.arrive(link, side, arrival);
        }
        if self.driver_options.drains_late {
            (0..self.engines.len()).for_each(|who| self.drain_engine(who));
        }
        self.give_verdicts();
        self.let_app_server_answer();
        self.move_links();
        self.deliver_entries();
        self.tick();
        self.send_on_stale_links();
        self.settle();
        true
    }

    fn next_moment(&self) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        let verdict = self.verdicts.first().map(|(at, _)| *at);
        let answer = self.app_server.next_answer();
        let (entries, moved) = (self.mailboxes.next_arrival(), self.node.next_move());
        let arrival = self.net.next_arrival();
        [deadline, verdict, answer, arrival, entries, moved].into_iter().flatten().min()
    }

    fn tick(&mut self) {
        if self.driver_options.ticks_always {
            self.node.ids().for_each(|shard| self.tick_shard(shard));
            (0..self.engines.len()).for_each(|who| self.tick_engine(who));
            return;
        }
        while let Some((deadline, party)) = self.deadlines.first().copied() {
            if deadline > self.now() {
                return;
            }
            match party {
                Party::Shard(shard) => self.tick_shard(shard),
                Party::Engine(who) => self.tick_engine(who),
            }
        }
    }

    fn tick_engine(&mut self, who: EngineIndex) {
        if self.engines[who].is_frozen {
            return;
        }
        let now = self.now();
        self.engines[who].handle(now, client::Input::Tick);
        self.drain_engine(who);
        let engine = &self.engines[who];
        let reason = || engine.core.wake_reason();
        assert!(engine.deadline.is_none_or(|next| next > now), "{:?}", reason());
        engine.core.assert_bounded();
    }

    fn arrive(&mut self, link: LinkId, side: Side, arrival: Arrival) {
        let (who, own) = owner(link);
        let now = self.now();
        if arrival == Arrival::End {
            self.remember_stale_link(side, link);
        }
        if side == Side::Client && self.congested.contains(&link) {
            let shard = self.look_at_congestion(link);
            shard.into_iter().for_each(|shard| self.drain_shard(shard));
        }
        if side == Side::Server {
            if arrival == Arrival::End {
                self.congested.remove(&link);
            }
            let input = match arrival {
                Arrival::Open => {
                    let (shard, key) = (self.node.accept(link), self.resume_key(link));
                    self.node.handle(now, shard, server::Input::Accepted(link, key));
                    return self.drain_shard(shard);
                }
                Arrival::Bytes(bytes) => server::Input::Received(link, bytes),
                Arrival::End => server::Input::Disconnected(link),
                Arrival::Marked(mark) => {
                    return self.log.push((now, Happening::Marked(side, mark)));
                }
            };
            let shard = self.node.handle_of(now, link, input);
            return shard.into_iter().for_each(|shard| self.drain_shard(shard));
        }
        if Self::is_stranger(who) {
            return self.stranger_received(who, arrival);
        }
        let input = match arrival {
            Arrival::Open => client::Input::Connected(own),
            Arrival::Bytes(bytes) => client::Input::Received(own, bytes),
            Arrival::End => client::Input::Disconnected(own),
            Arrival::Marked(mark) => {
                return self.log.push((now, Happening::Marked(side, mark)));
            }
        };
        self.engines[who].handle(now, input);
        if !self.driver_options.drains_late {
            self.drain_engine(who);
        }
    }

    /// Executes the outputs of an engine.
    pub(crate) fn drain_engine(&mut self, who: EngineIndex) {
        if self.engines[who].is_frozen {
            return;
        }
        let now = self.now();
        let deadline = loop {
            match self.engines[who].core.next_output() {
                client::Output::Connect(own) => self.open_link(who, own),
                client::Output::Transmit(own, bytes) => {
                    self.transmit(link_of(who, own), Side::Server, bytes);
                }
                client::Output::Disconnect(own) => {
                    self.remember_stale_link(Side::Client, link_of(who, own));
                    self.net.close(now, link_of(who, own), Side::Client);
                }
                client::Output::Event(event) => {
                    self.log.push((now, Happening::Event(who, event)));
                }
                client::Output::Wait(deadline) => break deadline,
            }
        };
        let wants_read = self.engines[who].core.wants_read();
        if std::mem::replace(&mut self.engines[who].reads, wants_read) != wants_read {
            self.hold_up(who);
        }
        self.set_deadline(who, deadline);
    }

    fn set_deadline(&mut self, who: EngineIndex, deadline: Option<Instant>) {
        let before = std::mem::replace(&mut self.engines[who].deadline, deadline);
        move_deadline(&mut self.deadlines, Party::Engine(who), before, deadline);
    }

    /// Takes the deadline of a frozen engine away.
    pub(crate) fn freeze_deadline(&mut self, who: EngineIndex) {
        self.set_deadline(who, None);
    }
}

fn move_deadline(
    deadlines: &mut BTreeSet<(Instant, Party)>,
    party: Party,
    before: Option<Instant>,
    after: Option<Instant>,
) {
    if before == after {
        return;
    }
    if let Some(before) = before {
        deadlines.remove(&(before, party));
    }
    if let Some(after) = after {
        deadlines.insert((after, party));
    }
}
