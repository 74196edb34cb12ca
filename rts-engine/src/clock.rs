//! The clock of an engine: the core's time, and its relation to the system's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant as StdInstant;

use rts_proto::Instant;

/// The source of the core's time: either the system's clock, counted from the creation of this
/// value, or a clock that the caller moves.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    System { origin: StdInstant },
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// A clock of the system that starts at zero now.
    #[must_use]
    pub fn start() -> Self {
        Self { source: Source::System { origin: StdInstant::now() } }
    }

    /// A clock that shows the given time in microseconds, for tests and simulations.
    #[must_use]
    pub fn manual(micros: Arc<AtomicU64>) -> Self {
        Self { source: Source::Manual(micros) }
    }

    /// The present moment, as the core counts time.
    #[must_use]
    pub fn now(&self) -> Instant {
        let micros = match &self.source {
            Source::System { origin } => {
                u64::try_from(origin.elapsed().as_micros()).unwrap_or(u64::MAX)
            }
            Source::Manual(micros) => micros.load(Ordering::Relaxed),
        };
        Instant::from_micros(micros)
    }

    /// Converts a moment of the core to one of the system, for a timer of a runtime. `None` if the
    /// moment is out of the system's range, or if the clock is not the system's.
    #[must_use]
    pub fn to_std(&self, moment: Instant) -> Option<StdInstant> {
        match &self.source {
            Source::System { origin } => origin.checked_add(moment.since(Instant::ORIGIN)),
            Source::Manual(_) => None,
        }
    }
}
