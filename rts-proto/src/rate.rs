//! Token buckets that hold the tokens of one second.

use core::time::Duration;

use crate::Instant;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// Lets `per_second` events a second pass on average, and up to one second's worth at once after a
/// pause. Counts in millionths of an event, so that rounding loses nothing.
#[derive(Clone, Debug)]
pub(crate) struct TokenBucket {
    /// Zero means no limit.
    per_second: u32,
    /// The most that may pass at once, in millionths of an event.
    capacity: u64,
    /// Millionths of an event that may pass at `updated`.
    level: u64,
    updated: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self::with_burst(per_second, per_second, now)
    }

    /// A full bucket of which `burst` may pass at once.
    pub(crate) fn with_burst(per_second: u32, burst: u32, now: Instant) -> Self {
        let capacity = u64::from(burst) * MICROS_PER_SECOND;
        Self { per_second, capacity, level: capacity, updated: now }
    }

    /// A bucket that stays below another one of the same rate at the far end of a network. It holds
    /// half a second's worth, so that events that the network bunches up still pass there.
    pub(crate) fn cautious(per_second: u32, now: Instant) -> Self {
        let capacity = (u64::from(per_second) * MICROS_PER_SECOND / 2).max(MICROS_PER_SECOND);
        Self { per_second, capacity, level: capacity, updated: now }
    }

    /// This bucket, if it has the rate of `fresh`. Otherwise `fresh`.
    pub(crate) fn or_of_another_rate(&self, fresh: Self) -> Self {
        if self.per_second == fresh.per_second { self.clone() } else { fresh }
    }

    /// Takes one event's worth. False when the bucket has less.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.take_many(1, now)
    }

    /// Takes the worth of this number of events. Takes nothing and returns false when it has less.
    pub(crate) fn take_many(&mut self, count: u32, now: Instant) -> bool {
        if self.per_second == 0 {
            return true;
        }
        self.refill(now);
        match self.level.checked_sub(u64::from(count) * MICROS_PER_SECOND) {
            Some(level) => {
                self.level = level;
                true
            }
            None => false,
        }
    }

    /// Gives back one event's worth that was taken in vain.
    pub(crate) fn give_back(&mut self, now: Instant) {
        self.refill(now);
        self.level = self.level.saturating_add(MICROS_PER_SECOND).min(self.capacity);
    }

    /// Millionths of an event that it lacks now.
    pub(crate) fn used(&self, now: Instant) -> u64 {
        let mut present = self.clone();
        present.refill(now);
        present.capacity - present.level
    }

    /// Makes sure that these millionths of an event are taken, or all that the bucket has.
    pub(crate) fn set_used(&mut self, used: u64) {
        self.level = self.level.min(self.capacity.saturating_sub(used));
    }

    /// When the bucket is full again, if nothing more is taken.
    pub(crate) fn full_at(&self) -> Instant {
        self.has_at(self.capacity)
    }

    /// When the next event may pass. A moment up to `now` means at once.
    pub(crate) fn ready_at(&self) -> Instant {
        self.has_at(MICROS_PER_SECOND)
    }

    /// When `count` events may pass together. `count` is at most the capacity.
    pub(crate) fn ready_for(&self, count: u32) -> Instant {
        self.has_at(u64::from(count) * MICROS_PER_SECOND)
    }

    fn has_at(&self, level: u64) -> Instant {
        let missing = level.saturating_sub(self.level);
        match u64::from(self.per_second) {
            0 => self.updated,
            rate => self.updated + Duration::from_micros(missing.div_ceil(rate)),
        }
    }

    /// Changes the rate and keeps the used-up amount.
    pub(crate) fn set_rate(&mut self, per_second: u32, now: Instant) {
        self.refill(now);
        self.per_second = per_second;
        self.capacity = u64::from(per_second) * MICROS_PER_SECOND;
        self.level = self.level.min(self.capacity);
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.as_micros().saturating_sub(self.updated.as_micros());
        let gained = elapsed.saturating_mul(self.per_second.into());
        self.level = self.level.saturating_add(gained).min(self.capacity);
        self.updated = self.updated.max(now);
    }
}

