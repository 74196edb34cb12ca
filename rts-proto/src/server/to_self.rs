//! Entries of a shard for itself: it may be the home of a user, the user's owner, and the shard of
//! a login.

use alloc::collections::VecDeque;

use super::io::Entry;
use crate::AppId;
#[cfg(test)]
use crate::kept::Kept;

/// They are handled behind what is being handled, so that none begins in the middle of it.
#[derive(Debug, Default)]
pub(super) struct ToSelf(VecDeque<(Option<AppId>, Entry)>);

impl ToSelf {
    /// Adds an entry about an app.
    pub(super) fn add(&mut self, app_id: &AppId, entry: Entry) {
        self.0.push_back((Some(app_id.clone()), entry));
    }

    /// Adds an entry about a session.
    pub(super) fn add_for_session(&mut self, entry: Entry) {
        self.0.push_back((None, entry));
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next entry to handle.
    pub(super) fn next(&mut self) -> Option<(Option<AppId>, Entry)> {
        self.0.pop_front()
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        alloc::vec![("entries to itself", self.0.len())]
    }
}
