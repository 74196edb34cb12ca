//! The clock of a node's shards, and the lease by which a node of a cluster may act.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rts_engine::Clock;
use rts_proto::Instant;

/// The clock of all shards of a node. Without a lease it runs all the time. With one, it stands
/// still while the node may not act: no time passes for sessions that nobody can use.
#[derive(Clone)]
pub(crate) struct NodeClock {
    clock: Clock,
    lease: Option<Arc<Lease>>,
}

impl NodeClock {
    /// A clock that runs all the time.
    pub(crate) fn running(clock: Clock) -> Self {
        Self { clock, lease: None }
    }

    /// A clock that stands still until the node may act.
    pub(crate) fn leased(clock: Clock) -> Self {
        Self { clock, lease: Some(Arc::default()) }
    }

    /// The present moment. The same one all the time while the node may not act.
    pub(crate) fn now(&self) -> Instant {
        match &self.lease {
            None => self.clock.now(),
            Some(lease) => lease.read(&self.clock).moment(),
        }
    }

    /// The present moment, if the node may act.
    pub(crate) fn acting_now(&self) -> Option<Instant> {
        let Some(lease) = &self.lease else { return Some(self.clock.now()) };
        match lease.read(&self.clock) {
            Reading::Acting(now) => Some(now),
            Reading::Frozen(_) => None,
        }
    }

    /// Whether the node may not act.
    pub(crate) fn is_frozen(&self) -> bool {
        self.lease.is_some() && self.acting_now().is_none()
    }

    /// Converts a moment of this clock to one of the system, for a timer. It is right as long as
    /// the clock runs.
    pub(crate) fn to_std(&self, moment: Instant) -> Option<std::time::Instant> {
        match &self.lease {
            None => self.clock.to_std(moment),
            Some(lease) => self.clock.to_std(lease.to_system(moment)),
        }
    }

    /// Converts a moment of the system to one of this clock. It is not too early, also if the clock
    /// stands still before that moment.
    pub(crate) fn of_std(&self, moment: std::time::Instant) -> Instant {
        let left = moment.saturating_duration_since(std::time::Instant::now());
        self.now() + left
    }

    /// The present moment of the system's clock, which never stands still.
    pub(crate) fn system_now(&self) -> Instant {
        self.clock.now()
    }

    /// The node may act before this moment of the system's clock, and not from then on. Returns
    /// whether this clock stood still, and runs now.
    pub(crate) fn set_lease(&self, until: Instant) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.set(self.clock.now(), until))
    }

    /// The clock runs from now on, whatever lease follows. For a node whose sessions have ended.
    pub(crate) fn release(&self) {
        if let Some(lease) = &self.lease {
            lease.release(self.clock.now());
        }
    }
}

/// The moment until which a node may act, in microseconds of the system's clock. Readers take no
/// lock, so the thread that sets it holds up no shard.
#[derive(Debug, Default)]
struct Lease {
    until: AtomicU64,
    /// How long the clock of the shards has stood still, without the time that has passed since
    /// `until`.
    stood_still: AtomicU64,
    /// Held by the thread that sets it. Whether it is not set any more.
    setting: Mutex<bool>,
}

/// What the clock of the shards shows.
enum Reading {
    Acting(Instant),
    /// It stands still at this moment.
    Frozen(Instant),
}

impl Reading {
    fn moment(self) -> Instant {
        let (Self::Acting(moment) | Self::Frozen(moment)) = self;
        moment
    }
}

impl Lease {
    fn read(&self, clock: &Clock) -> Reading {
        loop {
            let stood_still = self.stood_still.load(Ordering::SeqCst);
            let until = self.until.load(Ordering::SeqCst);
            let now = clock.now().as_micros();
            // Both values are of one time, or this clock might go back.
            if self.stood_still.load(Ordering::SeqCst) != stood_still {
                continue;
            }
            let moment = Instant::from_micros(now.min(until).saturating_sub(stood_still));
            return if now < until { Reading::Acting(moment) } else { Reading::Frozen(moment) };
        }
    }

    /// The moment of the system's clock, unless the clock of the shards stands still before.
    fn to_system(&self, moment: Instant) -> Instant {
        let stood_still = self.stood_still.load(Ordering::SeqCst);
        Instant::from_micros(moment.as_micros().saturating_add(stood_still))
    }

