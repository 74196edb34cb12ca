//! The directory of a cluster's users: which shard owns each user whose home this shard is.
//!
//! The owner of a user is the one shard that has the user's session, or may begin one. Its home
//! grants a user to one shard at a time: the next one gets it when the owner has released it.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::by_user::ByUser;
use super::homes::Homes;
use super::io::{
    AskedLogin, AskedResume, Candidate, Deliveries, Denial, MovedOwner, PassedOn, Tenure,
};
use super::keys::Origin;
use super::placement::ShardId;
#[cfg(test)]
use crate::kept::Kept;
use crate::limits::{HELD_BYTES_MAX, RESUMES_PER_USER_MAX};
use crate::planted::{Bug, planted};
use crate::{AppId, LoginId, MessageConfig, UserId};

/// The bits of a tenure below its epoch: more grants than a shard can make in one epoch.
const TENURE_EPOCH_SHIFT: u32 = 40;

#[derive(Debug)]
pub(super) struct Directory {
    owners: ByUser<Owner>,
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
    /// In their order, at most one of a shard besides those that resume the session. The user is
    /// revoked for the first one.
    candidates: VecDeque<Candidate>,
    /// What came for the user meanwhile.
    held: Vec<PassedOn>,
}

/// What a home does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Grant(ShardId, Tenure),
    Deny(ShardId, LoginId, Denial),
    /// To the owner.
    Revoke(ShardId, Tenure, AskedLogin, Option<Box<AskedResume>>),
    /// To the owner.
    PassOn(ShardId, Vec<PassedOn>),
    /// Nobody owns the user for whom this waited.
    Refuse(Vec<PassedOn>),
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

impl Directory {
    pub(super) fn new(seed: u64) -> Self {
        Self { owners: ByUser::new(seed), last_tenure: 0, held_bytes: 0 }
    }

    /// A login asks for a user.
    pub(super) fn asked(
        &mut self,
        homes: &Homes,
        app_id: &AppId,
        uid: &UserId,
        candidate: Candidate,
    ) -> Option<Step> {
        if !homes.has(candidate.shard) {
            return None;
        }
        let resumes = candidate.resume.is_some();
        let deny = || Step::Deny(candidate.shard, candidate.login, Denial::NotResumed);
        let Some(owner) = self.owners.get_mut(app_id, uid.as_str()) else {
            if resumes {
                return Some(deny());
            }
            let tenure = self.next_tenure(homes);
            let owner = Owner { shard: candidate.shard, tenure, revoking: None };
            self.owners.insert(app_id, uid.clone(), owner);
            return Some(Step::Grant(candidate.shard, tenure));
        };
        if owner.shard == candidate.shard {
            // It asked twice because a home was removed, and the first answer is under way. Or the
            // session that it resumes has come there.
            return resumes.then(deny);
        }
        if planted(Bug::GrantWithoutRevoke) && owner.revoking.is_none() {
            let tenure = self.next_tenure(homes);
            let owner = Owner { shard: candidate.shard, tenure, revoking: None };
            self.owners.insert(app_id, uid.clone(), owner);
            return Some(Step::Grant(candidate.shard, tenure));
        }
        if let Some(revoking) = &mut owner.revoking {
            let (shard, login) = (candidate.shard, candidate.login);
            let is_added = revoking.add(candidate);
            return (!is_added).then_some(Step::Deny(shard, login, Denial::NotResumed));
        }
        let (login, resume) = (candidate.asked, candidate.resume.clone());
        let revoking = Revoking { candidates: [candidate].into(), held: Vec::new() };
        owner.revoking = Some(revoking.into());
        Some(Step::Revoke(owner.shard, owner.tenure, login, resume))
    }

    /// The owner has released a user. `None` if this is about a former grant. Candidates of removed
    /// nodes are left out.
    pub(super) fn released(
        &mut self,
        homes: &Homes,
        app_id: &AppId,
        uid: &UserId,
        tenure: Tenure,
    ) -> Option<Vec<Step>> {
        let owner = self.owner_since(app_id, uid, tenure)?;
        let mut steps = Vec::new();
        let Some(next) = owner.next_candidate(homes, &mut steps) else {
            let held = owner.revoking.take().map_or(Vec::new(), |revoking| revoking.held);
            self.held_bytes -= held.iter().map(PassedOn::size).sum::<usize>();
            self.owners.remove(app_id, uid.as_str());
            if !held.is_empty() {
                steps.push(Step::Refuse(held));
            }
            return Some(steps);
        };
        self.grant(homes, app_id, uid, next.shard, &mut steps);
        Some(steps)
    }

