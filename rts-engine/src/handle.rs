//! The common part of `Engine` and `Room`, which keeps the engine alive.

use std::fmt;
use std::sync::{Arc, MutexGuard};

use rts_proto::Instant;

use crate::shared::Shared;
use crate::state::State;

/// Keeps the engine alive. Dropping the last one destroys the engine.
pub(crate) struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// See [`Shared::lock`].
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }

    /// See [`Shared::call`].
    pub(crate) fn call<R>(&self, call: impl FnOnce(&mut State, Instant) -> R) -> R {
        self.shared.call(|state, now| {
            state.begin_call();
            call(state, now)
        })
    }

    /// See [`Shared::with`].
    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        self.shared.with(change)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.call(State::destroy);
    }
}
