//! In a cluster, the home of a user decides which shard owns the user.

use super::directory::{Route, Step};
use super::ending::End;
use super::io::{Candidate, Denial, Entry, LeftBehind, Ownership, Report, Tenure};
use super::placement::ShardId;
use super::shard::Server;
use super::shared::Shared;
use super::unreliable::Unreliable;
use crate::planted::{Bug, planted};
use crate::{AppId, LoginId, UserId};

impl Server {
    fn user_asked_for(&mut self, app_id: &AppId, uid: &UserId, candidate: Candidate) {
        let Shared { directory, homes, .. } = &mut self.shared;
        if let Some(step) = directory.asked(homes, app_id, uid, candidate) {
            self.take_step(app_id, uid, step, None);
        }
    }

    pub(super) fn user_released(
        &mut self,
        app_id: &AppId,
        uid: &UserId,
        tenure: Tenure,
        left: LeftBehind,
        next: Option<(ShardId, LoginId)>,
    ) {
        if let Some(next) = next {
            if self.shared.directory.route(app_id, uid.as_str()) == Route::Nobody {
                // The node of its former owner was removed, and the user was reported offline.
                self.shared.report(app_id, || Report::UserOnline { uid: uid.clone() });
            }
            let Shared { directory, homes, .. } = &mut self.shared;
            for step in directory.moved(homes, app_id, uid, tenure, next) {
                self.take_step(app_id, uid, step, None);
            }
            return;
        }
        let Shared { directory, homes, .. } = &mut self.shared;
        let Some(steps) = directory.released(homes, app_id, uid, tenure) else {
            // What was known of the owner was lost with a node.
            if directory.route(app_id, uid.as_str()) == Route::Nobody {
                self.put_left(app_id, uid, left);
            }
            return;
        };
        let displaced = left.displaced;
        self.put_left(app_id, uid, left);
        let has_next = steps.iter().any(|step| matches!(step, Step::Grant(..)));
        if !has_next && displaced.is_some() {
            // Its session ended for a login that is gone as well.
            self.report_offline(app_id, uid, End::Dropped);
        }
        for step in steps {
            self.take_step(app_id, uid, step, displaced);
        }
    }

    fn user_kept(&mut self, app_id: &AppId, uid: &UserId, tenure: Tenure, denial: Denial) {
        let Shared { directory, homes, .. } = &mut self.shared;
        for step in directory.denied(homes, app_id, uid, tenure, denial) {
            self.take_step(app_id, uid, step, None);
        }
    }

    fn take_step(&mut self, app_id: &AppId, uid: &UserId, step: Step, displaced: Option<u64>) {
        match step {
            Step::Grant(shard, tenure) => {
                let left = self.tallies.take_left(&self.shared, app_id, uid, displaced);
                let grant = Ownership::Grant { uid: uid.clone(), tenure, left };
                self.shared.send_to_any(shard, app_id, Entry::Ownership(grant));
            }
            Step::Deny(shard, login, denial) => {
                let deny = Ownership::Deny { uid: uid.clone(), login, denial };
                self.shared.send_to_any(shard, app_id, Entry::Ownership(deny));
            }
            Step::Revoke(owner, tenure, login, resume) => {
                let revoke = Ownership::Revoke { uid: uid.clone(), tenure, login, resume };
                self.shared.send_to_any(owner, app_id, Entry::Ownership(revoke));
            }
            Step::PassOn(..) if planted(Bug::HeldForOwnerLost) => {}
            Step::PassOn(owner, held) => {
                for passed_on in held {
                    self.shared.send_to_any(owner, app_id, Entry::PassedOn(passed_on));
                }
            }
            Step::Refuse(held) => {
                for passed_on in held {
                    self.passed_on(app_id, passed_on, &mut Unreliable::default());
                }
            }
        }
    }

    /// An entry about the owner of a user.
    pub(super) fn ownership_arrived(&mut self, app_id: &AppId, entry: Ownership) {
        match entry {
            Ownership::Ask { uid, candidate } => self.user_asked_for(app_id, &uid, candidate),
            Ownership::Grant { uid, tenure, left } => self.user_granted(app_id, uid, tenure, left),
            Ownership::Deny { uid, login, denial } => self.user_denied(app_id, &uid, login, denial),
            Ownership::Revoke { uid, tenure, login, resume } => {
                self.user_revoked(app_id, &uid, tenure, login, resume.map(|resume| *resume));
            }
            Ownership::Release { uid, tenure, left, next } => {
                self.user_released(app_id, &uid, tenure, left, next);
            }
            Ownership::Keep { uid, tenure, denial } => self.user_kept(app_id, &uid, tenure, denial),
        }
    }
}
