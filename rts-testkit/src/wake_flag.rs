//! A flag that wakers set, and that one task can wait for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
#[cfg(feature = "tokio")]
use std::task::{Context, Poll};
use std::task::{Wake, Waker};

/// Set when something was woken. At most one task waits for the flag.
#[derive(Debug, Default)]
pub(crate) struct WakeFlag(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_set: bool,
    waiting: Option<Waker>,
}

impl WakeFlag {
    pub(crate) fn set(&self) {
        let waiting = {
            let mut state = self.lock();
            state.is_set = true;
            state.waiting.take()
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    /// Clears the flag, and returns whether it was set.
    pub(crate) fn take(&self) -> bool {
        std::mem::take(&mut self.lock().is_set)
    }

    /// Ready once the flag is set. The flag stays set until [`take`](Self::take) clears it.
    #[cfg(feature = "tokio")]
    pub(crate) fn poll_set(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.is_set {
            return Poll::Ready(());
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.set();
    }
}
