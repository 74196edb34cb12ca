//! A simulated server and its engines, in virtual time.

mod app;
mod cluster;
mod draining;
mod engines;
mod happening;
mod links;
mod requests;
mod serving;
mod shards;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rts_proto::client::{self, Parameters};
use rts_proto::server::{self, Credentials, RequestId, Server, ShardId};
use rts_proto::{AppId, Instant, LinkId, LoginId};

pub use happening::Happening;
pub(crate) use links::{link_of, owner};
pub use serving::shard_of_call;

use crate::app_server::AppServer;
use crate::clock::Clock;
use crate::cluster::Cluster;
use crate::engine::SimulatedEngine;
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
    /// Requests of back ends without a response, each with the shard to which it came.
    requests: BTreeMap<RequestId, ShardId>,
    last_request: u64,
    /// The nodes of the server, if it is a cluster.
    pub(crate) cluster: Option<Cluster>,
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
            requests: BTreeMap::new(),
            last_request: 0,
            cluster: None,
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

    /// The time of the monotonic clock.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The server's counts.
    #[must_use]
    pub fn stats(&self) -> server::Stats {
        server::Stats::of_node(
            self.node.ids().map(|shard| self.node.shard(shard).core.stats_part()),
        )
    }

    /// The most bytes that ever waited on one link towards a client.
    #[must_use]
    pub fn waiting_bytes_most(&self) -> usize {
        self.waiting_bytes_most
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
        self.run_cluster();
        self.tick();
        self.run_cluster();
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
        let cluster = self.cluster.as_ref().and_then(|cluster| cluster.next_moment(self.now()));
        [deadline, verdict, answer, arrival, entries, moved, cluster].into_iter().flatten().min()
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
                    let shards = self.shards_for(who);
                    if shards.is_empty() {
                        return self.net.cut(now, link);
                    }
                    let (shard, key) = (self.node.accept(link, &shards), self.resume_key(link));
                    self.input(shard, server::Input::Accepted(link, key));
                    return self.drain_shard(shard);
                }
                Arrival::Bytes(bytes) => server::Input::Received(link, bytes),
                Arrival::End => server::Input::Disconnected(link),
                Arrival::Marked(mark) => {
                    return self.log.push((now, Happening::Marked(side, mark)));
                }
            };
            let shard = self.input_of(link, input);
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
