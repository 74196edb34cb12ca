//! In a cluster: which shard owns each user whose home this shard is, and what this shard has asked
//! for and been granted.
//!
//! The owner of a user is the one shard that has the user's session, or may begin one. Its home
//! grants a user to one shard at a time: the next one gets it when the owner has released it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::by_user::ByUser;
use super::io::{AskedLogin, Deliveries, Denial, ForOwner, Tenure};
use super::keys::Origin;
use super::placement::ShardId;
#[cfg(test)]
use crate::kept::Kept;
use crate::limits::HELD_BYTES_MAX;
use crate::{AppId, LoginId, MessageConfig, UserId};

#[derive(Debug)]
pub(super) struct Owners {
    /// The users whose home this shard is, with their owners.
    owners: ByUser<Owner>,
    /// The users that this shard owns, if their homes are elsewhere.
    granted: ByUser<Tenure>,
    /// Logins of this shard that wait for the homes of their users. The first one of a user has
    /// asked.
    asking: ByUser<VecDeque<LoginId>>,
    last_tenure: u64,
    /// The bytes of all that waits for owners.
    held_bytes: usize,
}

#[derive(Debug)]
struct Owner {
    shard: ShardId,
    tenure: Tenure,
    /// While the owner is asked to release the user.
    revoking: Option<Box<Revoking>>,
}

/// What waits until the owner has released the user, or kept it.
#[derive(Debug)]
struct Revoking {
    /// Logins in their order, at most one of a shard. The user is revoked for the first one.
    asked: VecDeque<Asked>,
    /// What came for the user meanwhile.
    held: Vec<ForOwner>,
}

/// A shard with a login that asks for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) shard: ShardId,
    pub(super) login: AskedLogin,
}

/// What a home does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Grant(ShardId, Tenure),
    Deny(ShardId, Denial),
    /// To the owner.
    Revoke(ShardId, Tenure, AskedLogin),
    /// To the owner.
    PassOn(ShardId, Vec<ForOwner>),
}

/// Where something for a user goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Nobody owns the user.
    Nobody,
    Owner(ShardId),
    /// It waits until it is decided who owns the user next.
    Held,
}

