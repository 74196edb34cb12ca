//! The time of a world: a monotonic clock, and a wall clock that tests can set.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rts_proto::Instant;

/// 14 November 2023, when every world begins.
const WALL_ORIGIN_MICROS: i64 = 1_700_000_000_000_000;

/// The two clocks. Protocol timers follow the monotonic clock, tokens and claims the wall clock.
#[derive(Debug)]
pub(crate) struct Clock {
    now: Instant,
    /// A copy of `now` that the handles of engines read.
    shared: Arc<AtomicU64>,
    /// The time of the wall clock at the origin.
    wall_origin_micros: i64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            now: Instant::ORIGIN,
            shared: Arc::new(AtomicU64::new(0)),
            wall_origin_micros: WALL_ORIGIN_MICROS,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn advance_to(&mut self, moment: Instant) {
        self.now = self.now.max(moment);
        self.shared.store(self.now.as_micros(), Ordering::Relaxed);
    }

    /// An engine's clock that follows this one.
    pub(crate) fn for_engine(&self) -> rts_engine::Clock {
        rts_engine::Clock::manual(Arc::clone(&self.shared))
    }

    /// Unix time, in microseconds, never before 1970.
    pub(crate) fn wall_micros(&self) -> u64 {
        let elapsed = i64::try_from(self.now.as_micros()).unwrap_or(i64::MAX);
        u64::try_from(self.wall_origin_micros.saturating_add(elapsed)).unwrap_or(0)
    }

    pub(crate) fn jump_wall(&mut self, seconds: i64) {
        let micros = seconds.saturating_mul(1_000_000);
        self.wall_origin_micros = self.wall_origin_micros.saturating_add(micros);
    }
}
