//! The circuit breaker of an origin, which stops posts to an app server that fails.

use std::time::{Duration, Instant};

/// Failures in a row that open the breaker.
const FAILURES_MAX: u32 = 10;
/// First pause of an open breaker. Each further failure doubles the pause.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longest pause of an open breaker.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// ```text
///           10 failures in a row           the pause is over
/// Closed ------------------------> Open ---------------------> one try
///    ^                               ^   a failure: twice as long  |
///    +---- an answer, of any kind ---|-----------------------------+
/// ```
///
/// An open breaker refuses every post without a connection. A dead app server therefore costs the
/// clients of its app no time, and is not flooded with attempts.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    pause: Duration,
    is_being_tried: bool,
}

impl Breaker {
    /// Whether an attempt may be made now. After each `true` the caller calls
    /// [`succeeded`](Self::succeeded) or [`failed`](Self::failed).
    pub(super) fn admits(&mut self, now: Instant) -> bool {
        match &mut self.open {
            None => true,
            Some(open) if now < open.until || open.is_being_tried => false,
            Some(open) => {
                open.is_being_tried = true;
                true
            }
        }
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        match &mut self.open {
            Some(open) if open.is_being_tried => {
                open.pause = (open.pause * 2).min(PAUSE_MAX);
                open.until = now + open.pause;
                open.is_being_tried = false;
            }
            // An attempt that began before the breaker opened.
            Some(_) => {}
            None if self.failures >= FAILURES_MAX => {
                let until = now + PAUSE_MIN;
                self.open = Some(Open { until, pause: PAUSE_MIN, is_being_tried: false });
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &mut Breaker, times: u32, now: Instant) {
        for _ in 0..times {
            assert!(breaker.admits(now));
            breaker.failed(now);
        }
    }

    #[test]
    fn tenth_failure_opens_for_a_second() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        fail(&mut breaker, FAILURES_MAX - 1, now);
        fail(&mut breaker, 1, now);
        assert!(!breaker.admits(now));
        assert!(!breaker.admits(now + PAUSE_MIN - Duration::from_nanos(1)));
        assert!(breaker.admits(now + PAUSE_MIN));
    }

    #[test]
    fn answer_closes_and_forgets_failures() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        fail(&mut breaker, FAILURES_MAX - 1, now);
        breaker.succeeded();
        fail(&mut breaker, FAILURES_MAX, now);
        assert!(breaker.admits(now + PAUSE_MIN));
        breaker.succeeded();
        fail(&mut breaker, FAILURES_MAX - 1, now);
        assert!(breaker.admits(now));
    }

    #[test]
    fn admits_one_try_after_each_doubling_pause() {
        let (mut breaker, mut now) = (Breaker::default(), Instant::now());
        fail(&mut breaker, FAILURES_MAX, now);
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            now += Duration::from_secs(seconds);
            assert!(!breaker.admits(now - Duration::from_nanos(1)), "{seconds}");
            assert!(breaker.admits(now), "{seconds}");
            assert!(!breaker.admits(now), "one try for each pause");
            breaker.failed(now);
        }
    }

    #[test]
    fn failures_of_older_tries_do_not_lengthen_pause() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        fail(&mut breaker, FAILURES_MAX, now);
        (0..50).for_each(|_| breaker.failed(now));
        assert!(breaker.admits(now + PAUSE_MIN));
    }
}