    /// Returns whether a clock that stood still runs now.
    fn set(&self, now: Instant, until: Instant) -> bool {
        let is_released = self.setting.lock().unwrap_or_else(PoisonError::into_inner);
        !*is_released && self.set_alone(now, until)
    }

    fn release(&self, now: Instant) {
        let mut is_released = self.setting.lock().unwrap_or_else(PoisonError::into_inner);
        self.set_alone(now, Instant::from_micros(u64::MAX));
        *is_released = true;
    }

    /// The caller has the lock.
    fn set_alone(&self, now: Instant, until: Instant) -> bool {
        let (now, until) = (now.as_micros(), until.as_micros());
        let before = self.until.load(Ordering::SeqCst);
        let runs_again = before <= now && now < until;
        if runs_again {
            // First, so that nobody sees the new end with the old difference.
            self.stood_still.fetch_add(now - before, Ordering::SeqCst);
        }
        if now < before || runs_again {
            // A lease that ends at once stands still now, and not earlier.
            self.until.store(until.max(now), Ordering::SeqCst);
        }
        runs_again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lease on a clock that the test moves, and what the shards see.
    struct Leased {
        system: Arc<AtomicU64>,
        clock: Clock,
        lease: Lease,
    }

    impl Leased {
        fn new() -> Self {
            let system = Arc::new(AtomicU64::new(1_000));
            let clock = Clock::manual(Arc::clone(&system));
            Self { system, clock, lease: Lease::default() }
        }

        /// At this moment, the lease is set until that one. Returns whether the clock runs again.
        fn set(&self, at: u64, until: u64) -> bool {
            self.system.store(at, Ordering::SeqCst);
            self.lease.set(self.clock.now(), Instant::from_micros(until))
        }

        /// What the shards see at this moment: whether they may act, and the time.
        fn at(&self, micros: u64) -> (bool, u64) {
            self.system.store(micros, Ordering::SeqCst);
            match self.lease.read(&self.clock) {
                Reading::Acting(now) => (true, now.as_micros()),
                Reading::Frozen(now) => (false, now.as_micros()),
            }
        }
    }

    #[test]
    fn clock_stands_still_until_the_first_lease_and_after_each() {
        let leased = Leased::new();
        assert_eq!(leased.at(1_500), (false, 0));
        assert!(leased.set(2_000, 2_500));
        assert_eq!((leased.at(2_000), leased.at(2_499)), ((true, 0), (true, 499)));
        assert_eq!((leased.at(2_500), leased.at(9_000)), ((false, 500), (false, 500)));
        assert!(leased.set(10_000, 11_000));
        assert_eq!((leased.at(10_000), leased.at(10_999)), ((true, 500), (true, 1_499)));
        let due = leased.lease.to_system(Instant::from_micros(900));
        assert_eq!(due.as_micros(), 10_400);
    }

    #[test]
    fn clock_runs_on_while_leases_follow_each_other() {
        let leased = Leased::new();
        leased.set(1_000, 2_000);
        assert!(!leased.set(1_999, 3_000), "it never stood still");
        assert_eq!((leased.at(1_999), leased.at(2_999)), ((true, 999), (true, 1_999)));
        assert!(leased.set(3_000, 4_000), "it was one moment too late");
        assert_eq!(leased.at(3_000), (true, 2_000));
    }

    #[test]
    fn clock_that_is_released_does_not_stand_still_again() {
        let system = Arc::new(AtomicU64::new(1_000));
        let clock = NodeClock::leased(Clock::manual(Arc::clone(&system)));
        clock.set_lease(Instant::from_micros(2_000));
        clock.release();
        assert!(!clock.set_lease(Instant::from_micros(1_000)));
        system.store(9_000, Ordering::SeqCst);
        assert!(!clock.is_frozen());
    }

    #[test]
    fn lease_that_ends_early_stops_the_clock_at_once() {
        let leased = Leased::new();
        leased.set(1_000, 5_000);
        assert!(!leased.set(2_000, 0));
        assert_eq!((leased.at(2_000), leased.at(4_000)), ((false, 1_000), (false, 1_000)));
        assert!(!leased.set(4_500, 4_500), "a lease that is over changes nothing");
        assert_eq!(leased.at(4_600), (false, 1_000));
        assert!(leased.set(5_000, 6_000));
        assert_eq!(leased.at(5_100), (true, 1_100));
    }
}
