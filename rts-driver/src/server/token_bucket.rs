//! A token bucket: a burst after quiet, and then a rate.

use std::time::{Duration, Instant};

/// The shortest wait. Without it, rounding might keep a thread busy.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// The rate of a [`TokenBucket`]: `burst` tokens at once after quiet, and then `per_second`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) burst: f64,
    pub(crate) per_second: f64,
}

impl Rate {
    /// The burst is the number of tokens of `burst_seconds`. `None` for 0 a second, which means no
    /// limit.
    pub(crate) fn new(per_second: u32, burst_seconds: f64) -> Option<Self> {
        let per_second = f64::from(per_second);
        (per_second > 0.0).then_some(Self { burst: per_second * burst_seconds, per_second })
    }
}

/// Counts taken tokens. Each call gets the rate, because the rate may change.
#[derive(Debug, Default)]
pub(crate) struct TokenBucket {
    /// Tokens taken, less those that time has given back.
    used: f64,
    at: Option<Instant>,
}

impl TokenBucket {
    pub(crate) fn has_token(&mut self, rate: Rate, now: Instant) -> bool {
        self.level(rate, now) >= 1.0
    }

    /// The time until there is a token; `None` if there is one.
    pub(crate) fn wait(&mut self, rate: Rate, now: Instant) -> Option<Duration> {
        let missing = 1.0 - self.level(rate, now);
        let wait = || Duration::from_secs_f64(missing / rate.per_second).max(WAIT_MIN);
        (missing > 0.0).then(wait)
    }

    /// Whether all tokens of the burst are there.
    pub(crate) fn is_full(&mut self, rate: Rate, now: Instant) -> bool {
        self.level(rate, now) >= rate.burst
    }

    pub(crate) fn take_one(&mut self) {
        self.used += 1.0;
    }

    /// Returns a token that was taken without need.
    pub(crate) fn return_one(&mut self) {
        self.used = (self.used - 1.0).max(0.0);
    }

    fn level(&mut self, rate: Rate, now: Instant) -> f64 {
        let at = self.at.map_or(now, |at| at.max(now));
        let passed = self.at.replace(at).map_or(Duration::ZERO, |before| at - before);
        self.used = (self.used - passed.as_secs_f64() * rate.per_second).max(0.0);
        rate.burst - self.used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(bucket: &mut TokenBucket, rate: Rate, now: Instant) -> usize {
        let taken = (0..1_000).take_while(|_| {
            let has_room = bucket.has_token(rate, now);
            if has_room {
                bucket.take_one();
            }
            has_room
        });
        taken.count()
    }

    #[test]
    fn gives_a_burst_and_then_the_rate() {
        let rate = Rate::new(4, 2.5).expect("a rate");
        let (mut bucket, start) = (TokenBucket::default(), Instant::now());
        assert!(bucket.is_full(rate, start));
        assert_eq!(take(&mut bucket, rate, start), 10);
        assert!(!bucket.is_full(rate, start));
        assert_eq!(bucket.wait(rate, start), Some(Duration::from_millis(250)));
        let later = start + Duration::from_millis(250);
        assert_eq!(bucket.wait(rate, later), None);
        assert_eq!(take(&mut bucket, rate, later), 1);
        bucket.return_one();
        assert_eq!(take(&mut bucket, rate, later), 1);
        assert_eq!(take(&mut bucket, rate, start + Duration::from_secs(1_000)), 10);
    }

    /// Threads read the clock before they wait for a lock, so moments may come out of order.
    #[test]
    fn time_that_goes_back_gives_no_tokens() {
        let rate = Rate::new(4, 1.0).expect("a rate");
        let (mut bucket, start) = (TokenBucket::default(), Instant::now());
        let later = start + Duration::from_secs(1);
        assert_eq!(take(&mut bucket, rate, later), 4);
        assert_eq!(take(&mut bucket, rate, start), 0);
        assert_eq!(take(&mut bucket, rate, later), 0);
    }

    #[test]
    fn zero_per_second_is_no_rate() {
        assert!(Rate::new(0, 5.0).is_none());
    }
}
