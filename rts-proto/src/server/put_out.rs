//! Ends of logins by the back end: putting a user out, and revoking tokens.

use core::time::Duration;

use alloc::vec::Vec;

use super::command::Command;
use super::ending::End;
use super::links::Pass;
use super::shard::Server;
use crate::limits::REVOKED_RETURN_SPREAD;
use crate::planted::{Bug, planted};
use crate::{AppId, CloseCode, Instant, UserId};

/// The back end's commands about logins, together with [`Server::ban`] with
/// [`Ban::Login`](super::Ban::Login).
impl Server {
    /// Ends a user's session. The client is logged out with reason 2 and does not log in again by
    /// itself (§3.10). The user leaves its rooms, and may log in again at once. Returns whether it
    /// had a session.
    pub fn put_out(&mut self, now: Instant, app_id: &AppId, uid: &UserId) -> bool {
        let command = Command::PutOut { app_id, uid };
        self.begin(now, &command).act(|server| server.end_login(app_id, uid))
    }

    /// Ends sessions of a user, or of all users of the app, whose credentials were issued before
    /// this moment ([`Verdict::Accept`](super::Verdict::Accept)). Their clients log in again by
    /// themselves, those of a whole app spread over some seconds (§3.11). The driver has to refuse
    /// the old credentials then. Returns the number of sessions that ended.
    pub fn revoke(
        &mut self,
        now: Instant,
        app_id: &AppId,
        uid: Option<&UserId>,
        issued_before: u32,
    ) -> usize {
        let command = Command::Revoke { app_id, uid, issued_before };
        self.begin(now, &command).act(|server| server.revoke_here(app_id, uid, issued_before))
    }

    /// The part of this shard in [`revoke`](Self::revoke).
    pub(super) fn revoke_here(
        &mut self,
        app_id: &AppId,
        uid: Option<&UserId>,
        issued_before: u32,
    ) -> usize {
        self.turn_waiting_away(app_id, uid, issued_before);
        self.end_sessions_issued_before(app_id, uid, issued_before)
    }

    /// Logins that wait for their turn, or for the home of their user, need newer credentials.
    fn turn_waiting_away(&mut self, app_id: &AppId, uid: Option<&UserId>, issued_before: u32) {
        let mut waiting = self.tallies.queued(app_id, uid);
        let is_earlier = |pass: Pass| pass.issued_at < issued_before;
        waiting.retain(|link| self.links.queued_pass(*link).is_some_and(is_earlier));
        waiting.extend(self.links.asking_with(app_id, uid, is_earlier));
        for link in waiting {
            self.turn_away(link, CloseCode::LoginAgain, Duration::ZERO);
        }
    }

    fn end_sessions_issued_before(
        &mut self,
        app_id: &AppId,
        uid: Option<&UserId>,
        issued_before: u32,
    ) -> usize {
        let (uids, spread) = match uid {
            Some(uid) => (alloc::vec![uid.clone()], Duration::ZERO),
            None => (self.users.sorted(app_id), REVOKED_RETURN_SPREAD),
        };
        let meant = |uid: &UserId| {
            let number = self.users.find(app_id, uid.as_str())?;
            let session = self.shared.session(number)?;
            let is_earlier = session.issued_at() < issued_before || planted(Bug::LaterTokenRevoked);
            let is_meant =
                is_earlier && !(planted(Bug::RevokedAwayStays) && session.link().is_none());
            is_meant.then_some((number, session.link()))
        };
        let sessions: Vec<_> = uids.iter().filter_map(meant).collect();
        for &(number, link) in &sessions {
            if let Some(link) = link {
                self.turn_away(link, CloseCode::LoginAgain, spread);
            }
            self.end_session(number, End::Dropped);
        }
        sessions.len()
    }
}
