//! Bugs planted in the cores, each of which the simulator must find.

use std::time::{Duration, Instant};

use rts_proto::planted::plant;

pub use rts_proto::planted::Bug;

use super::batch;

/// How a planted bug was found.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// What was planted.
    pub bug: Bug,
    /// The seed that found it and the law that it broke; `None` if no seed did.
    pub found: Option<(u64, String)>,
    /// Seeds that were played.
    pub seeds: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Plants the bug in every core of this process and plays seeds from 0 on until one fails, at most
/// so many. Nothing else may play meanwhile.
#[must_use]
pub fn hunt(bug: Bug, threads: usize, seeds_max: u64) -> Hunt {
    plant(Some(bug));
    let begun = Instant::now();
    let batch = batch(0..seeds_max, threads, |outcome, _| outcome.failure.is_none());
    let elapsed = begun.elapsed();
    plant(None);
    Hunt { bug, found: batch.failures.into_iter().next(), seeds: batch.seeds, elapsed }
}
