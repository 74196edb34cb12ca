//! A throttle for one line of the log: a repeated event is logged now and then.

use std::time::{Duration, Instant};

/// Time between two lines.
const INTERVAL: Duration = Duration::from_secs(10);

/// Passes one line every 10 seconds, the first at once, and counts the suppressed ones.
#[derive(Debug, Default)]
pub struct LogThrottle {
    logged_at: Option<Instant>,
    suppressed: u64,
}

impl LogThrottle {
    /// `Some` if the line may be logged now, with the number of lines suppressed since the last
    /// one. `None` if this line is suppressed too.
    pub fn allow(&mut self, now: Instant) -> Option<u64> {
        if self.logged_at.is_some_and(|at| now.saturating_duration_since(at) < INTERVAL) {
            self.suppressed += 1;
            return None;
        }
        self.logged_at = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttle_counts_the_lines_that_it_suppresses() {
        let (start, mut throttle) = (Instant::now(), LogThrottle::default());
        assert_eq!(throttle.allow(start), Some(0));
        let just_before = start + INTERVAL - Duration::from_nanos(1);
        assert_eq!(throttle.allow(start), None);
        assert_eq!(throttle.allow(just_before), None);
        assert_eq!(throttle.allow(start + INTERVAL), Some(2));
        assert_eq!(throttle.allow(start + INTERVAL * 2), Some(0));
    }
}
