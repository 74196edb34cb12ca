//! The state of an engine behind its lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rts_proto::Instant;
use rts_proto::client::Client;

use crate::clock::Clock;
use crate::log::Log;
use crate::state::State;

pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) clock: Clock,
}

impl Shared {
    pub(crate) fn new(client: Client, clock: Clock) -> Self {
        Self { state: Mutex::new(State::new(client)), clock }
    }

    /// No code of the application runs under the lock. So the state is consistent even if the lock
    /// is poisoned.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call and delivers its consequences. `call` also gets the state, to register a future
    /// before its outcome can come.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&mut State, Instant) -> R) -> R {
        self.with(|state| {
            let now = self.clock.now();
            let returned = call(state, now);
            state.settle(now);
            returned
        })
    }

    /// Like [`call`](Self::call), without draining the core.
    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let wants_decisions = Log::is_wanted();
        let mut state = self.lock();
        state.begin(wants_decisions);
        let returned = change(&mut state);
        let after = state.take_after();
        drop(state);
        after.run();
        returned
    }
}
