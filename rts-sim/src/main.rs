//! `rts-sim`: plays seeds, and explains those that break a law.
#![forbid(unsafe_code)]
// These macros panic when the output is closed. `say` and `eprint_line` do not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::thread::available_parallelism;
use std::time::Instant;

use anyhow::Context as _;
use clap::Parser;
use rts_sim::{Batch, Size};
use serde_json::json;

/// Messages are many small, short-lived allocations, which this allocator is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The most failures that are explained, because each explanation takes a while.
const EXPLAINED_MAX: usize = 3;

/// The most nodes of a server.
const NODES_MAX: i64 = rts_testkit::NODES_MAX as i64;
/// The most shards of a node.
const SHARDS_MAX: i64 = rts_proto::server::ShardId::COUNT_MAX as i64;

/// Simulate random applications and faults, and check every law.
#[derive(Debug, Parser)]
#[command(name = "rts-sim", version)]
struct Args {
    /// The number of seeds to run
    #[arg(long, default_value_t = 100, conflicts_with = "seed")]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0, conflicts_with = "seed")]
    from: u64,
    /// Run this seed only
    #[arg(long)]
    seed: Option<u64>,
    /// The number of nodes of every server; 1 is no cluster [default: drawn for each seed, most of
    /// them have one]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=NODES_MAX))]
    nodes: Option<u8>,
    /// The number of shards of every node [default: drawn for each seed, half of them have one]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=SHARDS_MAX))]
    shards: Option<u8>,
    /// Print the whole trace of the seed
    #[arg(long, requires = "seed")]
    trace: bool,
    /// The number of threads [default: the number of cores]
    #[arg(long)]
    threads: Option<usize>,
    /// Fail unless each named situation occurs at least this often
    #[arg(long, value_name = "TIMES", conflicts_with = "seed")]
    situations: Option<u64>,
    /// Plant each bug of the list in the cores, and find it. Needs a build with `RUSTFLAGS="--cfg
    /// rts_planted"`
    #[arg(long, conflicts_with_all = ["seed", "situations"])]
    planted: bool,
    /// Plant only the bugs whose names contain this text
    #[cfg(rts_planted)]
    #[arg(long, value_name = "TEXT", requires = "planted")]
    bug: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // A core's panic is reported as a failure of its seed, so the default message is suppressed.
    std::panic::set_hook(Box::new(|_| {}));
    let done = match args.seed {
        _ if args.planted => planted(&args),
        Some(seed) => one(&args, seed),
        None => many(&args),
    };
    match done {
        Ok(code) => code,
        Err(error) if is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprint_line(format_args!("rts-sim: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(rts_planted))]
fn planted(_: &Args) -> anyhow::Result<ExitCode> {
    anyhow::bail!(
        "this build has no planted bugs, as it should be; for them: \
         RUSTFLAGS='--cfg rts_planted' cargo run --release -p rts-sim \
         --target-dir target/planted -- --planted"
    )
}

/// Searches every planted bug but those of a model, or those with a text in their names. Fails if
/// one is not found.
#[cfg(rts_planted)]
fn planted(args: &Args) -> anyhow::Result<ExitCode> {
    let mut missed = Vec::new();
    let mut hunts = Vec::new();
    let is_meant = |bug: &&rts_sim::Bug| match &args.bug {
        Some(text) => format!("{bug:?}").contains(text),
        None => !rts_sim::Bug::OF_LEASE_MODEL.contains(bug),
    };
    for bug in rts_sim::Bug::ALL.iter().filter(is_meant) {
        let hunt = rts_sim::hunt(*bug, size(args), threads(args), args.seeds);
        let seconds = hunt.elapsed.as_secs_f64();
        match &hunt.found {
            Some((seed, law)) => {
                hunts.push(json!({
                    "bug": format!("{bug:?}"),
                    "seconds": seconds,
                    "seeds": hunt.seeds,
                    "seed": seed,
                    "law": law,
                }));
                if !args.json {
                    let law: String = law.chars().take(100).collect();
                    let seeds = hunt.seeds;
                    say(format_args!("{bug:?}: {seconds:.2} s, seed {seed} of {seeds}: {law}"))?;
                }
            }
            None => {
                let seeds = hunt.seeds;
                eprint_line(format_args!("{bug:?} was not found in {seeds} seeds, {seconds:.2} s"));
                missed.push(bug);
            }
        }
    }
    if args.json {
        say(json!({ "found": hunts, "missed": missed.len() }))?;
    } else {
        let all = hunts.len() + missed.len();
        say(format_args!("{} of {all} planted bugs found", hunts.len()))?;
    }
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn threads(args: &Args) -> usize {
    args.threads.unwrap_or_else(|| available_parallelism().map_or(1, usize::from))
}

fn size(args: &Args) -> Size {
    Size { nodes: args.nodes.map(usize::from), shards: args.shards.map(usize::from) }
}

fn one(args: &Args, seed: u64) -> anyhow::Result<ExitCode> {
    let outcome = match args.trace {
        true => rts_sim::show(seed, size(args), print),
        false => rts_sim::run(seed, size(args)),
    };
    if args.json {
        say(json!({
            "seed": seed,
            "traceHash": format!("{:016x}", outcome.trace_hash),
            "lines": outcome.lines,
            "calls": outcome.calls,
            "simulatedSeconds": outcome.simulated.as_secs(),
            "failure": outcome.failure,
        }))?;
    } else {
        say(format_args!(
            "seed {seed}: {} calls in {} s, {} lines, trace {:016x}",
            outcome.calls,
            outcome.simulated.as_secs(),
            outcome.lines,
            outcome.trace_hash
        ))?;
        if outcome.failure.is_some() {
            say(rts_sim::explain(seed, size(args)))?;
        }
    }
    Ok(if outcome.failure.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints a line of a trace, and ignores a closed output: the run is played to its end, and the
/// next `say` fails.
fn print(line: &dyn Display) {
    let _ = say(line);
}

fn many(args: &Args) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let shows_progress = io::stderr().is_terminal();
    let seeds = args.from..args.from + args.seeds;
    let batch = rts_sim::batch(seeds, size(args), threads(args), |_, so_far| {
        if shows_progress && so_far.seeds % 10 == 0 {
            let (played, failed) = (so_far.seeds, so_far.failures.len());
            eprint_part(format_args!("\r{played} of {} seeds, {failed} failed", args.seeds));
        }
        so_far.failures.len() < EXPLAINED_MAX
    });
    if shows_progress {
        eprint_line("");
    }
    let rare = args.situations.map(|times| batch.situations.rarer_than(times)).unwrap_or_default();
    if args.json {
        let situations: serde_json::Map<_, _> = batch
            .situations
            .counts()
            .map(|(name, count)| (format!("{name:?}"), count.into()))
            .collect();
        say(json!({
            "from": args.from,
            "seeds": batch.seeds,
            "calls": batch.calls,
            "lines": batch.lines,
            "simulatedHours": batch.simulated.as_secs() / 3_600,
            "seconds": begun.elapsed().as_secs(),
            "traceHash": format!("{:016x}", batch.trace_hash),
            "situations": situations,
            "failures": batch.failures,
        }))?;
    } else {
        report(args, &batch, begun)?;
    }
    if !rare.is_empty() {
        say(format_args!("met too rarely: {rare:?}"))?;
    }
    Ok(if batch.failures.is_empty() && rare.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn report(args: &Args, batch: &Batch, begun: Instant) -> anyhow::Result<()> {
    for (name, count) in batch.situations.counts() {
        say(format_args!("{count:>10} {name:?}"))?;
    }
    for (seed, _) in batch.failures.iter().take(EXPLAINED_MAX) {
        say(format_args!("\n{}", rts_sim::explain(*seed, size(args))))?;
    }
    say(format_args!(
        "{} seeds from {}: {} h simulated, {} calls, {} lines, {} failed, in {} s; trace {:016x}",
        batch.seeds,
        args.from,
        batch.simulated.as_secs() / 3_600,
        batch.calls,
        batch.lines,
        batch.failures.len(),
        begun.elapsed().as_secs(),
        batch.trace_hash,
    ))
}

/// Prints a line at once. Fails when the output is closed, which ends the command.
fn say(line: impl Display) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("standard output")
}

/// Prints a line on standard error, and ignores a closed output.
fn eprint_line(line: impl Display) {
    eprint_part(format_args!("{line}\n"));
}

/// Prints on standard error like [`eprint_line`], without a new line, for progress that is
/// overwritten.
fn eprint_part(part: impl Display) {
    let mut err = io::stderr().lock();
    let _ = write!(err, "{part}").and_then(|()| err.flush());
}

/// Whether the command ended only because its output was closed. That is no failure.
fn is_unread(error: &anyhow::Error) -> bool {
    let cause = error.root_cause().downcast_ref::<io::Error>();
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
