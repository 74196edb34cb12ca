//! A run against a cluster, whose nodes and NATS server fail.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::figures::Figures;
use super::history::{History, What};
use super::laws::{Law, Violation};
use super::run::{LOOK_AGAIN, PATIENCE, Promises, PromisesError, Run};
use crate::target::Target;

/// What was sent this long before a fault has arrived by then.
const BEFORE: Duration = Duration::from_millis(500);
/// Longer than a frozen node may come back.
const LONG: Duration = Duration::from_secs(20);
/// Shorter than a lease.
const SHORT: Duration = Duration::from_secs(3);
/// The time in which a supervisor starts a process again.
const RESTART: Duration = Duration::from_millis(500);

/// A fault of a cluster. Nodes have the numbers from 0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process of a node is killed, as in a crash.
    NodeKilled(usize),
    /// The process of a node stands still.
    NodePaused(usize),
    /// Nothing goes between a node and the NATS server.
    NodeCutOff(usize),
    /// The process of the NATS server is killed.
    NatsKilled,
    /// The process of the NATS server stands still.
    NatsPaused,
}

/// A cluster on this machine, whose parts fail on demand.
pub trait Cluster {
    /// The number of its nodes.
    fn nodes(&self) -> usize;

    /// Begins a fault.
    ///
    /// # Errors
    ///
    /// The system refuses.
    fn begin(&mut self, fault: Fault) -> io::Result<()>;

    /// Ends a fault. What was killed is started again.
    ///
    /// # Errors
    ///
    /// The system refuses, or a process does not start.
    fn end(&mut self, fault: Fault) -> io::Result<()>;

    /// Asks a node to stop, waits for its end, and starts it again.
    ///
    /// # Errors
    ///
    /// The system refuses, or the node does not end or start.
    fn restart(&mut self, node: usize) -> io::Result<()>;

    /// Waits until all nodes are members and act.
    ///
    /// # Errors
    ///
    /// It takes too long.
    fn until_whole(&mut self) -> io::Result<()>;
}

/// The faults of a run, with their names and durations. Each is another node's.
const FAULTS: [(&str, Fault, Duration); 9] = [
    ("`kill -9` of a node, which starts again", Fault::NodeKilled(0), RESTART),
    ("`kill -9` of a node, away for 20 s", Fault::NodeKilled(1), LONG),
    ("SIGSTOP of a node for 3 s", Fault::NodePaused(2), SHORT),
    ("SIGSTOP of a node for 20 s", Fault::NodePaused(0), LONG),
    ("a node without NATS for 3 s", Fault::NodeCutOff(1), SHORT),
    ("a node without NATS for 20 s", Fault::NodeCutOff(2), LONG),
    ("`kill -9` of NATS, which starts again", Fault::NatsKilled, RESTART),
    ("SIGSTOP of NATS for 3 s", Fault::NatsPaused, SHORT),
    ("SIGSTOP of NATS for 20 s", Fault::NatsPaused, LONG),
];

/// Puts load on a cluster, lets each of its parts fail, restarts all nodes, and checks all laws.
/// Calls `say` with a line for each phase, and at the end with a table. Returns the violations.
///
/// # Errors
///
/// Fails if a part of the cluster or a client cannot be started.
pub fn check_cluster(
    job: &Promises,
    target: &Target,
    cluster: &mut dyn Cluster,
    say: &mut dyn FnMut(&str),
) -> Result<Vec<Violation>, PromisesError> {
    Run::new(job, target, cluster, say)?.judge(Run::phases)
}

/// What a fault did to the users.
struct Row {
    name: &'static str,
    /// In order, for each user: the time from the beginning of the fault until it was served again.
    back: Vec<Duration>,
    /// Users whose sessions were lost.
    new_sessions: usize,
    figures: Figures,
}

impl Run<'_, dyn Cluster + '_> {
    fn phases(&mut self) -> Result<(), PromisesError> {
        self.phase("login", Self::log_in)?;
        self.phase("steady", |run| run.talk(|_| Ok(String::new())))?;
        let mut rows = Vec::new();
        for (name, fault, lasts) in FAULTS {
            let fault = fault.within(self.server.nodes());
            rows.push(self.row(name, |run| run.fault(fault, lasts))?);
        }
        let from = self.fleet.now();
        let row = self.row("restart of all nodes, one by one", Self::restart_all)?;
        self.check_not_noticed(from, &row);
        rows.push(row);
        self.phase("displacement", |run| run.talk(Self::displace))?;
        self.phase("joins", Self::crowd)?;
        (self.say)(&table(&rows));
        Ok(())
    }

