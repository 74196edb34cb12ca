//! Users that are logged in, of each app, with their sessions.

use alloc::vec::Vec;

use super::by_user::ByUser;
use super::keys::SessionNumber;
#[cfg(test)]
use crate::kept::Kept;
use crate::planted::{Bug, planted};
use crate::table::Table;
use crate::{AppId, UserId};

#[derive(Debug)]
pub(super) struct Users(ByUser<SessionNumber>);

impl Users {
    pub(super) fn new(seed: u64) -> Self {
        Self(ByUser::new(seed))
    }

    /// The session of a user. A text that is not a user id has none.
    #[inline]
    pub(super) fn find(&self, app_id: &AppId, uid: &str) -> Option<SessionNumber> {
        self.0.get(app_id, uid).copied()
    }

    /// Finds a user of any app, for planted bugs.
    pub(super) fn find_in_any_app(&self, uid: &str) -> Option<SessionNumber> {
        self.0.tables().find_map(|users| users.get(uid)).copied()
    }

    /// §5.3: the session of a receiver.
    pub(super) fn receiver(&self, app_id: &AppId, uid: &str) -> Option<SessionNumber> {
        if planted(Bug::UserOfAnyApp) { self.find_in_any_app(uid) } else { self.find(app_id, uid) }
    }

    /// The app id in the memory of this table, so that all sessions of an app share it.
    pub(super) fn shared_app_id(&self, app_id: AppId) -> AppId {
        self.0.known_app_id(&app_id).cloned().unwrap_or(app_id)
    }

    pub(super) fn insert(&mut self, app_id: &AppId, uid: UserId, number: SessionNumber) {
        self.0.insert(app_id, uid, number);
    }

    pub(super) fn remove(&mut self, app_id: &AppId, uid: &UserId) {
        self.0.remove(app_id, uid.as_str());
    }

    pub(super) fn app_ids(&self) -> impl Iterator<Item = &AppId> {
        self.0.app_ids()
    }

    pub(super) fn len(&self, app_id: &AppId) -> usize {
        self.0.of_app(app_id).map_or(0, Table::len)
    }

    /// Sessions of an app, in no order: for sums and counts.
    pub(super) fn sessions(&self, app_id: &AppId) -> impl Iterator<Item = SessionNumber> {
        self.0.of_app(app_id).into_iter().flat_map(|users| users.values().copied())
    }

    /// The users of an app in the order of their ids.
    pub(super) fn sorted(&self, app_id: &AppId) -> Vec<UserId> {
        self.0.of_app(app_id).map(Table::sorted_keys).unwrap_or_default()
    }

    /// The first `max` users of an app after `after`, in the order of their ids.
    pub(super) fn page(&self, app_id: &AppId, after: Option<&UserId>, max: usize) -> Vec<&UserId> {
        self.0.of_app(app_id).map(|users| users.keys_after(after, max)).unwrap_or_default()
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        alloc::vec![("apps with users", self.app_ids().count())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::{app_id, number, other_app_id, uid};

    #[test]
    fn a_user_is_found_in_its_app_and_in_no_other() {
        let mut users = Users::new(1);
        users.insert(&app_id(), uid("alice"), number(1));
        users.insert(&other_app_id(), uid("alice"), number(2));
        assert_eq!(users.find(&app_id(), "alice"), Some(number(1)));
        assert_eq!(users.receiver(&other_app_id(), "alice"), Some(number(2)));
        assert_eq!(users.find(&app_id(), "bob"), None);
        assert_eq!(users.find(&app_id(), "no id"), None);
        let found: Vec<_> = users.sessions(&app_id()).collect();
        assert_eq!(found, [number(1)]);
    }

    #[test]
    fn later_session_replaces_the_earlier_one() {
        let mut users = Users::new(1);
        users.insert(&app_id(), uid("alice"), number(1));
        users.insert(&app_id(), uid("alice"), number(2));
        assert_eq!(users.find(&app_id(), "alice"), Some(number(2)));
        assert_eq!(users.len(&app_id()), 1);
    }

    #[test]
    fn app_exists_until_its_last_user_leaves() {
        let mut users = Users::new(1);
        users.insert(&app_id(), uid("alice"), number(1));
        users.insert(&app_id(), uid("bob"), number(2));
        users.remove(&app_id(), &uid("alice"));
        assert_eq!(users.app_ids().count(), 1);
        users.remove(&app_id(), &uid("carol"));
        assert_eq!(users.len(&app_id()), 1);
        users.remove(&app_id(), &uid("bob"));
        assert_eq!(users.app_ids().count(), 0);
        assert_eq!(users.len(&app_id()), 0);
    }

    #[test]
    fn pages_continue_after_a_user_in_id_order() {
        let mut users = Users::new(1);
        for (place, user) in ["carol", "alice", "bob"].into_iter().enumerate() {
            users.insert(&app_id(), uid(user), number(place as u64 + 1));
        }
        assert_eq!(users.sorted(&app_id()), ["alice", "bob", "carol"].map(uid));
        assert_eq!(users.page(&app_id(), None, 2), [&uid("alice"), &uid("bob")]);
        assert_eq!(users.page(&app_id(), Some(&uid("alice")), 9), [&uid("bob"), &uid("carol")]);
        assert!(users.page(&other_app_id(), None, 9).is_empty());
    }
}
