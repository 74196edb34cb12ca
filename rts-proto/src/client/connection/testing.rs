//! An accepted login, for tests of what follows it.

use crate::Instant;
use crate::client::parameters::Parameters;
use crate::client::shared::Shared;
use crate::wire::{Accepted, ResumeKey};

/// Session 1 of a server without rates.
pub(super) fn accepted() -> Accepted {
    Accepted {
        session: 1,
        key: ResumeKey([1; 16]),
        resumed: false,
        received: 0,
        claim: 7,
        sends_per_second: 0,
        broadcasts_per_second: 0,
        server_sends_per_second: 0,
    }
}

pub(super) fn shared_at(now: Instant) -> Shared {
    let mut shared = Shared::new(Parameters::default());
    shared.advance(now);
    shared
}
