//! The contents of the parts' stores, for tests that a part forgets users and links that are gone.

use alloc::vec::Vec;

/// The stores of a part: the name and the number of entries of each. Stores keep users, links,
/// rooms, apps or questions.
pub(crate) type Kept = Vec<(&'static str, usize)>;

/// The stores that are not empty.
pub(crate) fn filled(kept: Kept) -> Kept {
    kept.into_iter().filter(|(_, count)| *count > 0).collect()
}
