//! In a cluster, the home of a user decides which shard owns the user.

use super::directory::{Candidate, Step};
use super::ending::End;
use super::io::{Denial, Entry, LeftBehind, Ownership, Tenure};
use super::placement::ShardId;
use super::shard::Server;
use crate::{AppId, UserId};

impl Server {
    fn user_asked_for(&mut self, app_id: &AppId, uid: &UserId, candidate: Candidate) {
        if let Some(step) = self.shared.directory.asked(app_id, uid, candidate) {
            self.take_step(app_id, uid, step, None);
        }
    }

    fn user_released(&mut self, app_id: &AppId, uid: &UserId, tenure: Tenure, left: LeftBehind) {
        let Some(steps) = self.shared.directory.released(app_id, uid, tenure) else { return };
        let displaced = left.displaced;
        self.tallies.put_left(&mut self.shared, app_id, uid, left);
        if steps.is_empty() && displaced.is_some() {
            // Its session ended for a login that is gone as well.
            self.report_offline(app_id, uid, End::Dropped);
        }
        for step in steps {
            self.take_step(app_id, uid, step, displaced);
        }
    }

    fn user_kept(&mut self, app_id: &AppId, uid: &UserId, tenure: Tenure, denial: Denial) {
        for step in self.shared.directory.denied(app_id, uid, tenure, denial) {
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
            Step::Deny(shard, denial) => {
                let deny = Ownership::Deny { uid: uid.clone(), denial };
                self.shared.send_to_any(shard, app_id, Entry::Ownership(deny));
            }
            Step::Revoke(owner, tenure, login) => {
                let revoke = Ownership::Revoke { uid: uid.clone(), tenure, login };
                self.shared.send_to_any(owner, app_id, Entry::Ownership(revoke));
            }
            Step::PassOn(owner, held) => {
                for passed_on in held {
                    self.shared.send_to_any(owner, app_id, Entry::PassedOn(passed_on));
                }
            }
        }
    }

    /// An entry about the owner of a user.
    pub(super) fn ownership_arrived(&mut self, from: ShardId, app_id: &AppId, entry: Ownership) {
        match entry {
            Ownership::Ask { uid, login } => {
                self.user_asked_for(app_id, &uid, Candidate { shard: from, login });
            }
            Ownership::Grant { uid, tenure, left } => {
                self.user_granted(app_id, uid, tenure, left);
            }
            Ownership::Deny { uid, denial } => self.user_denied(app_id, &uid, denial),
            Ownership::Revoke { uid, tenure, login } => {
                self.user_revoked(app_id, &uid, tenure, login);
            }
            Ownership::Release { uid, tenure, left } => {
                self.user_released(app_id, &uid, tenure, left);
            }
            Ownership::Keep { uid, tenure, denial } => self.user_kept(app_id, &uid, tenure, denial),
        }
    }
}
