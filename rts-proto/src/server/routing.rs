//! In a cluster, the home of a user passes on what is for the user.

use super::directory::Route;
use super::io::{Entry, PassedOn};
use super::keys::{Origin, SessionNumber};
use super::placement::ShardId;
use super::shard::Server;
use crate::{AppId, MessageConfig, OnlineStatus, SendCode, UserId};

impl Server {
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
        match self.shared.directory.route(app_id, to) {
            Route::Owner(owner) if owner != self.shared.config.placement.own() => {
                self.pass_message_on(owner, app_id, origin, to, config, frame)
            }
            Route::Held => {
                let holds = self.shared.directory.hold_message(app_id, origin, to, config, frame);
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
        let question = || PassedOn::QueryStatus { session, query, uid: uid.clone() };
        match self.shared.directory.route(app_id, uid.as_str()) {
            Route::Owner(owner) if owner != self.shared.config.placement.own() => {
                if self.shared.outbox.is_congested(owner) {
                    return Some(OnlineStatus::Unreachable);
                }
                self.shared.send_in_app(owner, app_id, Entry::PassedOn(question()));
                None
            }
            Route::Held if self.shared.directory.hold_too_much() => Some(OnlineStatus::Unreachable),
            Route::Held => {
                self.shared.directory.hold(app_id, uid.as_str(), question());
                None
            }
            Route::Owner(_) | Route::Nobody => Some(OnlineStatus::Offline),
        }
    }

    /// The result of a message to a user without a session.
    pub(super) fn why_no_receiver(&self, to: &str) -> SendCode {
        match UserId::new(to) {
            Ok(uid) if !self.shared.config.reserved_uids.contains(&uid) => {
                SendCode::ReceiverNotLoggedIn
            }
            Ok(_) | Err(_) => SendCode::ReceiverNotFound,
        }
    }
}
