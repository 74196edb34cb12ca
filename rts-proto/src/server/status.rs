//! Online status of users (§7).

use bytes::Bytes;

use super::allowance::Paced;
use super::io::{Entry, Rate};
use super::keys::SessionNumber;
use super::shard::Server;
use crate::planted::{Bug, planted};
use crate::wire::Frame;
use crate::{AppId, Instant, OnlineStatus, UserId};

impl Server {
    pub(super) fn query_status(&mut self, number: SessionNumber, query: u64, uid: &Bytes) {
        let now = self.shared.now();
        let Some(session) = self.shared.session(number) else { return };
        let app_id = session.app_id().clone();
        let Some(allowance) = self.shared.allowance(number) else { return };
        let uid = core::str::from_utf8(uid).unwrap_or("");
        let status = if !allowance.take(Paced::StatusQuery, now) {
            self.shared.notice_over_rate(number, Rate::StatusQueries);
            OnlineStatus::Unreachable
        } else if let Some(shard) = self.shared.homes.other_of_user(&app_id, uid) {
            match UserId::new(uid) {
                Ok(_) if self.shared.outbox.is_congested(shard) => OnlineStatus::Unreachable,
                Ok(uid) => {
                    let entry = Entry::QueryStatus { session: number, query, uid };
                    return self.shared.send_in_app(shard, &app_id, entry);
                }
                Err(_) => OnlineStatus::Offline,
            }
        } else {
            match self.status_at_home(number, query, &app_id, uid) {
                Some(status) => status,
                None => return,
            }
        };
        self.answer_status(number, query, status);
    }

    /// The status of a user whose home this shard is, unless the user's owner answers.
    fn status_at_home(
        &mut self,
        session: SessionNumber,
        query: u64,
        app_id: &AppId,
        uid: &str,
    ) -> Option<OnlineStatus> {
        if self.shared.homes.are_in_cluster()
            && self.users.find(app_id, uid).is_none()
            && let Ok(uid) = UserId::new(uid)
        {
            return self.ask_owner_for_status(app_id, &uid, session, query);
        }
        Some(self.status_of(self.shared.now(), app_id, uid))
    }

    pub(super) fn answer_status(
        &mut self,
        number: SessionNumber,
        query: u64,
        status: OnlineStatus,
    ) {
        self.shared.push_frame(number, Frame::StatusAnswer { query, status });
    }

    /// A question from another shard about a user of this one.
    pub(super) fn query_status_for_peer(
        &mut self,
        session: SessionNumber,
        query: u64,
        app_id: &AppId,
        uid: &UserId,
    ) {
        if let Some(status) = self.status_at_home(session, query, app_id, uid.as_str()) {
            self.answer_status(session, query, status);
        }
    }

    /// §7.1: the status of a user, for the app's back end.
    #[must_use]
    pub fn online_status(&self, now: Instant, app_id: &AppId, uid: &UserId) -> OnlineStatus {
        self.status_of(now.max(self.shared.now()), app_id, uid.as_str())
    }

    /// §7.1. An id that no user can have has no session.
    pub(super) fn status_of(&self, now: Instant, app_id: &AppId, uid: &str) -> OnlineStatus {
        let number = match planted(Bug::StatusOfAnyApp) {
            true => self.users.find_in_any_app(uid),
            false => self.users.find(app_id, uid),
        };
        let Some(session) = number.and_then(|number| self.shared.session(number)) else {
            return OnlineStatus::Offline;
        };
        let silence = now.since(session.last_heard());
        if silence < self.shared.config.unreachable_after {
            OnlineStatus::Online
        } else if silence < self.shared.config.session_grace {
            OnlineStatus::Unreachable
        } else {
            OnlineStatus::Offline
        }
    }
}
