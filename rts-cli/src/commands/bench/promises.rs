//! `rts bench promises`

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use rts_load::{Promises, Target, check_cluster, check_promises};
use rts_server::{DEV_APP_ID, DEV_APP_KEY, ShardCount};

use super::seconds::seconds;
use super::started_cluster::StartedCluster;
use super::started_server::{Settings, StartedServer};
use crate::dev_token::unix_now;
use crate::out::say;

/// Violations of one law that are printed.
const PRINTED_MAX: usize = 10;

#[derive(Debug, Args)]
pub(crate) struct PromisesArgs {
    /// Number of users
    #[arg(long, default_value_t = 1_000)]
    users: u32,
    /// Check a cluster of this number of nodes, which needs nats-server. Nodes and NATS are killed,
    /// stopped and cut off, and all nodes are restarted. Prints a table of the faults
    #[arg(long, value_parser = clap::value_parser!(u8).range(2..=8))]
    nodes: Option<u8>,
    /// The number of shards of a server [default: one for each processor that it may use]
    #[arg(long)]
    shards: Option<ShardCount>,
    /// Repeats the random choices of a run, but not its timing [default: a random number]
    #[arg(long)]
    seed: Option<u64>,
    /// Seconds of messages in each phase
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    /// Messages a second of all users together
    #[arg(long, default_value_t = 2_000)]
    rate: u32,
    /// Joins of one room, of all users together
    #[arg(long, default_value_t = 10_000)]
    joins: u32,
}

enum Servers {
    One(StartedServer),
    Cluster(StartedCluster),
}

pub(super) fn run(args: &PromisesArgs) -> anyhow::Result<()> {
    let PromisesArgs { users, seconds, rate, joins, .. } = *args;
    // Each client needs a file descriptor. If the limit cannot be raised, the logins do not come.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let seed = match args.seed {
        Some(seed) => seed,
        None => u64::from(getrandom::u32()?),
    };
    let mut server = match args.nodes {
        Some(nodes) => {
            let cluster = StartedCluster::start(nodes, args.shards, DEV_APP_ID, DEV_APP_KEY)?;
            Servers::Cluster(cluster)
        }
        None => Servers::One(StartedServer::start(Settings {
            app_id: DEV_APP_ID.to_owned(),
            app_key: DEV_APP_KEY.to_owned(),
            shards: args.shards,
            cpu: None,
        })?),
    };
    let url = match &server {
        Servers::Cluster(cluster) => cluster.urls(),
        Servers::One(server) => server.url().to_owned(),
    };
    let now = u32::try_from(unix_now())?;
    let target = Target::new(&url, DEV_APP_ID, DEV_APP_KEY, now, false)?;
    let duration = Duration::from_secs_f64(seconds);
    let job = Promises { users, rate, duration, joins, seed };
    let shards = args
        .shards
        .map_or("as many shards as processors".to_owned(), |shards| format!("{shards} shards"));
    let nodes = args.nodes.map_or(String::new(), |nodes| format!("{nodes} nodes of "));
    say(format_args!("{users} users, {nodes}{shards}, seed {seed}"))?;
    let mut unread = Ok(());
    let mut print = |line: &str| {
        let said = say(line);
        if unread.is_ok() {
            unread = said;
        }
    };
    let violations = match &mut server {
        Servers::Cluster(cluster) => check_cluster(&job, &target, cluster, &mut print),
        Servers::One(server) => check_promises(&job, &target, server, &mut print),
    }?;
    unread?;
    for same_law in violations.chunk_by(|first, second| first.law == second.law) {
        for violation in same_law.iter().take(PRINTED_MAX) {
            say(format_args!("seed {seed}: {violation}"))?;
        }
        if let Some(more) = same_law.len().checked_sub(PRINTED_MAX).filter(|more| *more > 0) {
            say(format_args!("seed {seed}: {:?}: {more} more", same_law[0].law))?;
        }
    }
    match violations.len() {
        0 => say("every law holds"),
        count => bail!("{count} violations of laws, with seed {seed}"),
    }
}
