//! Times of this process, and medians.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A moment, and the CPU time that all threads of this process had used until then.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    at: Instant,
    cpu: Duration,
}

impl Moment {
    /// This moment.
    #[must_use]
    pub fn now() -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        // A process has used no negative time, and at most a second is less than a second long.
        let cpu = Duration::new(cpu.tv_sec.unsigned_abs(), cpu.tv_nsec.unsigned_abs() as u32);
        Self { at: Instant::now(), cpu }
    }

    /// What `count` things cost from this moment until now.
    #[must_use]
    pub fn cost(&self, count: u64) -> Cost {
        let now = Self::now();
        let seconds = now.at.duration_since(self.at).as_secs_f64();
        let cpu_seconds = now.cpu.saturating_sub(self.cpu).as_secs_f64();
        Cost { count, seconds, cpu_seconds }
    }
}

/// What a number of things cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// How many.
    pub count: u64,
    /// The time from begin to end.
    pub seconds: f64,
    /// The CPU time of all threads.
    pub cpu_seconds: f64,
}

impl Cost {
    /// How many in a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.count as f64 / self.seconds
    }

    /// Nanoseconds from begin to end for one.
    #[must_use]
    pub fn ns(&self) -> f64 {
        1e9 * self.seconds / self.count as f64
    }

    /// Nanoseconds of CPU time for one.
    #[must_use]
    pub fn cpu_ns(&self) -> f64 {
        1e9 * self.cpu_seconds / self.count as f64
    }

    /// The number of cores that were busy, on average.
    #[must_use]
    pub fn cores(&self) -> f64 {
        self.cpu_seconds / self.seconds
    }
}

/// The median of a figure of each cost.
///
/// # Panics
///
/// If there are no costs.
#[must_use]
pub fn median<T>(costs: &[T], figure: impl FnMut(&T) -> f64) -> f64 {
    let mut figures: Vec<f64> = costs.iter().map(figure).collect();
    figures.sort_unstable_by(f64::total_cmp);
    let (upper, lower) = (figures.len() / 2, (figures.len() - 1) / 2);
    (figures[lower] + figures[upper]) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle_or_the_mean_of_two() {
        assert_eq!(median(&[9, 1, 5], |figure| f64::from(*figure)), 5.0);
        assert_eq!(median(&[9, 1, 5, 2], |figure| f64::from(*figure)), 3.5);
        assert_eq!(median(&[7], |figure| f64::from(*figure)), 7.0);
    }

    #[test]
    fn work_costs_cpu_time_and_waiting_does_not() {
        let begin = Moment::now();
        while begin.cost(1).cpu_seconds < 0.01 {}
        let worked = begin.cost(10);
        assert!(worked.seconds > 0.0 && worked.cpu_ns() >= 1e6, "{worked:?}");
        let cost = Cost { count: 10, seconds: 2.0, cpu_seconds: 1.0 };
        assert_eq!([cost.per_second(), cost.ns(), cost.cpu_ns()], [5.0, 2e8, 1e8]);
        assert_eq!(cost.cores(), 0.5);
    }
}
