//! The simulator: random applications, random faults, and laws that must always hold.
//!
//! A seed expands to a [`Swarm`]: the kinds of calls and faults, the engines and their apps. The
//! run has three parts:
//!
//! 1. Faults. No message may be lost without its result, duplicated or out of order, and no result
//!    may be untrue.
//! 2. Healing. Afterwards all engines must be back, and every question must succeed.
//! 3. The end. Afterwards the server must be empty.
//!
//! Oracles judge the trace of calls and callbacks, against a model that knows nothing of the core.
//!
//! ```
//! let outcome = rts_sim::run(42, Default::default());
//! assert_eq!(outcome.failure, None);
//! assert_eq!(outcome.trace_hash, rts_sim::run(42, Default::default()).trace_hash);
//! ```

#![forbid(unsafe_code)]

mod attack;
mod batch;
mod engine;
mod flips;
mod harmed;
#[cfg(rts_planted)]
mod hunt;
mod model;
mod names;
mod newer;
mod oracles;
mod owners;
mod payload;
mod peer_entry;
mod plan;
mod reported;
mod run;
mod shape;
mod shrink;
mod situations;
mod spotter;
mod swarm;
mod trace;
mod wires;

use std::fmt::Write as _;
use std::time::Duration;

pub use batch::{Batch, batch};
#[cfg(rts_planted)]
pub use hunt::{Bug, Hunt, hunt};
pub use shape::{Shape, Size};
pub use situations::{Situation, Situations};
pub use swarm::{APPS_MAX, CROWD, CallKind, ENGINES_MAX, FaultKind, Harm, ROOMS_MAX, Swarm};
pub use trace::Print;

use plan::Plan;
use run::Played;

/// The outcome of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// A hash of the trace. One seed gives one hash, on every machine and in every build.
    pub trace_hash: u64,
    /// The number of lines of the trace.
    pub lines: u64,
    /// Calls that applications made.
    pub calls: u64,
    /// The simulated time.
    pub simulated: Duration,
    /// The situations that the run got into.
    pub situations: Situations,
    /// The law that was broken, if one was.
    pub failure: Option<String>,
}

/// Plays one seed. `size` overrides what the seed draws.
#[must_use]
pub fn run(seed: u64, size: Size) -> Outcome {
    outcome(seed, run::play(&Plan::draw(seed, size), None))
}

/// Plays one seed and prints its configuration, and its trace as it goes.
pub fn show(seed: u64, size: Size, print: Print) -> Outcome {
    let plan = Plan::draw(seed, size);
    print(&format_args!("seed {seed}\n{}", plan.swarm));
    outcome(seed, run::play(&plan, Some(print)))
}

fn outcome(seed: u64, played: Played) -> Outcome {
    Outcome {
        seed,
        trace_hash: played.trace.hash(),
        lines: played.trace.lines(),
        calls: played.calls,
        simulated: played.simulated,
        situations: played.situations,
        failure: played.violation,
    }
}

/// A report on a failed seed: its configuration, the smallest run that fails in the same way, and
/// the last lines of that run. Plays up to 400 runs.
#[must_use]
pub fn explain(seed: u64, size: Size) -> String {
    let plan = Plan::draw(seed, size);
    let played = run::play(&plan, None);
    let mut text = format!("seed {seed}\n{}\n", plan.swarm);
    let Some(violation) = played.violation else {
        text.push_str("no law was broken\n");
        return text;
    };
    let small = shrink::shrink(&plan, &violation);
    let again = run::play(&small, None);
    let shown = again.violation.as_ref().unwrap_or(&violation);
    // Writing into a string cannot fail.
    let _ = writeln!(text, "{} of {} steps are enough:", small.steps.len(), plan.steps.len());
    let _ = write!(text, "{small}");
    let _ = writeln!(text, "the last lines of that:");
    for line in again.trace.last() {
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "{shown}");
    text
}
