//! The clocks of the machine of a node.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rts_proto::Instant;

const MILLION: i128 = 1_000_000;

/// The clocks of a machine: a monotonic one, which is a little fast or slow, and a wall clock,
/// which may be wrong.
#[derive(Clone, Debug)]
pub(super) struct Clocks {
    /// The time of the world's wall clock at the origin.
    pub(super) wall_origin_micros: Arc<AtomicI64>,
    /// By how much this one differs from it.
    pub(super) jumped_micros: i64,
    /// By how many parts of a million the monotonic clock is fast.
    pub(super) drift_ppm: i64,
}

impl Clocks {
    pub(super) fn new(wall_origin_micros: Arc<AtomicI64>) -> Self {
        Self { wall_origin_micros, jumped_micros: 0, drift_ppm: 0 }
    }

    /// What the monotonic clock shows at this moment of the world.
    pub(super) fn shows(&self, now: Instant) -> Instant {
        let now = i128::from(now.as_micros());
        instant(now + now * i128::from(self.drift_ppm) / MILLION)
    }

    /// The first moment of the world at which the monotonic clock shows this, or more.
    pub(super) fn moment(&self, shown: Instant) -> Instant {
        if shown.as_micros() == u64::MAX {
            return shown;
        }
        let micros = i128::from(shown.as_micros()) * MILLION;
        let mut moment = instant(micros / (MILLION + i128::from(self.drift_ppm)));
        while self.shows(moment) < shown {
            moment = Instant::from_micros(moment.as_micros() + 1);
        }
        // A slow clock shows some microseconds twice.
        while let Some(before) = moment.as_micros().checked_sub(1).map(Instant::from_micros)
            && self.shows(before) >= shown
        {
            moment = before;
        }
        moment
    }

    /// Unix time in microseconds, as the wall clock shows it, never before 1970.
    pub(super) fn wall_micros(&self, now: Instant) -> u64 {
        let origin = self.wall_origin_micros.load(Ordering::Relaxed);
        let elapsed = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let wall = origin.saturating_add(elapsed).saturating_add(self.jumped_micros);
        u64::try_from(wall).unwrap_or(0)
    }
}

fn instant(micros: i128) -> Instant {
    Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_shows_a_moment_when_it_comes_and_not_before() {
        for drift_ppm in [-200, -1, 0, 1, 200] {
            let clocks = Clocks { drift_ppm, ..Clocks::new(Arc::default()) };
            for micros in [0, 1, 4_999, 5_000, 1_000_000, 3_600_000_001] {
                let shown = Instant::from_micros(micros);
                let moment = clocks.moment(shown);
                assert!(clocks.shows(moment) >= shown);
                let before = moment.as_micros().checked_sub(1).map(Instant::from_micros);
                assert!(before.is_none_or(|before| clocks.shows(before) < shown));
            }
            assert_eq!(clocks.moment(Instant::from_micros(u64::MAX)).as_micros(), u64::MAX);
        }
    }

    #[test]
    fn fast_clock_is_ahead_by_its_drift() {
        let clocks = Clocks { drift_ppm: 200, ..Clocks::new(Arc::default()) };
        assert_eq!(clocks.shows(Instant::from_millis(10_000)), Instant::from_millis(10_002));
    }
}
