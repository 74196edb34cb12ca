//! The core's time and the system's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant as StdInstant;

use rts_proto::Instant;

/// The core's time: the system's, counted from the moment at which this was made, or somebody's
/// own.
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
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { source: Source::System { origin: StdInstant::now() } }
    }

    /// A clock that shows this time in microseconds, for tests and simulations.
    #[must_use]
    pub fn manual(micros: Arc<AtomicU64>) -> Self {
        Self { source: Source::Manual(micros) }
    }

    /// The present moment, for the core.
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

    /// The same moment for a runtime's timer; `None` when it is farther away than the system can
    /// count, and by a clock that is not the system's.
    #[must_use]
    pub fn to_std(&self, moment: Instant) -> Option<StdInstant> {
        match &self.source {
            Source::System { origin } => origin.checked_add(moment.since(Instant::ORIGIN)),
            Source::Manual(_) => None,
        }
    }
}