    /// The session of a user has moved to this login, of which its former owner had this grant.
    pub(super) fn moved(
        &mut self,
        homes: &Homes,
        app_id: &AppId,
        uid: &UserId,
        tenure: Tenure,
        (shard, login): (ShardId, LoginId),
    ) -> Vec<Step> {
        let owner = self.owners.get_mut(app_id, uid.as_str());
        match owner {
            Some(owner) if owner.tenure == tenure => {
                if let Some(revoking) = &mut owner.revoking {
                    let is_it = |other: &Candidate| (other.shard, other.login) == (shard, login);
                    revoking.candidates.retain(|other| !is_it(other));
                }
            }
            // Another login has got the user, because the former owner was removed.
            Some(_) => return alloc::vec![Step::Deny(shard, login, Denial::Displaced)],
            None => {
                let owner = Owner { shard, tenure, revoking: None };
                self.owners.insert(app_id, uid.clone(), owner);
            }
        }
        let mut steps = Vec::new();
        self.grant(homes, app_id, uid, shard, &mut steps);
        steps
    }

    fn grant(
        &mut self,
        homes: &Homes,
        app_id: &AppId,
        uid: &UserId,
        shard: ShardId,
        steps: &mut Vec<Step>,
    ) {
        let tenure = self.next_tenure(homes);
        let Some(owner) = self.owners.get_mut(app_id, uid.as_str()) else { return };
        (owner.shard, owner.tenure) = (shard, tenure);
        steps.push(Step::Grant(shard, tenure));
        self.go_on(homes, app_id, uid, steps);
    }

    /// The owner keeps a user, and denies the login for which it was revoked.
    pub(super) fn denied(
        &mut self,
        homes: &Homes,
        app_id: &AppId,
        uid: &UserId,
        tenure: Tenure,
        denial: Denial,
    ) -> Vec<Step> {
        let owner = self.owner_since(app_id, uid, tenure);
        let denied = owner.and_then(|owner| owner.revoking.as_mut()?.candidates.pop_front());
        let Some(denied) = denied else { return Vec::new() };
        let mut steps = alloc::vec![Step::Deny(denied.shard, denied.login, denial)];
        self.go_on(homes, app_id, uid, &mut steps);
        steps
    }

    /// The user has an owner again. What came meanwhile goes there, before the next login.
    fn go_on(&mut self, homes: &Homes, app_id: &AppId, uid: &UserId, steps: &mut Vec<Step>) {
        let Some(owner) = self.owners.get_mut(app_id, uid.as_str()) else { return };
        let Some(revoking) = &mut owner.revoking else { return };
        let held = core::mem::take(&mut revoking.held);
        if !held.is_empty() {
            self.held_bytes -= held.iter().map(PassedOn::size).sum::<usize>();
            steps.push(Step::PassOn(owner.shard, held));
        }
        // All logins of the owner's shard go on with its grant.
        let shard = owner.shard;
        revoking.candidates.retain(|candidate| {
            if candidate.shard == shard && candidate.resume.is_some() {
                steps.push(Step::Deny(shard, candidate.login, Denial::NotResumed));
            }
            candidate.shard != shard && homes.has(candidate.shard)
        });
        match revoking.candidates.front() {
            Some(next) => {
                let resume = next.resume.clone();
                steps.push(Step::Revoke(owner.shard, owner.tenure, next.asked, resume));
            }
            None => owner.revoking = None,
        }
    }

    fn owner_since(&mut self, app_id: &AppId, uid: &UserId, tenure: Tenure) -> Option<&mut Owner> {
        self.owners.get_mut(app_id, uid.as_str()).filter(|owner| owner.tenure == tenure)
    }

