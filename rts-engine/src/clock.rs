//! The core's time and the system's.

use std::time::Instant as StdInstant;

use rts_proto::Instant;

/// Counts the core's time from the moment at which this was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: StdInstant,
}

impl Clock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: StdInstant::now() }
    }

    /// The present moment, for the core.
    #[must_use]
    pub fn now(&self) -> Instant {
        let micros = self.origin.elapsed().as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// The same moment for a runtime's timer; `None` when it is farther away than the system can count.
    #[must_use]
    pub fn to_std(&self, moment: Instant) -> Option<StdInstant> {
        self.origin.checked_add(moment.since(Instant::ORIGIN))
    }
}
