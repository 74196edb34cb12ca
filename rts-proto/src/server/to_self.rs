//! Entries of a shard for itself: it may be the home of a user, the user's owner, and the shard of a
//! login.

use alloc::collections::VecDeque;

use super::io::Entry;
use crate::AppId;
#[cfg(test)]
use crate::kept::Kept;

/// They are handled one after the other, so that none begins in the middle of another one.
#[derive(Debug, Default)]
pub(super) struct ToSelf {
    entries: VecDeque<(AppId, Entry)>,
    is_handling: bool,
}

impl ToSelf {
    /// Adds an entry. True if the caller has to handle all of them now.
    pub(super) fn add(&mut self, app_id: &AppId, entry: Entry) -> bool {
        self.entries.push_back((app_id.clone(), entry));
        !core::mem::replace(&mut self.is_handling, true)
    }

    /// The next entry to handle.
    pub(super) fn next(&mut self) -> Option<(AppId, Entry)> {
        let next = self.entries.pop_front();
        self.is_handling = next.is_some();
        next
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        alloc::vec![("entries to itself", self.entries.len())]
    }
}
