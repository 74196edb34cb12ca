//! One place to wait for anything that may be ready to go on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
#[cfg(feature = "tokio")]
use std::task::{Context, Poll};
use std::task::{Wake, Waker};

/// Rung when something was woken. At most one waits for it.
#[derive(Debug, Default)]
pub(crate) struct Bell(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    has_rung: bool,
    waiting: Option<Waker>,
}

impl Bell {
    pub(crate) fn ring(&self) {
        let waiting = {
            let mut state = self.lock();
            state.has_rung = true;
            state.waiting.take()
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
    }

    /// Whether it has rung since this was asked last.
    pub(crate) fn take(&self) -> bool {
        std::mem::take(&mut self.lock().has_rung)
    }

    /// Ready when it has rung, which stays so until it is taken.
    #[cfg(feature = "tokio")]
    pub(crate) fn poll_rung(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.has_rung {
            return Poll::Ready(());
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}
