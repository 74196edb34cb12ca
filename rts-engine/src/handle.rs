//! What `Engine` and `Room` hold in common: while one of them is left, the engine lives.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::shared::Shared;

/// Dropping it destroys the engine.
pub(crate) struct Handle {
    shared: Arc<Shared>,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl Deref for Handle {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.call(|state, now| state.client.destroy(now));
    }
}
