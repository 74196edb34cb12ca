//! A value for some users of some apps.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::table::Table;
use crate::{AppId, UserId};

/// An app has an entry while one of its users has.
#[derive(Debug)]
pub(super) struct ByUser<V> {
    apps: BTreeMap<AppId, Table<UserId, V>>,
    seed: u64,
}

impl<V> ByUser<V> {
    pub(super) fn new(seed: u64) -> Self {
        Self { apps: BTreeMap::new(), seed }
    }

    /// The value of a user. A text that is not a user id has none.
    #[inline]
    pub(super) fn get(&self, app_id: &AppId, uid: &str) -> Option<&V> {
        self.apps.get(app_id)?.get(uid)
    }

    pub(super) fn get_mut(&mut self, app_id: &AppId, uid: &str) -> Option<&mut V> {
        self.apps.get_mut(app_id)?.get_mut(uid)
    }

    pub(super) fn insert(&mut self, app_id: &AppId, uid: UserId, value: V) {
        let seed = self.seed;
        self.apps.entry(app_id.clone()).or_insert_with(|| Table::new(seed)).insert(uid, value);
    }

    pub(super) fn remove(&mut self, app_id: &AppId, uid: &str) -> Option<V> {
        let table = self.apps.get_mut(app_id)?;
        let removed = table.remove(uid);
        if table.is_empty() {
            self.forget(app_id);
        }
        removed
    }

    #[cold]
    fn forget(&mut self, app_id: &AppId) {
        self.apps.remove(app_id);
    }

    /// All users, in the order of their apps and ids.
    pub(super) fn sorted(&self) -> Vec<(AppId, UserId)> {
        let of_app = |(app_id, table): (&AppId, &Table<UserId, V>)| {
            let uids = table.sorted_keys().into_iter();
            uids.map(|uid| (app_id.clone(), uid)).collect::<Vec<_>>()
        };
        self.apps.iter().flat_map(of_app).collect()
    }

    /// The app id in the memory of this table.
    pub(super) fn known_app_id(&self, app_id: &AppId) -> Option<&AppId> {
        self.apps.get_key_value(app_id).map(|(known, _)| known)
    }

    pub(super) fn app_ids(&self) -> impl Iterator<Item = &AppId> {
        self.apps.keys()
    }

    pub(super) fn of_app(&self, app_id: &AppId) -> Option<&Table<UserId, V>> {
        self.apps.get(app_id)
    }

    /// The tables of all apps, in no order: for sums and counts.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Table<UserId, V>> {
        self.apps.values()
    }
}
