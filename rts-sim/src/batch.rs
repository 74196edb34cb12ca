//! Plays many seeds on several threads.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use super::{Outcome, Situations, Size, run};

/// The sums over many seeds.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The number of seeds that were played.
    pub seeds: u64,
    /// Calls that applications made.
    pub calls: u64,
    /// The lines of all traces.
    pub lines: u64,
    /// The simulated time of all runs together.
    pub simulated: Duration,
    /// The situations that the runs got into.
    pub situations: Situations,
    /// A hash over the traces of all played seeds, independent of their order.
    pub trace_hash: u64,
    /// The failed seeds in order, each with the broken law.
    pub failures: Vec<(u64, String)>,
}

impl Batch {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        self.calls += outcome.calls;
        self.lines += outcome.lines;
        self.simulated += outcome.simulated;
        self.situations.add(&outcome.situations);
        self.trace_hash ^= outcome.trace_hash.rotate_left((outcome.seed % 64) as u32);
        if let Some(failure) = &outcome.failure {
            self.failures.push((outcome.seed, failure.clone()));
        }
    }
}

/// Plays these seeds on `threads` threads. `size` overrides the drawn one. `watch`
/// sees each outcome as it comes, and returns whether to continue.
pub fn batch(
    seeds: Range<u64>,
    size: Size,
    threads: usize,
    mut watch: impl FnMut(&Outcome, &Batch) -> bool,
) -> Batch {
    let next = AtomicU64::new(seeds.start);
    let is_over = AtomicBool::new(false);
    let mut batch = Batch::default();
    std::thread::scope(|scope| {
        let (report, outcomes) = mpsc::channel();
        for _ in 0..threads.max(1) {
            let (report, next, is_over) = (report.clone(), &next, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || report.send(run(seed, size)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(report);
        for outcome in outcomes {
            batch.add(&outcome);
            if !watch(&outcome, &batch) {
                is_over.store(true, Ordering::Relaxed);
            }
        }
    });
    batch.failures.sort();
    batch
}
