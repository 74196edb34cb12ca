//! What parts keep, for the tests that nothing stays of whoever is gone.

use alloc::vec::Vec;

/// What a part keeps of users, links, rooms, apps and questions: the names of its stores, and how
/// much is in each.
pub(crate) type Kept = Vec<(&'static str, usize)>;

/// The stores that are not empty.
pub(crate) fn filled(kept: Kept) -> Kept {
    kept.into_iter().filter(|(_, count)| *count > 0).collect()
}
