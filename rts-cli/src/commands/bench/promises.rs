//! `rts bench promises`

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use rts_load::{Promises, Target, check_promises};
use rts_server::{DEV_APP_ID, DEV_APP_KEY, ShardCount};

use super::seconds::seconds;
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
    /// The number of shards of the server [default: one for each processor that it may use]
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

pub(super) fn run(args: &PromisesArgs) -> anyhow::Result<()> {
    let PromisesArgs { users, seconds, rate, joins, .. } = *args;
    // Each client needs a file descriptor. If the limit cannot be raised, the logins do not come.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let seed = match args.seed {
        Some(seed) => seed,
        None => u64::from(getrandom::u32()?),
    };
    let settings = Settings {
        app_id: DEV_APP_ID.to_owned(),
        app_key: DEV_APP_KEY.to_owned(),
        shards: args.shards,
        cpu: None,
    };
    let mut server = StartedServer::start(settings)?;
    let now = u32::try_from(unix_now())?;
    let target = Target::new(server.url(), DEV_APP_ID, DEV_APP_KEY, now, false)?;
    let duration = Duration::from_secs_f64(seconds);
    let job = Promises { users, rate, duration, joins, seed };
    let shards = args
        .shards
        .map_or("as many shards as processors".to_owned(), |shards| format!("{shards} shards"));
    say(format_args!("{users} users, {shards}, seed {seed}"))?;
    let mut unread = Ok(());
    let violations = check_promises(&job, &target, &mut server, &mut |line| {
        let said = say(line);
        if unread.is_ok() {
            unread = said;
        }
    })?;
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
