//! A token bucket that holds one second's worth.

use crate::Instant;

const MICROS_PER_SECOND: u64 = 1_000_000;

/// Lets `per_second` events pass in any second on average, and up to a full second's worth at once
/// after quiet. Counts in millionths of an event, so nothing is lost to rounding.
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
        let capacity = u64::from(per_second) * MICROS_PER_SECOND;
        Self { per_second, capacity, level: capacity, updated: now }
    }

    /// For staying below a bucket of the same rate at the other end of a network: the same rate with
    /// half a second's worth, so that what the network squeezes together still fits.
    pub(crate) fn cautious(per_second: u32, now: Instant) -> Self {
        let capacity = (u64::from(per_second) * MICROS_PER_SECOND / 2).max(MICROS_PER_SECOND);
        Self { per_second, capacity, level: capacity, updated: now }
    }

    /// Takes one event's worth, if there is one.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        if self.per_second == 0 {
            return true;
        }
        self.refill(now);
        match self.level.checked_sub(MICROS_PER_SECOND) {
            Some(level) => {
                self.level = level;
                true
            }
            None => false,
        }
    }

    /// When the next event may pass; `now` or earlier when it may pass already.
    pub(crate) fn ready_at(&self) -> Instant {
        let missing = MICROS_PER_SECOND.saturating_sub(self.level);
        match u64::from(self.per_second) {
            0 => self.updated,
            rate => self.updated + core::time::Duration::from_micros(missing.div_ceil(rate)),
        }
    }

    /// Changes the rate and keeps what has been used.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_second_passes_at_once_and_not_one_more() {
        let mut bucket = TokenBucket::new(3, Instant::ORIGIN);
        let now = Instant::from_millis(5_000);
        assert!((0..3).all(|_| bucket.take(now)));
        assert!(!bucket.take(now));
    }

    #[test]
    fn the_next_passes_exactly_when_promised() {
        let mut bucket = TokenBucket::new(3, Instant::ORIGIN);
        assert!((0..3).all(|_| bucket.take(Instant::ORIGIN)));
        let ready = bucket.ready_at();
        assert!(!bucket.take(Instant::from_micros(ready.as_micros() - 1)));
        assert!(bucket.take(ready));
    }

    #[test]
    fn zero_means_no_limit() {
        let mut bucket = TokenBucket::new(0, Instant::ORIGIN);
        assert!((0..10_000).all(|_| bucket.take(Instant::ORIGIN)));
    }
}
