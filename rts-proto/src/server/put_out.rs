//! Ending logins from outside: the app's back end wants a user out, or trusts a token no more.

use core::time::Duration;

use alloc::vec::Vec;

use super::Server;
use super::login::{Pass, words};
use super::session::{End, SessionNumber};
use crate::limits::REVOKED_RETURN_SPREAD;
use crate::planted::{Bug, planted};
use crate::{AppId, CloseCode, Instant, UserId};

/// The back end's commands about logins. [`Server::ban`] with [`Ban::Login`](super::Ban::Login) is
/// another.
impl Server {
    /// Ends a user's session: it is logged out with reason 2 and does not log in again by itself
    /// (§3.10). It leaves its rooms, and may log in again at once. Whether it had a session.
    pub fn put_out(&mut self, now: Instant, app_id: &AppId, uid: &UserId) -> bool {
        let now = self.advance(now);
        let was_there = self.end_login(now, app_id, uid);
        self.end_overrun(now);
        self.forget_empty_app(app_id);
        was_there
    }

    /// Ends the sessions of a user, or of all users of the app, whose login showed something that
    /// was issued before this ([`Verdict::Accept`](super::Verdict::Accept)). Their clients log in
    /// again by themselves, those of a whole app spread over some seconds (§3.11); to refuse what
    /// they show then is the driver's. How many sessions ended.
    pub fn revoke(
        &mut self,
        now: Instant,
        app_id: &AppId,
        uid: Option<&UserId>,
        issued_before: u32,
    ) -> usize {
        let now = self.advance(now);
        let mut queued = self.queued_logins(app_id, uid);
        let is_earlier = |pass: Pass| pass.issued_at < issued_before;
        queued.retain(|link| self.queued_pass(*link).is_some_and(is_earlier));
        for link in queued {
            self.turn_away(link, CloseCode::LoginAgain, Duration::ZERO);
        }
        let Some(app) = self.apps.get(app_id) else { return 0 };
        let (uids, spread) = match uid {
            Some(uid) => (alloc::vec![uid.clone()], Duration::ZERO),
            None => (app.users.sorted_keys(), REVOKED_RETURN_SPREAD),
        };
        let is_meant = |number: &SessionNumber| {
            let session = self.sessions.get(*number);
            session.is_some_and(|session| {
                let is_earlier =
                    session.issued_at < issued_before || planted(Bug::LaterTokenRevoked);
                is_earlier && !(planted(Bug::RevokedAwayStays) && session.link.is_none())
            })
        };
        let numbers = uids.iter().filter_map(|uid| app.users.get(uid)).copied().filter(is_meant);
        let numbers: Vec<_> = numbers.collect();
        for &number in &numbers {
            if let Some(link) = self.sessions.get(number).and_then(|session| session.link) {
                self.turn_away(link, CloseCode::LoginAgain, spread);
            }
            self.end_session(now, number, End::Dropped);
        }
        self.end_overrun(now);
        numbers.len()
    }

    pub(super) fn end_login(&mut self, now: Instant, app_id: &AppId, uid: &UserId) -> bool {
        let number = self.apps.get(app_id).and_then(|app| app.users.get(uid)).copied();
        if let Some(number) = number {
            if !planted(Bug::PutOutForgotten) {
                self.remember_ended(now, number, CloseCode::PutOut);
            }
            if let Some(link) = self.sessions.get(number).and_then(|session| session.link) {
                self.close(link, CloseCode::PutOut, words(CloseCode::PutOut));
            }
            self.end_session(now, number, End::PutOut);
        }
        // Those that waited for another login of it (§6.9).
        self.expel_everywhere(app_id, uid);
        number.is_some()
    }
}
