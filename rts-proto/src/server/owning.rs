//! In a cluster, a shard asks the home of a user for the user, owns it, and releases it. Section 3
//! of the protocol holds over all nodes because of this and of `user_home.rs`.

use super::io::{AskedLogin, Denial, Entry, LeftBehind, Ownership, PassedOn, Tenure};
use super::links::Pass;
use super::rooms;
use super::session::Session;
use super::shard::Server;
use super::unreliable::Unreliable;
use crate::limits::ASKS_PER_USER_MAX;
use crate::wire::Login;
use crate::{AppId, LinkId, UserId};

/// The shard of a login.
impl Server {
    /// Whether this shard does not own the user of a login.
    pub(super) fn must_ask_home(&self, asked: &Login) -> bool {
        self.shared.homes.are_in_cluster()
            && self.users.find(&asked.app_id, asked.uid.as_str()).is_none()
    }

    /// The home of the user decides whether the login may continue.
    pub(super) fn ask_home(&mut self, link: LinkId, asked: Login, pass: Pass) {
        let (app_id, uid) = (asked.app_id.clone(), asked.uid.clone());
        if self.shared.grants.asking(&app_id, &uid) >= ASKS_PER_USER_MAX {
            return self.turn_away_login(link, &asked);
        }
        let login = AskedLogin::new(&asked, pass.clock);
        let id = self.links.begin_ask(link, asked, pass);
        if self.shared.grants.ask(&app_id, &uid, id) {
            self.send_to_home(&app_id, &uid, Ownership::Ask { uid: uid.clone(), login });
        }
    }

    /// The user has no session in this shard any more. `displaced` is the claim of a session that
    /// ended for another login.
    pub(super) fn release_user(&mut self, app_id: &AppId, uid: &UserId, displaced: Option<u64>) {
        let Some(tenure) = self.shared.grants.give_up(app_id, uid) else { return };
        let left = match self.shared.homes.other_of_user(app_id, uid.as_str()) {
            Some(_) => self.tallies.take_left(&self.shared, app_id, uid, displaced),
            // It stays in this shard.
            None => LeftBehind { displaced, ..LeftBehind::default() },
        };
        let entry = Ownership::Release { uid: uid.clone(), tenure, left };
        self.send_to_home(app_id, uid, entry);
    }

    pub(super) fn send_to_home(&mut self, app_id: &AppId, uid: &UserId, entry: Ownership) {
        let home = self.shared.homes.other_of_user(app_id, uid.as_str());
        let home = home.unwrap_or(self.shared.config.placement.own());
        self.shared.send_to_any(home, app_id, Entry::Ownership(entry));
    }

    /// This shard owns the user from now on, unless no session begins.
    pub(super) fn user_granted(
        &mut self,
        app_id: &AppId,
        uid: UserId,
        tenure: Tenure,
        left: LeftBehind,
    ) {
        self.shared.grants.granted(app_id, uid.clone(), tenure);
        let displaced = left.displaced;
        self.tallies.put_left(&mut self.shared, app_id, &uid, left);
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
    pub(super) fn user_denied(&mut self, app_id: &AppId, uid: &UserId, denial: Denial) {
        let denied = self.shared.grants.first_asking(app_id, uid);
        if let Some((link, asked, _)) = denied.and_then(|login| self.links.end_ask(login)) {
            self.deny(link, &asked, denial);
        }
        while let Some(next) = self.shared.grants.next_asking(app_id, uid) {
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
    pub(super) fn user_revoked(
        &mut self,
        app_id: &AppId,
        uid: &UserId,
        tenure: Tenure,
        login: AskedLogin,
    ) {
        // A grant that is over was released, and the home knows or will know.
        if self.shared.grants.of(app_id, uid) != Some(tenure) {
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
            PassedOn::OrphanGone { room, uid } if self.shared.grants.of(app_id, &uid).is_some() => {
                self.tallies.count_orphan_out(app_id, &uid, &room);
            }
            // The count has left this shard meanwhile. The home knows where it is.
            PassedOn::OrphanGone { room, uid } => {
                rooms::count_orphan_out(&mut self.shared, &mut self.tallies, app_id, &room, &uid);
            }
        }
    }
}
