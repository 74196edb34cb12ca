//! The time by which the logins of a cluster are ordered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The clock of a cluster: that of the member whose clock is ahead of all others. Logins take their
/// claims from it (§3.4), so that a claim of one node is not in the future at another one, whose
/// clock is slow. It is not the time by which tokens expire.
///
/// Of a server that is in no cluster it is the clock of the system.
#[derive(Debug, Default)]
pub struct ClusterClock {
    ahead_micros: AtomicU64,
}

impl ClusterClock {
    /// Microseconds of Unix time. 0 for a clock of the system before 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.at(system_now())
    }

    /// How far it is ahead of the clock of the system.
    #[must_use]
    pub fn ahead(&self) -> Duration {
        Duration::from_micros(self.ahead_micros.load(Ordering::Relaxed))
    }

    /// Another node has this time. If that is ahead, the clock is set. Returns how far it is ahead
    /// of the clock of the system from now on, if that is new.
    pub(crate) fn heard(&self, clock: u64) -> Option<Duration> {
        self.heard_at(system_now(), clock)
    }

    fn at(&self, system: u64) -> u64 {
        system.saturating_add(self.ahead_micros.load(Ordering::Relaxed))
    }

    /// It is never set back: claims would be in the future.
    fn heard_at(&self, system: u64, clock: u64) -> Option<Duration> {
        let ahead = clock.saturating_sub(system);
        let before = self.ahead_micros.fetch_max(ahead, Ordering::Relaxed);
        (before < ahead).then(|| Duration::from_micros(ahead))
    }
}

fn system_now() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000;

    #[test]
    fn clock_follows_the_one_that_is_ahead_and_is_never_set_back() {
        let clock = ClusterClock::default();
        assert_eq!((clock.at(7), clock.ahead()), (7, Duration::ZERO));
        assert_eq!(clock.heard_at(7, 7), None);
        assert_eq!(clock.heard_at(7, 7 + HOUR), Some(Duration::from_micros(HOUR)));
        assert_eq!(clock.at(8), 8 + HOUR);
        for behind in [0, 8, 8 + HOUR] {
            assert_eq!(clock.heard_at(8, behind), None);
        }
        assert_eq!(clock.heard_at(8, 9 + HOUR), Some(Duration::from_micros(HOUR + 1)));
        assert_eq!(clock.at(u64::MAX), u64::MAX);
    }
}
