//! The time of a world: a monotonic clock, and a wall clock that tests can set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

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
    wall_origin_micros: Arc<AtomicI64>,
}

/// A view of the wall clock, for a token provider.
#[cfg(feature = "tokio")]
#[derive(Debug)]
pub(crate) struct WallClock {
    micros: Arc<AtomicU64>,
    origin_micros: Arc<AtomicI64>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            now: Instant::ORIGIN,
            shared: Arc::new(AtomicU64::new(0)),
            wall_origin_micros: Arc::new(AtomicI64::new(WALL_ORIGIN_MICROS)),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn advance_to(&mut self, moment: Instant) {
        self.now = self.now.max(moment);
        self.shared.store(self.now.as_micros(), Ordering::Relaxed);
    }

    /// The time of the wall clock at the origin, which changes when it is set.
    pub(crate) fn wall_origin_micros(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.wall_origin_micros)
    }

    /// An engine's clock that follows this one.
    pub(crate) fn for_engine(&self) -> rts_engine::Clock {
        rts_engine::Clock::manual(Arc::clone(&self.shared))
    }

    /// Unix time, in microseconds, never before 1970.
    pub(crate) fn wall_micros(&self) -> u64 {
        wall_micros(self.now.as_micros(), &self.wall_origin_micros)
    }

    /// The wall clock, for a token provider.
    #[cfg(feature = "tokio")]
    pub(crate) fn wall(&self) -> WallClock {
        let origin_micros = Arc::clone(&self.wall_origin_micros);
        WallClock { micros: Arc::clone(&self.shared), origin_micros }
    }

    pub(crate) fn jump_wall(&mut self, seconds: i64) {
        let origin = self.wall_origin_micros.load(Ordering::Relaxed);
        let origin = origin.saturating_add(seconds.saturating_mul(1_000_000));
        self.wall_origin_micros.store(origin, Ordering::Relaxed);
    }
}

fn wall_micros(elapsed_micros: u64, origin_micros: &AtomicI64) -> u64 {
    let elapsed = i64::try_from(elapsed_micros).unwrap_or(i64::MAX);
    u64::try_from(origin_micros.load(Ordering::Relaxed).saturating_add(elapsed)).unwrap_or(0)
}

/// The world's clocks: the timers are those of the world's runtime.
#[cfg(feature = "tokio")]
impl rts_client::TokenClock for WallClock {
    fn now(&self) -> std::time::Instant {
        tokio::time::Instant::now().into_std()
    }

    fn unix_seconds(&self) -> u64 {
        wall_micros(self.micros.load(Ordering::Relaxed), &self.origin_micros) / 1_000_000
    }

    fn sleep_until(&self, moment: std::time::Instant) -> impl Future<Output = ()> + Send {
        tokio::time::sleep_until(moment.into())
    }
}
