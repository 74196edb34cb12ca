//! A run: clients with their load, and the verdict.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use rts_client::BuildError;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::figures::Figures;
use super::fleet::{Fleet, Player};
use super::history::{Room, User};
use super::laws::{self, Law, Violation};
use super::traffic::{Crowd, Traffic};
use crate::target::Target;

/// Logins in progress at once.
const LOGINS_AT_ONCE: usize = 200;
/// One of this number of users is displaced.
const USERS_PER_DISPLACED: u32 = 10;
/// The room that all users join, beside their standing rooms.
const CROWDED: Room = Room(1_000_000);
/// Members of the room while every join and leave is announced.
const ANNOUNCED_MAX: u32 = 200;
/// Only a fault takes longer.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// The time between two looks at something that is awaited.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What to do.
#[derive(Clone, Debug)]
pub struct Promises {
    /// The number of users.
    pub users: u32,
    /// Messages a second of all users together.
    pub rate: u32,
    /// The duration of a phase with messages.
    pub duration: Duration,
    /// Joins of one room, of all users together.
    pub joins: u32,
    /// Repeats the random choices, but not the timing.
    pub seed: u64,
}

/// Why a run has no verdict.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PromisesError {
    /// There are too few users for rooms and displacement.
    #[error("at least 2 users are needed")]
    TooFewUsers,
    /// The server did not end or start, or the system refused.
    #[error("the server: {0}")]
    Server(#[source] io::Error),
    /// There is no runtime for the clients.
    #[error("no runtime: {0}")]
    Runtime(#[source] io::Error),
    /// A client cannot be made.
    #[error("a client: {0}")]
    Client(#[from] BuildError),
}

/// A run against a server, or against something else that fails.
pub(super) struct Run<'a, S: ?Sized> {
    pub(super) job: &'a Promises,
    pub(super) fleet: Arc<Fleet>,
    pub(super) runtime: Runtime,
    pub(super) random: Rng,
    pub(super) server: &'a mut S,
    pub(super) say: &'a mut dyn FnMut(&str),
    /// What did not happen in time, or was noticed although it must not be.
    found: Vec<Violation>,
}

impl<'a, S: ?Sized> Run<'a, S> {
    pub(super) fn new(
        job: &'a Promises,
        target: &Target,
        server: &'a mut S,
        say: &'a mut dyn FnMut(&str),
    ) -> Result<Self, PromisesError> {
        if job.users < 2 {
            return Err(PromisesError::TooFewUsers);
        }
        let runtime = Runtime::new().map_err(PromisesError::Runtime)?;
        let (fleet, random) = (Arc::new(Fleet::new(target)), Rng::with_seed(job.seed));
        Ok(Self { job, fleet, runtime, random, server, say, found: Vec::new() })
    }

    /// Does these phases. Returns the violations.
    pub(super) fn judge(
        mut self,
        phases: impl FnOnce(&mut Self) -> Result<(), PromisesError>,
    ) -> Result<Vec<Violation>, PromisesError> {
        let violations = phases(&mut self).map(|()| self.verdict());
        self.fleet.close();
        violations
    }

    /// Does a phase, waits for all results, and prints its line. Returns what happened.
    pub(super) fn phase(
        &mut self,
        name: &str,
        work: impl FnOnce(&mut Self) -> Result<String, PromisesError>,
    ) -> Result<Figures, PromisesError> {
        let (from, begun) = (self.fleet.now(), Instant::now());
        let more = work(self)?;
        let fleet = Arc::clone(&self.fleet);
        self.wait_for("the results", move || fleet.has_all_results());
        let figures = self.fleet.look(|history| Figures::since(history, from));
        let seconds = begun.elapsed().as_secs_f64();
        (self.say)(&format!("{name:>12}: {seconds:.1} s, {more}{figures}"));
        Ok(figures)
    }

    pub(super) fn log_in(&mut self) -> Result<String, PromisesError> {
        let players = self.make((0..self.job.users).map(User))?;
        self.enter(players);
        Ok(String::new())
    }

    fn make(&self, users: impl Iterator<Item = User>) -> Result<Vec<Arc<Player>>, PromisesError> {
        let _runtime = self.runtime.enter();
        Ok(users.map(|user| self.fleet.make(user)).collect::<Result<_, _>>()?)
    }

    /// Logs clients in, and lets them join their standing rooms.
    fn enter(&mut self, players: Vec<Arc<Player>>) {
        let places = Arc::new(Semaphore::new(LOGINS_AT_ONCE));
        let mut entering = JoinSet::new();
        for player in players {
            let (fleet, places) = (Arc::clone(&self.fleet), Arc::clone(&places));
            let enter = async move {
                // It is never closed.
                let _place = places.acquire_owned().await;
                fleet.enter(&player).await;
                player.join(player.home());
                player.answered(player.home(), PATIENCE).await
            };
            entering.spawn_on(enter, self.runtime.handle());
        }
        let all = async { tokio::time::timeout(PATIENCE, entering.join_all()).await };
        if self.runtime.block_on(all).is_err() {
            self.report_stuck("the logins");
        }
    }

    /// Messages and broadcasts, and something else in their middle.
    pub(super) fn talk(
        &mut self,
        meanwhile: impl FnOnce(&mut Self) -> Result<String, PromisesError>,
    ) -> Result<String, PromisesError> {
        let Promises { users, rate, duration, .. } = *self.job;
        let runtime = self.runtime.handle();
        let traffic = Traffic::start(&self.fleet, runtime, users, rate, &mut self.random);
        std::thread::sleep(duration / 2);
        let more = meanwhile(self);
        std::thread::sleep(duration / 2);
        self.runtime.block_on(traffic.stop());
        more
    }

    /// Other clients of some users log in.
    pub(super) fn displace(&mut self) -> Result<String, PromisesError> {
        let mut users: Vec<User> = (0..self.job.users).map(User).collect();
        self.random.shuffle(&mut users);
        users.truncate(self.job.users.div_ceil(USERS_PER_DISPLACED) as usize);
        let old: Vec<_> = users.iter().filter_map(|user| self.fleet.newest_of(*user)).collect();
        let new = self.make(users.into_iter())?;
        self.enter(new);
        self.wait_for("the end of displaced logins", move || {
            old.iter().all(|player| player.is_logged_out())
        });
        Ok(String::new())
    }

    /// Half of the joins while every join is announced, and half with all users.
    pub(super) fn crowd(&mut self) -> Result<String, PromisesError> {
        let Promises { users, joins, .. } = *self.job;
        let per_user = joins.div_ceil(users);
        for (joins_per_user, members_max) in
            [(per_user / 2, ANNOUNCED_MAX.min(users)), (per_user - per_user / 2, users)]
        {
            let crowd = Crowd { room: CROWDED, joins_per_user, members_max };
            self.runtime.block_on(crowd.run(&self.fleet, &mut self.random));
        }
        Ok(String::new())
    }

    /// The verdict, when everything has arrived that still comes.
    fn verdict(&mut self) -> Vec<Violation> {
        let until = Instant::now() + PATIENCE / 4;
        loop {
            let found = self.fleet.look(laws::violations);
            let is_late = |violation: &Violation| {
                matches!(violation.law, Law::NotLost | Law::BroadcastNotLost)
            };
            if !found.iter().any(is_late) || Instant::now() > until {
                return self.found.drain(..).chain(found).collect();
            }
            std::thread::sleep(LOOK_AGAIN * 10);
        }
    }

    pub(super) fn wait_for(&mut self, what: impl fmt::Display, is_done: impl Fn() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_done() {
            if Instant::now() > until {
                return self.report_stuck(what);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    pub(super) fn report_stuck(&mut self, what: impl fmt::Display) {
        let what = format!("{what} did not come within {} s", PATIENCE.as_secs());
        self.report(Law::Progress, what);
    }

    pub(super) fn report(&mut self, law: Law, what: String) {
        self.found.push(Violation { law, what });
    }
}
