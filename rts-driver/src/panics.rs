//! Panics are bugs: what they end is one link or one line, not the others.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// `None` after a panic. The panic hook has reported it; the caller gives up what it was about.
pub(crate) fn catch_panic<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}
