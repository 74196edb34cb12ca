//! In a cluster, a shard owns users: its home grants and revokes them. Section 3 of the protocol
//! holds over all nodes because of this and of `user_home.rs`.

use super::io::{AskedLogin, AskedResume, Denial, LeftBehind, Ownership, PassedOn, Tenure};
use super::rooms;
use super::session::Session;
use super::shard::Server;
use super::unreliable::Unreliable;
use crate::{AppId, LoginId, UserId};

/// The shard of a login.
impl Server {
    /// This shard owns the user from now on, unless no session begins.
    pub(super) fn user_granted(
        &mut self,
        app_id: &AppId,
        uid: UserId,
        tenure: Tenure,
        left: LeftBehind,
    ) {
        let displaced = left.displaced;
        self.put_left(app_id, &uid, left);
        self.shared.grants.granted(app_id, uid.clone(), tenure);
        self.install_session(app_id, &uid);
        for login in self.shared.grants.end_asking(app_id, &uid) {
            if let Some((link, asked, pass)) = self.links.end_ask(login) {
                self.login_granted(link, *asked, pass, displaced);
            }
        }
        if self.users.find(app_id, uid.as_str()).is_none() {
            self.release_user(app_id, &uid, displaced);
        }
    }

    /// The first login of the user is denied. The next one asks.
    pub(super) fn user_denied(
        &mut self,
        app_id: &AppId,
        uid: &UserId,
        login: LoginId,
        denial: Denial,
    ) {
        if self.resume_denied(app_id, uid, login, denial)
            || self.shared.grants.first_asking(app_id, uid) != Some(login)
        {
            return;
        }
        if let Some((link, asked, _)) = self.links.end_ask(login) {
            self.deny(link, &asked, denial);
        }
        if let Some(next) = self.shared.grants.next_asking(app_id, uid) {
            self.ask_for(app_id, uid, next);
        }
    }
}

/// The owner of a user.
impl Server {
    /// Another login asks for a user of this shard.
    pub(super) fn user_revoked(
        &mut self,
        app_id: &AppId,
        uid: &UserId,
        tenure: Tenure,
        login: AskedLogin,
        resume: Option<AskedResume>,
    ) {
        // A grant that is over was released, and the home knows or will know.
        if self.shared.grants.of(app_id, uid) != Some(tenure) {
            return;
        }
        if let Some(resume) = resume {
            return self.leave_for(app_id, uid, tenure, login, resume);
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
        passed_on: PassedOn,
        unreliable: &mut Unreliable,
    ) {
        match passed_on {
            PassedOn::Deliver(deliveries) => {
                for delivery in deliveries.iter() {
                    self.deliver_here(app_id, delivery, unreliable);
                    self.end_overrun();
                }
            }
            PassedOn::QueryStatus { session, query, uid } => {
                let status = self.status_of(self.shared.now(), app_id, uid.as_str());
                self.answer_status(session, query, status);
            }
            PassedOn::Request(on_way) => self.carry_out(app_id, *on_way),
            PassedOn::Orphan { room, uid, waits }
                if self.shared.grants.of(app_id, &uid).is_some() =>
            {
                self.tallies.count_orphan(&mut self.shared, app_id, &uid, &room, waits);
            }
            // The count has left this shard meanwhile. The home knows where it is.
            PassedOn::Orphan { room, uid, waits } => {
                let (shared, tallies) = (&mut self.shared, &mut self.tallies);
                rooms::count_orphan(shared, tallies, app_id, &room, &uid, waits);
            }
        }
    }
}
