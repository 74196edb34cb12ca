//! Logins that resume sessions of other shards of a cluster, and the numbers that are reserved for
//! these sessions.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::by_user::ByUser;
use super::keys::SessionNumber;
#[cfg(test)]
use crate::kept::Kept;
use crate::{AppId, LoginId, UserId};

#[derive(Debug)]
pub(super) struct Resumes {
    reserved: BTreeMap<LoginId, SessionNumber>,
    /// Sessions that are here, and wait for the grants of their users.
    arrived: ByUser<SessionNumber>,
}

impl Resumes {
    pub(super) fn new(seed: u64) -> Self {
        Self { reserved: BTreeMap::new(), arrived: ByUser::new(seed) }
    }

    /// A login resumes a session, which will have this number.
    pub(super) fn reserve(&mut self, login: LoginId, number: SessionNumber) {
        self.reserved.insert(login, number);
    }

    /// The number for the session that a login resumes.
    pub(super) fn reserved(&self, login: LoginId) -> Option<SessionNumber> {
        self.reserved.get(&login).copied()
    }

    /// The login has its answer.
    pub(super) fn release(&mut self, login: LoginId) {
        self.reserved.remove(&login);
    }

    /// All logins with their numbers, in the order of the logins.
    pub(super) fn all(&self) -> Vec<(LoginId, SessionNumber)> {
        self.reserved.iter().map(|(login, number)| (*login, *number)).collect()
    }

    /// How many numbers are reserved.
    pub(super) fn len(&self) -> usize {
        self.reserved.len()
    }

    /// A session is here.
    pub(super) fn arrived(&mut self, app_id: &AppId, uid: UserId, number: SessionNumber) {
        self.arrived.insert(app_id, uid, number);
    }

    /// The session of a user that is here.
    pub(super) fn take_arrived(&mut self, app_id: &AppId, uid: &UserId) -> Option<SessionNumber> {
        self.arrived.remove(app_id, uid.as_str())
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { reserved, arrived } = self;
        alloc::vec![
            ("reserved sessions", reserved.len()),
            ("apps with arrived sessions", arrived.app_ids().count()),
        ]
    }
}
