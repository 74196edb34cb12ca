//! In a cluster, the home of a user decides which shard owns the user. Section 3 of the protocol
//! holds over all nodes because of it.

use super::io::{AskedLogin, Denial, Entry, ForOwner, LeftBehind, Ownership, Tenure};
use super::keys::{Origin, SessionNumber};
use super::links::Pass;
use super::owners::{Asked, Route, Step};
use super::placement::ShardId;
use super::rooms;
use super::session::Session;
use super::shard::Server;
use super::unreliable::Unreliable;
use crate::limits::ASKS_PER_USER_MAX;
use crate::planted::{Bug, planted};
use crate::wire::Login;
use crate::{AppId, LinkId, MessageConfig, OnlineStatus, SendCode, UserId};

impl AskedLogin {
    pub(super) fn new(login: &Login, clock: u64) -> Self {
        let Login { engine, attempt, claim, .. } = *login;
        Self { engine, attempt, claim, clock }
    }

    /// §3.4 and §3.8: its claim, if it may displace the present session. `displaced` is the claim
    /// of a session that was displaced for it.
    pub(super) fn claim_after(
        &self,
        present: Option<&Session>,
        displaced: Option<u64>,
    ) -> Result<u64, Denial> {
        if present.is_some_and(|session| session.overtakes(self.engine, self.attempt)) {
            return Err(Denial::Overtaken);
        }
        let present = present.map(Session::claim).max(displaced).unwrap_or(0);
        let continues = self.claim > 0 && self.claim <= self.clock;
        if continues && present > self.claim && !planted(Bug::ClaimIgnored) {
            return Err(Denial::Displaced);
        }
        match present.checked_add(1) {
            _ if continues => Ok(self.claim),
            Some(next) => Ok(self.clock.max(next)),
            // No greater claim exists, so the order of the two logins could not be known.
            None => Err(Denial::NoGreaterClaim),
        }
    }
}

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
        if self.shared.owners.asking(&app_id, &uid) >= ASKS_PER_USER_MAX {
            return self.turn_away_login(link, &asked);
        }
        let login = AskedLogin::new(&asked, pass.clock);
        let id = self.links.begin_ask(link, asked, pass);
        if self.shared.owners.ask(&app_id, &uid, id) {
            self.send_to_home(&app_id, &uid, Ownership::Ask { uid: uid.clone(), login });
        }
    }

    /// This shard owns the user from now on, unless no session begins.
    fn user_granted(&mut self, app_id: &AppId, uid: UserId, tenure: Tenure, left: LeftBehind) {
        if self.shared.homes.other_of_user(app_id, uid.as_str()).is_some() {
            self.shared.owners.granted(app_id, uid.clone(), tenure);
        }
        let displaced = left.displaced;
        self.tallies.put_left(&mut self.shared, app_id, &uid, left);
        for login in self.shared.owners.end_asking(app_id, &uid) {
            if let Some((link, asked, pass)) = self.links.end_ask(login) {
                self.begin_session(link, *asked, pass, displaced);
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

    fn present_grant(&self, app_id: &AppId, uid: &UserId) -> Option<Tenure> {
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
                self.send_in_app(shard, app_id, Entry::Ownership(grant));
            }
            Step::Deny(shard, denial) => {
                let deny = Ownership::Deny { uid: uid.clone(), denial };
                self.send_in_app(shard, app_id, Entry::Ownership(deny));
            }
            Step::Revoke(owner, tenure, login) => {
                let revoke = Ownership::Revoke { uid: uid.clone(), tenure, login };
                self.send_in_app(owner, app_id, Entry::Ownership(revoke));
            }
            Step::PassOn(owner, held) => {
                for passed_on in held {
                    self.send_in_app(owner, app_id, Entry::ForOwner(passed_on));
                }
            }
        }
    }

    /// A message to a user whose home this shard is, and whose session it does not have. The
    /// result, unless the user's owner decides it.
    pub(super) fn deliver_to_owner(
        &mut self,
        app_id: &AppId,
        origin: Origin,
        to: &str,
        config: MessageConfig,
        frame: &[u8],
    ) -> Option<SendCode> {
        match self.shared.owners.route(app_id, to) {
            Route::Owner(owner) if owner != self.shared.config.placement.own() => {
                self.pass_message_on(owner, app_id, origin, to, config, frame)
            }
            Route::Held => {
                let holds = self.shared.owners.hold_message(app_id, origin, to, config, frame);
                (!holds).then_some(SendCode::Broken)
            }
            Route::Owner(_) | Route::Nobody => Some(self.why_no_receiver(to)),
        }
    }

    fn pass_message_on(
        &mut self,
        owner: ShardId,
        app_id: &AppId,
        origin: Origin,
        to: &str,
        config: MessageConfig,
        frame: &[u8],
    ) -> Option<SendCode> {
        let shared = &mut self.shared;
        if shared.outbox.is_congested(owner) {
            return Some(SendCode::Broken);
        }
        let now = shared.now();
        let outbox = shared.outbox.settled(&mut shared.sessions, now);
        outbox.passed_on_in(owner, app_id).push_to(origin, config, to, frame);
        None
    }

    /// A question about a user whose home this shard is, and whose session it does not have. The
    /// answer, unless the user's owner gives it.
    pub(super) fn ask_owner_for_status(
        &mut self,
        app_id: &AppId,
        uid: &UserId,
        session: SessionNumber,
        query: u64,
    ) -> Option<OnlineStatus> {
        let question = || ForOwner::QueryStatus { session, query, uid: uid.clone() };
        match self.shared.owners.route(app_id, uid.as_str()) {
            Route::Owner(owner) if owner != self.shared.config.placement.own() => {
                if self.shared.outbox.is_congested(owner) {
                    return Some(OnlineStatus::Unreachable);
                }
                self.shared.send_in_app(owner, app_id, Entry::ForOwner(question()));
                None
            }
            Route::Held if self.shared.owners.hold_too_much() => Some(OnlineStatus::Unreachable),
            Route::Held => {
                self.shared.owners.hold(app_id, uid.as_str(), question());
                None
            }
            Route::Owner(_) | Route::Nobody => Some(OnlineStatus::Offline),
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

    fn send_to_home(&mut self, app_id: &AppId, uid: &UserId, entry: Ownership) {
        let home = self.shared.homes.other_of_user(app_id, uid.as_str());
        let home = home.unwrap_or(self.shared.config.placement.own());
        self.send_in_app(home, app_id, Entry::Ownership(entry));
    }

    /// Sends an entry to any shard. What is for this one is handled behind what is being handled.
    fn send_in_app(&mut self, to: ShardId, app_id: &AppId, entry: Entry) {
        if to != self.shared.config.placement.own() {
            return self.shared.send_in_app(to, app_id, entry);
        }
        if !self.to_self.add(app_id, entry) {
            return;
        }
        while let Some((app_id, entry)) = self.to_self.next() {
            self.app_entry(to, &app_id, entry, &mut Unreliable::default());
        }
    }
}