/// The home of a user.
impl Owners {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            owners: ByUser::new(seed),
            granted: ByUser::new(seed),
            asking: ByUser::new(seed),
            last_tenure: 0,
            held_bytes: 0,
        }
    }

    /// A login asks for a user.
    pub(super) fn asked(&mut self, app_id: &AppId, uid: &UserId, asked: Asked) -> Option<Step> {
        let Some(owner) = self.owners.get_mut(app_id, uid.as_str()) else {
            let tenure = self.next_tenure();
            let owner = Owner { shard: asked.shard, tenure, revoking: None };
            self.owners.insert(app_id, uid.clone(), owner);
            return Some(Step::Grant(asked.shard, tenure));
        };
        if let Some(revoking) = &mut owner.revoking {
            revoking.asked.push_back(asked);
            return None;
        }
        let revoking = Revoking { asked: [asked].into(), held: Vec::new() };
        owner.revoking = Some(revoking.into());
        Some(Step::Revoke(owner.shard, owner.tenure, asked.login))
    }

    /// The owner has released a user. `None` if this is about a former grant.
    pub(super) fn released(
        &mut self,
        app_id: &AppId,
        uid: &UserId,
        tenure: Tenure,
    ) -> Option<Vec<Step>> {
        let owner = self.owner_since(app_id, uid, tenure)?;
        let Some(next) = owner.next_asked() else {
            self.owners.remove(app_id, uid.as_str());
            return Some(Vec::new());
        };
        let tenure = self.next_tenure();
        let owner = self.owners.get_mut(app_id, uid.as_str())?;
        (owner.shard, owner.tenure) = (next.shard, tenure);
        let mut steps = alloc::vec![Step::Grant(next.shard, tenure)];
        self.go_on(app_id, uid, &mut steps);
        Some(steps)
    }

    /// The owner keeps a user, and denies the login for which it was revoked.
    pub(super) fn denied(
        &mut self,
        app_id: &AppId,
        uid: &UserId,
        tenure: Tenure,
        denial: Denial,
    ) -> Vec<Step> {
        let owner = self.owner_since(app_id, uid, tenure);
        let Some(denied) = owner.and_then(Owner::next_asked) else { return Vec::new() };
        let mut steps = alloc::vec![Step::Deny(denied.shard, denial)];
        self.go_on(app_id, uid, &mut steps);
        steps
    }

    /// The user has an owner again. What came meanwhile goes there, before the next login.
    fn go_on(&mut self, app_id: &AppId, uid: &UserId, steps: &mut Vec<Step>) {
        let Some(owner) = self.owners.get_mut(app_id, uid.as_str()) else { return };
        let Some(revoking) = &mut owner.revoking else { return };
        let held = core::mem::take(&mut revoking.held);
        if !held.is_empty() {
            self.held_bytes -= held.iter().map(ForOwner::size).sum::<usize>();
            steps.push(Step::PassOn(owner.shard, held));
        }
        match revoking.asked.front() {
            Some(next) => steps.push(Step::Revoke(owner.shard, owner.tenure, next.login)),
            None => owner.revoking = None,
        }
    }

    fn owner_since(&mut self, app_id: &AppId, uid: &UserId, tenure: Tenure) -> Option<&mut Owner> {
        self.owners.get_mut(app_id, uid.as_str()).filter(|owner| owner.tenure == tenure)
    }

    fn next_tenure(&mut self) -> Tenure {
        self.last_tenure += 1;
        Tenure(self.last_tenure)
    }

    /// Where something goes for a user whose home this shard is.
    pub(super) fn route(&self, app_id: &AppId, uid: &str) -> Route {
        match self.owners.get(app_id, uid) {
            None => Route::Nobody,
            Some(Owner { revoking: Some(_), .. }) => Route::Held,
            Some(Owner { shard, .. }) => Route::Owner(*shard),
        }
    }

    /// Keeps a message until it is decided who owns the user. False if too much waits.
    pub(super) fn hold_message(
        &mut self,
        app_id: &AppId,
        origin: Origin,
        to: &str,
        config: MessageConfig,
        frame: &[u8],
    ) -> bool {
        if self.held_bytes > HELD_BYTES_MAX {
            return false;
        }
        let Ok(to) = UserId::new(to) else { return false };
        let Some(held) = self.held(app_id, to.as_str()) else { return false };
        let (mut deliveries, before) = match held.pop() {
            Some(ForOwner::Deliver(deliveries)) => {
                let before = ForOwner::size_of(&deliveries);
                (deliveries, before)
            }
            other => {
                held.extend(other);
                (Deliveries::default(), 0)
            }
        };
        deliveries.push(origin.session, origin.id, config, &to, frame);
        let after = ForOwner::size_of(&deliveries);
        held.push(ForOwner::Deliver(deliveries));
        self.held_bytes += after - before;
        true
    }

    /// Keeps something else until it is decided who owns the user.
    pub(super) fn hold(&mut self, app_id: &AppId, uid: &str, passed_on: ForOwner) {
        let size = passed_on.size();
        if let Some(held) = self.held(app_id, uid) {
            held.push(passed_on);
            self.held_bytes += size;
        }
    }

    /// Whether too much waits for owners.
    pub(super) fn hold_too_much(&self) -> bool {
        self.held_bytes > HELD_BYTES_MAX
    }

    fn held(&mut self, app_id: &AppId, uid: &str) -> Option<&mut Vec<ForOwner>> {
        Some(&mut self.owners.get_mut(app_id, uid)?.revoking.as_mut()?.held)
    }
}

/// The shard of a login, and the owner of a user.
impl Owners {
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

    /// This shard owns a user whose home is elsewhere.
    pub(super) fn granted(&mut self, app_id: &AppId, uid: UserId, tenure: Tenure) {
        self.granted.insert(app_id, uid, tenure);
    }

    /// The present grant of a user whose home is elsewhere.
    pub(super) fn grant(&self, app_id: &AppId, uid: &UserId) -> Option<Tenure> {
        self.granted.get(app_id, uid.as_str()).copied()
    }

    /// This shard owns a user no more, whose home is elsewhere.
    pub(super) fn give_up(&mut self, app_id: &AppId, uid: &UserId) -> Option<Tenure> {
        self.granted.remove(app_id, uid.as_str())
    }

    /// The present grant of a user whose home this shard is, if this shard owns it as well.
    pub(super) fn grant_at_home(
        &self,
        app_id: &AppId,
        uid: &UserId,
        own: ShardId,
    ) -> Option<Tenure> {
        let owner = self.owners.get(app_id, uid.as_str())?;
        (owner.shard == own).then_some(owner.tenure)
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { owners, granted, asking, last_tenure: _, held_bytes } = self;
        alloc::vec![
            ("apps with owners", owners.app_ids().count()),
            ("apps with grants", granted.app_ids().count()),
            ("apps with asking logins", asking.app_ids().count()),
            ("bytes held for owners", *held_bytes),
        ]
    }
}

impl Owner {
    /// Takes the login for which the user is revoked.
    fn next_asked(&mut self) -> Option<Asked> {
        self.revoking.as_mut()?.asked.pop_front()
    }
}
