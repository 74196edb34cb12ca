//! Connects clients, a bounded number at once.

use std::time::{Duration, Instant};

use super::error::{RunError, STUCK_AFTER};
use super::running::Run;
use crate::client::{Client, Role};
use crate::net::{Happened, LinkIndex};
use crate::report::Times;

/// The longest wait for events.
pub(super) const LOOK_UP: Duration = Duration::from_millis(50);
/// The interval of the clients' heartbeats and similar frames.
const SWEEP: Duration = Duration::from_millis(250);
/// Clients that connect at once, for jobs without a setting.
pub(super) const AT_ONCE: usize = 200;

/// The time of the last sweep.
pub(super) struct Sweeper(Instant);

impl Sweeper {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    pub(super) fn sweep<C: Client>(&mut self, run: &mut Run<'_, C>) {
        if self.0.elapsed() >= SWEEP {
            self.0 = Instant::now();
            run.net.sweep(Client::sweep);
        }
    }
}

impl<C: Client> Run<'_, C> {
    /// Connects one client for each role, in this order. When all are ready, returns how long each
    /// took.
    pub(super) fn gather(
        &mut self,
        roles: impl ExactSizeIterator<Item = Role>,
        at_once: usize,
    ) -> Result<Times, RunError> {
        let target = self.target;
        let clients = roles.len();
        let mut roles = (0..).zip(roles);
        self.make_ready(clients, at_once, |run| {
            let Some((number, role)) = roles.next() else { return Ok(()) };
            run.net.connect(C::new(target, number, role)).map(drop)
        })
    }

    /// Connects the existing clients once more.
    pub(super) fn gather_again(
        &mut self,
        clients: usize,
        at_once: usize,
    ) -> Result<Times, RunError> {
        let mut indices = 0..clients;
        self.make_ready(clients, at_once, |run| match indices.next() {
            Some(index) => run.net.reconnect(index),
            None => Ok(()),
        })
    }

    /// Calls `connect` `clients` times, while at most `at_once` are not ready.
    fn make_ready(
        &mut self,
        clients: usize,
        at_once: usize,
        mut connect: impl FnMut(&mut Self) -> std::io::Result<()>,
    ) -> Result<Times, RunError> {
        let mut times = Times::new();
        let mut started_ns: Vec<u64> = Vec::with_capacity(clients);
        let mut ready = 0;
        let mut happened = Vec::new();
        let mut last_progress = Instant::now();
        let mut sweeper = Sweeper::new();
        while ready < clients {
            while started_ns.len() < clients && started_ns.len() - ready < at_once {
                started_ns.push(self.net.nanos());
                connect(self)?;
            }
            self.net.turn(Some(LOOK_UP))?;
            sweeper.sweep(self);
            happened = self.net.take_happened(happened);
            for (index, what) in happened.drain(..) {
                match what {
                    Happened::Ready => {
                        ready += 1;
                        last_progress = Instant::now();
                        let started = started_ns.get(index).copied().unwrap_or_default();
                        times.record(self.net.nanos() - started);
                    }
                    Happened::Lost(why) => return Err(self.lost(index, why)),
                    Happened::Delivered { .. } | Happened::Result { .. } => {}
                }
            }
            (self.progress)("clients", ready as f64 / clients as f64);
            if last_progress.elapsed() > STUCK_AFTER {
                return Err(RunError::Stuck { ready, clients });
            }
        }
        Ok(times)
    }

    pub(super) fn lost(&self, client: LinkIndex, why: String) -> RunError {
        RunError::Lost { client, scheme: self.target.scheme.name(), why }
    }
}