    /// Greater than those of all former homes, which granted in former epochs.
    fn next_tenure(&mut self, homes: &Homes) -> Tenure {
        let first = homes.epoch() << TENURE_EPOCH_SHIFT;
        self.last_tenure = self.last_tenure.max(first) + 1;
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
            Some(PassedOn::Deliver(deliveries)) => {
                let before = PassedOn::size_of(&deliveries);
                (deliveries, before)
            }
            other => {
                held.extend(other);
                (Deliveries::default(), 0)
            }
        };
        deliveries.push(origin.session, origin.id, config, &to, frame);
        let after = PassedOn::size_of(&deliveries);
        held.push(PassedOn::Deliver(deliveries));
        self.held_bytes += after - before;
        true
    }

    /// Keeps something else until it is decided who owns the user.
    pub(super) fn hold(&mut self, app_id: &AppId, uid: &str, passed_on: PassedOn) {
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

    fn held(&mut self, app_id: &AppId, uid: &str) -> Option<&mut Vec<PassedOn>> {
        Some(&mut self.owners.get_mut(app_id, uid)?.revoking.as_mut()?.held)
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { owners, last_tenure: _, held_bytes } = self;
        alloc::vec![
            ("apps with owners", owners.app_ids().count()),
            ("bytes held for owners", *held_bytes),
        ]
    }
}

impl Owner {
    /// Takes the login that gets the user next. The session is over, so those before it that resume
    /// it are denied.
    fn next_candidate(&mut self, homes: &Homes, steps: &mut Vec<Step>) -> Option<Candidate> {
        let candidates = &mut self.revoking.as_mut()?.candidates;
        candidates.retain(|candidate| homes.has(candidate.shard));
        candidates.retain(|candidate| {
            if candidate.resume.is_some() {
                steps.push(Step::Deny(candidate.shard, candidate.login, Denial::NotResumed));
            }
            candidate.resume.is_none()
        });
        candidates.pop_front()
    }
}

impl Revoking {
    /// Adds a login. A shard asks again if a former home was removed. False if too many wait to
    /// resume the session.
    fn add(&mut self, candidate: Candidate) -> bool {
        let is_same = |other: &&mut Candidate| {
            let is_login = candidate.resume.is_none() || other.login == candidate.login;
            other.shard == candidate.shard
                && other.resume.is_some() == candidate.resume.is_some()
                && is_login
        };
        let resuming = self.candidates.iter().filter(|other| other.resume.is_some()).count();
        match self.candidates.iter_mut().find(is_same) {
            Some(same) => *same = candidate,
            None if candidate.resume.is_some() && resuming >= RESUMES_PER_USER_MAX => return false,
            None => self.candidates.push_back(candidate),
        }
        true
    }
}

/// The homes of a cluster change.
impl Directory {
    /// The users with owners.
    pub(super) fn users(&self) -> Vec<(AppId, UserId)> {
        self.owners.sorted()
    }

    /// Takes a user out, for the next home: its owner, and what waits for the user.
    pub(super) fn take(
        &mut self,
        app_id: &AppId,
        uid: &UserId,
    ) -> Option<(MovedOwner, Vec<PassedOn>)> {
        let Owner { shard, tenure, revoking } = self.owners.remove(app_id, uid.as_str())?;
        let (candidates, held) = match revoking {
            Some(revoking) => (revoking.candidates, revoking.held),
            None => Default::default(),
        };
        self.held_bytes -= held.iter().map(PassedOn::size).sum::<usize>();
        Some((MovedOwner { shard, tenure, candidates: candidates.into() }, held))
    }

    /// Adds a user that a former home knew, or that its owner reports because that home is gone.
    pub(super) fn put(&mut self, app_id: &AppId, uid: UserId, moved: MovedOwner) {
        let MovedOwner { shard, tenure, candidates } = moved;
        self.last_tenure = self.last_tenure.max(tenure.0);
        if self.owners.get(app_id, uid.as_str()).is_some_and(|known| known.tenure >= tenure) {
            return;
        }
        let revoking = match candidates.is_empty() {
            true => None,
            false => Some(Revoking { candidates: candidates.into(), held: Vec::new() }.into()),
        };
        self.owners.insert(app_id, uid, Owner { shard, tenure, revoking });
    }

    /// The owners in nodes that were removed, with their grants.
    pub(super) fn of_removed_nodes(&self, homes: &Homes) -> Vec<(AppId, UserId, Tenure)> {
        let owner_of = |app_id: &AppId, uid: &UserId| {
            let owner = self.owners.get(app_id, uid.as_str())?;
            (!homes.has(owner.shard)).then_some(owner.tenure)
        };
        let users = self.owners.sorted().into_iter();
        let lost = users.filter_map(|(app_id, uid)| {
            let tenure = owner_of(&app_id, &uid)?;
            Some((app_id, uid, tenure))
        });
        lost.collect()
    }
}
