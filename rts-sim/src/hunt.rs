//! Planted bugs in the cores, each of which the simulator must find.

use std::time::{Duration, Instant};

use rts_proto::planted::plant;

pub use rts_proto::planted::Bug;

use super::{Size, batch};

/// The search for one planted bug.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// The planted bug.
    pub bug: Bug,
    /// The seed that found the bug, and the law that it broke; `None` if no seed did.
    pub found: Option<(u64, String)>,
    /// The number of seeds that were played.
    pub seeds: u64,
    /// The time that the search took.
    pub elapsed: Duration,
}

/// Plants the bug in every core of this process, and plays up to `seeds_max` seeds from 0 on until
/// one fails. No other run may play at this time.
#[must_use]
pub fn hunt(bug: Bug, size: Size, threads: usize, seeds_max: u64) -> Hunt {
    plant(Some(bug));
    let begun = Instant::now();
    let batch = batch(0..seeds_max, size, threads, |outcome, _| outcome.failure.is_none());
    let elapsed = begun.elapsed();
    plant(None);
    Hunt { bug, found: batch.failures.into_iter().next(), seeds: batch.seeds, elapsed }
}
