//! The clocks by which an engine knows when a token expires.

use std::future::Future;
use std::marker::PhantomData;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rts_driver::Runtime;

/// The clocks by which an engine knows when a token expires. A simulation has its own.
pub trait TokenClock: Send + Sync + 'static {
    /// The present moment of a clock that never goes back.
    fn now(&self) -> Instant;

    /// The present time of the wall clock, in seconds of Unix time.
    fn unix_seconds(&self) -> u64;

    /// Waits until this moment of [`now`](Self::now).
    fn sleep_until(&self, moment: Instant) -> impl Future<Output = ()> + Send;
}

/// The clocks of the system, with the timers of a runtime.
pub(crate) struct SystemClock<R>(PhantomData<fn() -> R>);

impl<R> Default for SystemClock<R> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<R: Runtime> TokenClock for SystemClock<R> {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn unix_seconds(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    fn sleep_until(&self, moment: Instant) -> impl Future<Output = ()> + Send {
        R::sleep_until(moment)
    }
}
