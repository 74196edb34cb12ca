//! Catches panics. A panic is a bug. It ends one link or one line of the log, and leaves the others
//! intact.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Returns `None` after a panic. The panic hook has reported it, and the caller gives up the link
/// or line.
pub(crate) fn catch_panic<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}
