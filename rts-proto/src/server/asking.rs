//! In a cluster, a shard with a login asks the home of the user for the user, and releases the user
//! when no session is left. A login that resumes a session of another shard asks that one before.

use alloc::boxed::Box;

use super::fences::BehindFence;
use super::grants::{Release, Releases};
use super::io::{AskedLogin, AskedResume, Candidate, Entry, LeftBehind, Ownership, ResumeAsked};
use super::keys::SessionNumber;
use super::links::Pass;
use super::placement::ShardId;
use super::session::Begin;
use super::session_moves::{Arriving, Moves};
use super::shard::Server;
use crate::limits::ASKS_PER_USER_MAX;
use crate::wire::{Login, Resume};
use crate::{AppId, LinkId, LoginId, UserId};

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
        let login = self.links.begin_ask(&mut self.shared, link, asked, pass);
        let is_first = self.shared.grants.ask(&app_id, &uid, login);
        // If this shard has yet to give the user up, it asks behind that.
        if is_first && self.shared.grants.of(&app_id, &uid).is_none() {
            self.ask_for(&app_id, &uid, login);
        }
    }

    /// This shard has given a user up. A login of the user may have waited for that.
    pub(super) fn ask_if_needed(&mut self, app_id: &AppId, uid: &UserId) {
        if let Some(first) = self.shared.grants.first_asking(app_id, uid) {
            self.ask_for(app_id, uid, first);
        }
    }

    /// A login resumes a session of another shard, which decides about that.
    pub(super) fn ask_to_resume(
        &mut self,
        link: LinkId,
        login: Login,
        resume: &Resume,
        (from, session): (ShardId, SessionNumber),
    ) {
        let Some(key) = self.links.key(link) else { return };
        let (app_id, uid) = (login.app_id.clone(), login.uid.clone());
        let asked = AskedLogin::new(&login, 0);
        let shared = &mut self.shared;
        let now = shared.now();
        let grace_at = now + shared.config.session_grace;
        let begin = Begin { login: login.clone(), key, claim: 0, issued_at: 0, allowance: None };
        let next = shared.sessions.begin(begin, &mut shared.deadlines, now, grace_at);
        let ticket = self.links.begin_resume(shared, link, login);
        let resume = AskedResume { key: resume.key, received: resume.received, next };
        let shard = shared.config.placement.own();
        let candidate = Candidate { shard, login: ticket, asked, resume: Some(Box::new(resume)) };
        if let Some(reserved) = shared.session_mut(next) {
            reserved.set_moves(Moves::Here(Arriving::new(from, session, candidate.clone())));
        }
        self.resumes.reserve(ticket, next);
        let asked = Box::new(ResumeAsked { uid, session, candidate });
        self.shared.send_to_any(from, &app_id, Entry::Resume(asked));
    }

    /// The user has no session in this shard any more. `displaced` is the claim of a session that
    /// ended for another login. What the user does in another shard must not overtake what it has
    /// done here.
    pub(super) fn release_user(&mut self, app_id: &AppId, uid: &UserId, displaced: Option<u64>) {
        match self.shared.grants.begin_release(app_id, uid, displaced) {
            Some(Releases::Now(release)) => self.send_release(app_id, uid, release),
            Some(Releases::BehindFence) => {
                self.fences.add(BehindFence::Release(app_id.clone(), uid.clone()));
            }
            None => {}
        }
    }

    /// The home decides about the user from now on.
    pub(super) fn send_release(&mut self, app_id: &AppId, uid: &UserId, release: Release) {
        let Release { tenure, displaced } = release;
        let own = self.shared.config.placement.own();
        let left = match self.shared.homes.other_of_user(app_id, uid.as_str()) {
            Some(home) if home != own => {
                self.tallies.take_left(&self.shared, app_id, uid, displaced)
            }
            // It stays in this shard.
            Some(_) | None => LeftBehind { displaced, ..LeftBehind::default() },
        };
        let entry = Ownership::Release { uid: uid.clone(), tenure, left, next: None };
        self.send_to_home(app_id, uid, entry);
        self.ask_if_needed(app_id, uid);
    }

    pub(super) fn send_to_home(&mut self, app_id: &AppId, uid: &UserId, entry: Ownership) {
        let entry = Entry::Ownership(entry);
        match self.shared.homes.other_of_user(app_id, uid.as_str()) {
            Some(home) => self.shared.send_in_app(home, app_id, entry),
            None => self.shared.to_self.add(app_id, entry),
        }
    }

    /// Asks for a user for this login, or for the first one behind it whose link is there.
    pub(super) fn ask_for(&mut self, app_id: &AppId, uid: &UserId, first: LoginId) {
        let mut next = Some(first);
        while let Some(login) = next {
            if let Some(asked) = self.links.asking(login) {
                let shard = self.shared.config.placement.own();
                let candidate = Candidate { shard, login, asked, resume: None };
                let entry = Ownership::Ask { uid: uid.clone(), candidate };
                return self.send_to_home(app_id, uid, entry);
            }
            next = self.shared.grants.next_asking(app_id, uid);
        }
    }
}