    /// A phase in which all users talk while something happens.
    fn row(
        &mut self,
        name: &'static str,
        happens: impl FnOnce(&mut Self) -> Result<Vec<Duration>, PromisesError>,
    ) -> Result<Row, PromisesError> {
        let (players, mut back) = (self.fleet.newest(), Vec::new());
        let sessions: Vec<u64> = players.iter().map(|player| player.sessions()).collect();
        let figures = self.phase(name, |run| {
            run.talk(|run| {
                back = happens(run)?;
                back.sort_unstable();
                let last = back.last().map(|last| format!("all back after {} s, ", tenths(*last)));
                Ok(last.unwrap_or_default())
            })
        })?;
        let now = players.iter().map(|player| player.sessions());
        let new_sessions = now.zip(sessions).filter(|(now, before)| now > before).count();
        Ok(Row { name, back, new_sessions, figures })
    }

    /// Returns how long each user was not served.
    fn fault(&mut self, fault: Fault, lasts: Duration) -> Result<Vec<Duration>, PromisesError> {
        let from = self.fleet.now();
        std::thread::sleep(BEFORE);
        let begun = Instant::now();
        self.server.begin(fault).map_err(PromisesError::Server)?;
        let returns = self.await_returns(begun);
        std::thread::sleep(lasts.saturating_sub(begun.elapsed()));
        self.server.end(fault).map_err(PromisesError::Server)?;
        let returns = async { tokio::time::timeout(PATIENCE, returns.join_all()).await };
        let back = self.runtime.block_on(returns);
        let back = back.unwrap_or_else(|_| {
            self.report_stuck("the return of all users");
            Vec::new()
        });
        self.server.until_whole().map_err(PromisesError::Server)?;
        self.fleet.fault(from..self.fleet.now());
        Ok(back)
    }

    /// Each user sends to the next one until one message has result 0, and is in its rooms again.
    fn await_returns(&self, begun: Instant) -> JoinSet<Duration> {
        let mut returns = JoinSet::new();
        let players = self.fleet.newest();
        let next = players.iter().cycle().skip(1).map(|player| player.user);
        for (player, next) in players.iter().zip(next) {
            let player = Arc::clone(player);
            let back = async move {
                player.reach(next).await;
                while !player.is_back() {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                begun.elapsed()
            };
            returns.spawn_on(back, self.runtime.handle());
        }
        returns
    }

    fn restart_all(&mut self) -> Result<Vec<Duration>, PromisesError> {
        for node in 0..self.server.nodes() {
            self.server.restart(node).map_err(PromisesError::Server)?;
            self.server.until_whole().map_err(PromisesError::Server)?;
        }
        Ok(Vec::new())
    }

    /// Nobody may have noticed what happened from this moment on.
    fn check_not_noticed(&mut self, from: u64, row: &Row) {
        if row.new_sessions > 0 {
            let what = format!("{} users have new sessions", row.new_sessions);
            self.report(Law::NotNoticed, what);
        }
        for what in self.fleet.look(|history| noticed(history, from)) {
            self.report(Law::NotNoticed, what);
        }
    }
}

/// What tells users that something happened from this moment on.
fn noticed(history: &History<'_>, from: u64) -> Vec<String> {
    let mut noticed = Vec::new();
    for (index, client) in history.clients.iter().enumerate() {
        let first = client.records.partition_point(|record| record.at < from);
        for record in &client.records[first..] {
            let is_seen = match record.what {
                What::Result { room: None, code, .. } => code != 0,
                What::Result { room: Some(_), code, .. } => code != 200,
                What::LoggedOut(_)
                | What::Joined(..)
                | What::State(..)
                | What::UserJoined(..)
                | What::UserLeft(..) => true,
                _ => false,
            };
            if is_seen {
                noticed.push(format!("client {index}: {:?}", record.what));
            }
        }
    }
    noticed
}

impl Fault {
    /// The same fault of a node that is there.
    fn within(self, nodes: usize) -> Self {
        match self {
            Self::NodeKilled(node) => Self::NodeKilled(node % nodes),
            Self::NodePaused(node) => Self::NodePaused(node % nodes),
            Self::NodeCutOff(node) => Self::NodeCutOff(node % nodes),
            Self::NatsKilled | Self::NatsPaused => self,
        }
    }
}

/// In Markdown.
fn table(rows: &[Row]) -> String {
    let mut lines = vec![
        "| fault | half of the users back | all | new sessions | messages |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    for Row { name, back, new_sessions, figures } in rows {
        let seconds = |at: Option<&Duration>| at.map_or("–".to_owned(), |at| tenths(*at) + " s");
        let (half, all) = (seconds(back.get(back.len() / 2)), seconds(back.last()));
        let messages = figures.message_results();
        lines.push(format!("| {name} | {half} | {all} | {new_sessions} | {messages} |"));
    }
    lines.join("\n")
}

fn tenths(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64())
}
