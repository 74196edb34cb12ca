//! In a cluster, a shard asks the home of a user for the user, and releases it.

use super::io::{AskedLogin, Entry, LeftBehind, Ownership, Tenure};
use super::links::Pass;
use super::shard::Server;
use crate::limits::ASKS_PER_USER_MAX;
use crate::wire::Login;
use crate::{AppId, LinkId, UserId};

impl Server {
    /// Whether this shard does not own the user of a login.
    pub(super) fn must_ask_home(&self, asked: &Login) -> bool {
        self.shared.homes.are_in_cluster()
            && self.users.find(&asked.app_id, asked.uid.as_str()).is_none()
    }

    /// The home of the user decides whether the login may continue.
    pub(super) fn ask_home(&mut self, link: LinkId, asked: Login, pass: Pass) {
        let (app_id, uid) = (asked.app_id.clone(), asked.uid.clone());
        if self.shared.owners.asking(&app_id, &uid) >= ASKS_PER_USER_MAX {
            return self.turn_away_login(link, &asked);
        }
        let login = AskedLogin::new(&asked, pass.clock);
        let id = self.links.begin_ask(link, asked, pass);
        if self.shared.owners.ask(&app_id, &uid, id) {
            self.send_to_home(&app_id, &uid, Ownership::Ask { uid: uid.clone(), login });
        }
    }

    /// The grant of a user that this shard owns.
    pub(super) fn present_grant(&self, app_id: &AppId, uid: &UserId) -> Option<Tenure> {
        let (owners, own) = (&self.shared.owners, self.shared.config.placement.own());
        match self.shared.homes.other_of_user(app_id, uid.as_str()) {
            Some(_) => owners.grant(app_id, uid),
            None => owners.grant_at_home(app_id, uid, own),
        }
    }

    /// The user has no session in this shard any more. `displaced` is the claim of a session that
    /// ended for another login.
    pub(super) fn release_user(&mut self, app_id: &AppId, uid: &UserId, displaced: Option<u64>) {
        if !self.shared.homes.are_in_cluster() {
            return;
        }
        let Some(tenure) = self.present_grant(app_id, uid) else { return };
        let mut left = LeftBehind { displaced, ..LeftBehind::default() };
        if self.shared.homes.other_of_user(app_id, uid.as_str()).is_some() {
            self.shared.owners.give_up(app_id, uid);
            left = self.tallies.take_left(&self.shared, app_id, uid, displaced);
        }
        let entry = Ownership::Release { uid: uid.clone(), tenure, left };
        self.send_to_home(app_id, uid, entry);
    }

    pub(super) fn send_to_home(&mut self, app_id: &AppId, uid: &UserId, entry: Ownership) {
        let home = self.shared.homes.other_of_user(app_id, uid.as_str());
        let home = home.unwrap_or(self.shared.config.placement.own());
        self.shared.send_to_any(home, app_id, Entry::Ownership(entry));
    }
}
