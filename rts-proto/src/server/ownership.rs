//! In a cluster, the home of a user decides which shard owns the user. Section 3 of the protocol
//! holds over all nodes because of it.

use super::ending::End;
use super::io::{AskedLogin, Denial, Entry, ForOwner, LeftBehind, Ownership, Tenure};
use super::owners::{Asked, Step};
use super::placement::ShardId;
use super::rooms;
use super::session::Session;
use super::shard::Server;
use super::unreliable::Unreliable;
use crate::{AppId, UserId};

/// The shard of a login.
impl Server {
    /// This shard owns the user from now on, unless no session begins.
    fn user_granted(&mut self, app_id: &AppId, uid: UserId, tenure: Tenure, left: LeftBehind) {
        if self.shared.homes.other_of_user(app_id, uid.as_str()).is_some() {
            self.shared.owners.granted(app_id, uid.clone(), tenure);
        }
        let displaced = left.displaced;
        self.tallies.put_left(&mut self.shared, app_id, &uid, left);
        for login in self.shared.owners.end_asking(app_id, &uid) {
            if let Some((link, asked, pass)) = self.links.end_ask(login) {
                self.login_granted(link, *asked, pass, displaced);
            }
        }
        if self.users.find(app_id, uid.as_str()).is_none() {
            self.release_user(app_id, &uid, displaced);
        }
    }

    /// The first login of the user is denied. The next one asks.
    fn user_denied(&mut self, app_id: &AppId, uid: &UserId, denial: Denial) {
        let denied = self.shared.owners.first_asking(app_id, uid);
        if let Some((link, asked, _)) = denied.and_then(|login| self.links.end_ask(login)) {
            self.deny(link, &asked, denial);
        }
        while let Some(next) = self.shared.owners.next_asking(app_id, uid) {
            if let Some(login) = self.links.asking(next) {
                let entry = Ownership::Ask { uid: uid.clone(), login };
                return self.send_to_home(app_id, uid, entry);
            }
        }
    }
}

/// The owner of a user.
impl Server {
    /// Another login asks for a user of this shard.
    fn user_revoked(&mut self, app_id: &AppId, uid: &UserId, tenure: Tenure, login: AskedLogin) {
        // A grant that is over was released, and the home knows or will know.
        if self.present_grant(app_id, uid) != Some(tenure) {
            return;
        }
        let Some(number) = self.users.find(app_id, uid.as_str()) else { return };
        let session = self.shared.session(number);
        let displaced = session.map(Session::claim);
        match login.claim_after(session, None) {
            Ok(claim) => {
                self.supersede(number, claim, None);
                self.release_user(app_id, uid, displaced);
            }
            Err(denial) => {
                let entry = Ownership::Keep { uid: uid.clone(), tenure, denial };
                self.send_to_home(app_id, uid, entry);
            }
        }
    }

    /// The home of a user has passed something on.
    pub(super) fn passed_on(
        &mut self,
        app_id: &AppId,
        passed_on: ForOwner,
        unreliable: &mut Unreliable,
    ) {
        match passed_on {
            ForOwner::Deliver(deliveries) => {
                for delivery in deliveries.iter() {
                    self.deliver_here(app_id, delivery, unreliable);
                    self.end_overrun();
                }
            }
            ForOwner::QueryStatus { session, query, uid } => {
                let status = self.status_of(self.shared.now(), app_id, uid.as_str());
                self.answer_status(session, query, status);
            }
            ForOwner::OrphanGone { room, uid } if self.present_grant(app_id, &uid).is_some() => {
                self.tallies.count_orphan_out(app_id, &uid, &room);
            }
            // The count has left this shard meanwhile. The home knows where it is.
            ForOwner::OrphanGone { room, uid } => {
                rooms::count_orphan_out(&mut self.shared, &mut self.tallies, app_id, &room, &uid);
            }
        }
    }
}

/// The home of a user.
impl Server {
    fn user_asked_for(&mut self, app_id: &AppId, uid: &UserId, asked: Asked) {
        if let Some(step) = self.shared.owners.asked(app_id, uid, asked) {
            self.take_step(app_id, uid, step, None);
        }
    }

    fn user_released(&mut self, app_id: &AppId, uid: &UserId, tenure: Tenure, left: LeftBehind) {
        let Some(steps) = self.shared.owners.released(app_id, uid, tenure) else { return };
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
        for step in self.shared.owners.denied(app_id, uid, tenure, denial) {
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
                    self.shared.send_to_any(owner, app_id, Entry::ForOwner(passed_on));
                }
            }
        }
    }
}

impl Server {
    /// An entry about the owner of a user.
    pub(super) fn ownership_arrived(&mut self, from: ShardId, app_id: &AppId, entry: Ownership) {
        match entry {
            Ownership::Ask { uid, login } => {
                self.user_asked_for(app_id, &uid, Asked { shard: from, login });
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
