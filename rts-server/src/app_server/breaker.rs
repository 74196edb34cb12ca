//! Leaving an origin alone that does not answer.

use std::time::{Duration, Instant};

/// Failures in a row that open the breaker.
const FAILURES_MAX: u32 = 10;
/// How long it stays open at first. Each further failure doubles it.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// It never stays open for longer.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// ```text
///           10 failures in a row           the pause is over
/// Closed ------------------------> Open ---------------------> one try
///    ^                               ^   a failure: twice as long  |
///    +---- an answer, of any kind ---|-----------------------------+
/// ```
///
/// While it is open nothing is connected to, so a dead app server costs its app's clients no time,
/// and whoever is down is not hammered by all of them.
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
    /// Whether a try may be made now. Each `true` is to be followed by
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
            // Begun before it opened.
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
    fn nine_failures_change_nothing_and_the_tenth_opens_it_for_a_second() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        fail(&mut breaker, FAILURES_MAX - 1, now);
        fail(&mut breaker, 1, now);
        assert!(!breaker.admits(now));
        assert!(!breaker.admits(now + PAUSE_MIN - Duration::from_nanos(1)));
        assert!(breaker.admits(now + PAUSE_MIN));
    }

    #[test]
    fn an_answer_closes_it_and_forgets_the_failures() {
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
    fn one_try_is_made_after_each_pause_and_pauses_double_up_to_half_a_minute() {
        let (mut breaker, mut now) = (Breaker::default(), Instant::now());
        fail(&mut breaker, FAILURES_MAX, now);
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            now += Duration::from_secs(seconds);
            assert!(!breaker.admits(now - Duration::from_nanos(1)), "{seconds}");
            assert!(breaker.admits(now), "{seconds}");
            assert!(!breaker.admits(now), "one at a time");
            breaker.failed(now);
        }
    }

    #[test]
    fn failures_of_tries_from_before_do_not_make_the_pause_longer() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        fail(&mut breaker, FAILURES_MAX, now);
        (0..50).for_each(|_| breaker.failed(now));
        assert!(breaker.admits(now + PAUSE_MIN));
    }
}
