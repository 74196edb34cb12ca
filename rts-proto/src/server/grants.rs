//! In a cluster: the users that this shard owns, and its logins that ask the homes of their users.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::by_user::ByUser;
use super::io::Tenure;
#[cfg(test)]
use crate::kept::Kept;
use crate::{AppId, LoginId, UserId};

#[derive(Debug)]
pub(super) struct Grants {
    /// The users that this shard owns.
    granted: ByUser<Grant>,
    /// Logins that wait for the homes of their users. The first one of a user has asked.
    asking: ByUser<VecDeque<LoginId>>,
}

/// This shard owns a user.
#[derive(Debug)]
struct Grant {
    tenure: Tenure,
    /// A session has sent something to other shards.
    has_acted: bool,
    /// The user is released when all of that has arrived.
    releases: Option<Release>,
}

/// What a release says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Release {
    pub(super) tenure: Tenure,
    /// The claim of a session that ended for another login.
    pub(super) displaced: Option<u64>,
}

/// When a user is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Releases {
    Now(Release),
    /// When all that its sessions have sent has arrived.
    BehindFence,
}

impl Grants {
    pub(super) fn new(seed: u64) -> Self {
        Self { granted: ByUser::new(seed), asking: ByUser::new(seed) }
    }

    /// The number of logins that wait for a user.
    pub(super) fn asking(&self, app_id: &AppId, uid: &UserId) -> usize {
        self.asking.get(app_id, uid.as_str()).map_or(0, VecDeque::len)
    }

    /// A login waits for a user. True if it has to ask the home.
    pub(super) fn ask(&mut self, app_id: &AppId, uid: &UserId, login: LoginId) -> bool {
        if let Some(asking) = self.asking.get_mut(app_id, uid.as_str()) {
            asking.push_back(login);
            return false;
        }
        self.asking.insert(app_id, uid.clone(), [login].into());
        true
    }

    /// The home has granted the user: all its logins go on.
    pub(super) fn end_asking(&mut self, app_id: &AppId, uid: &UserId) -> VecDeque<LoginId> {
        self.asking.remove(app_id, uid.as_str()).unwrap_or_default()
    }

    /// The first login has its answer, or is gone. Returns the next one.
    pub(super) fn next_asking(&mut self, app_id: &AppId, uid: &UserId) -> Option<LoginId> {
        let asking = self.asking.get_mut(app_id, uid.as_str())?;
        asking.pop_front();
        let next = asking.front().copied();
        if next.is_none() {
            self.asking.remove(app_id, uid.as_str());
        }
        next
    }

    /// The first login.
    pub(super) fn first_asking(&self, app_id: &AppId, uid: &UserId) -> Option<LoginId> {
        self.asking.get(app_id, uid.as_str())?.front().copied()
    }

    /// This shard owns a user from now on.
    pub(super) fn granted(&mut self, app_id: &AppId, uid: UserId, tenure: Tenure) {
        self.granted.insert(app_id, uid, Grant { tenure, has_acted: false, releases: None });
    }

    /// A session of a user has sent something to other shards.
    pub(super) fn acted(&mut self, app_id: &AppId, uid: &UserId) {
        if let Some(grant) = self.granted.get_mut(app_id, uid.as_str()) {
            grant.has_acted = true;
        }
    }

    /// This shard has to release a user. `None` if it does not own the user, or does so already.
    pub(super) fn begin_release(
        &mut self,
        app_id: &AppId,
        uid: &UserId,
        displaced: Option<u64>,
    ) -> Option<Releases> {
        let grant = self.granted.get_mut(app_id, uid.as_str())?;
        let release = Release { tenure: grant.tenure, displaced };
        if grant.has_acted {
            let is_first = grant.releases.is_none();
            grant.releases.get_or_insert(release);
            return is_first.then_some(Releases::BehindFence);
        }
        self.give_up(app_id, uid);
        Some(Releases::Now(release))
    }

    /// All that the sessions of a user have sent has arrived. If the user is to be released, this
    /// shard owns it no more.
    pub(super) fn end_release(&mut self, app_id: &AppId, uid: &UserId) -> Option<Release> {
        let release = self.granted.get(app_id, uid.as_str())?.releases?;
        self.give_up(app_id, uid);
        Some(release)
    }

    /// The grant of a user, if this shard owns it.
    pub(super) fn of(&self, app_id: &AppId, uid: &UserId) -> Option<Tenure> {
        self.granted.get(app_id, uid.as_str()).map(|grant| grant.tenure)
    }

    /// This shard owns a user no more.
    pub(super) fn give_up(&mut self, app_id: &AppId, uid: &UserId) {
        self.granted.remove(app_id, uid.as_str());
    }

    /// The users that this shard owns.
    pub(super) fn users(&self) -> Vec<(AppId, UserId)> {
        self.granted.sorted()
    }

    /// The users for whom this shard has asked.
    pub(super) fn asked_for(&self) -> Vec<(AppId, UserId)> {
        self.asking.sorted()
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { granted, asking } = self;
        alloc::vec![
            ("apps with grants", granted.app_ids().count()),
            ("apps with asking logins", asking.app_ids().count()),
        ]
    }
}