/// A token bucket in four bytes, for values that every session has. Its numbers are small, and the
/// caller passes the rate with each take.
///
/// Milliseconds wrap round after 49 days. An amount that was used then, and never since, may count
/// once more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SmallBucket {
    full_at_ms: u32,
}

impl SmallBucket {
    /// A full bucket.
    pub(crate) fn new(now: Instant) -> Self {
        Self { full_at_ms: Self::millis(now) }
    }

    fn millis(now: Instant) -> u32 {
        (now.as_micros() / 1_000) as u32
    }

    /// Takes one event's worth. False when the bucket has less. A second's worth may pass at once.
    pub(crate) fn take(&mut self, now: Instant, per_second: u32) -> bool {
        const WORTH_OF_FULL_MS: u32 = 1_000;
        let now_ms = Self::millis(now);
        let missing_ms = match self.full_at_ms.wrapping_sub(now_ms) {
            ahead if ahead <= WORTH_OF_FULL_MS => ahead,
            _ => 0,
        };
        let left_ms = missing_ms + WORTH_OF_FULL_MS / per_second;
        let may_pass = left_ms <= WORTH_OF_FULL_MS;
        if may_pass {
            self.full_at_ms = now_ms.wrapping_add(left_ms);
        }
        may_pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_is_one_second_of_the_rate() {
        let mut bucket = TokenBucket::new(3, Instant::ORIGIN);
        let now = Instant::from_millis(5_000);
        assert!((0..3).all(|_| bucket.take(now)));
        assert!(!bucket.take(now));
    }

    #[test]
    fn next_token_is_available_exactly_at_ready_at() {
        let mut bucket = TokenBucket::new(3, Instant::ORIGIN);
        assert!((0..3).all(|_| bucket.take(Instant::ORIGIN)));
        let ready = bucket.ready_at();
        assert!(!bucket.take(Instant::from_micros(ready.as_micros() - 1)));
        assert!(bucket.take(ready));
    }

    #[test]
    fn tokens_are_taken_all_or_none() {
        let mut bucket = TokenBucket::with_burst(2, 6, Instant::ORIGIN);
        assert!(!bucket.take_many(7, Instant::ORIGIN));
        assert_eq!(bucket.full_at(), Instant::ORIGIN);
        assert!(bucket.take_many(6, Instant::ORIGIN));
        assert_eq!(bucket.full_at(), Instant::from_millis(3_000));
    }

    #[test]
    fn bucket_is_full_exactly_at_full_at() {
        let mut bucket = TokenBucket::with_burst(3, 7, Instant::ORIGIN);
        assert_eq!(bucket.full_at(), Instant::ORIGIN);
        assert!(bucket.take_many(5, Instant::ORIGIN));
        let full_at = bucket.full_at();
        let before = Instant::from_micros(full_at.as_micros() - 1);
        assert!(!bucket.clone().take_many(7, before));
        assert!(bucket.take_many(7, full_at));
    }

    #[test]
    fn small_bucket_keeps_its_rate_when_its_clock_wraps() {
        for begin_ms in [0, 1, u64::from(u32::MAX) - 100, u64::from(u32::MAX) * 3] {
            let mut bucket = SmallBucket::new(Instant::from_millis(begin_ms));
            let at = |ms: u64| Instant::from_millis(begin_ms + ms);
            assert!((0..4).all(|_| bucket.take(at(0), 4)));
            assert!(!bucket.take(at(0), 4));
            assert!(!bucket.take(at(249), 4));
            assert!(bucket.take(at(250), 4));
            assert!(!bucket.take(at(499), 4));
            assert!((0..4).all(|_| bucket.take(at(10_000), 4)));
            assert!(!bucket.take(at(10_000), 4));
        }
    }

    #[test]
    fn zero_means_no_limit() {
        let mut bucket = TokenBucket::new(0, Instant::ORIGIN);
        assert!((0..10_000).all(|_| bucket.take(Instant::ORIGIN)));
    }
}
