//! Closing links, and the reasons.

use alloc::borrow::ToOwned as _;
use core::time::Duration;

use bytes::Bytes;

use super::io::{Notice, Output};
use super::shard::Server;
use crate::limits::BUSY_RETRY_AFTER_MAX;
use crate::wire::{Frame, Login};
use crate::{CloseCode, LinkId};

impl Server {
    pub(super) fn close(&mut self, id: LinkId, code: CloseCode, reason: &str) {
        self.close_with(id, None, code, reason, Duration::ZERO);
    }

    /// Closes the link instead of answering this login.
    pub(super) fn close_login(&mut self, id: LinkId, login: &Login, code: CloseCode, reason: &str) {
        self.close_with(id, Some(login), code, reason, Duration::ZERO);
    }

    /// Whether too many links have not logged in. Drivers accept links where the fewest have not,
    /// so shards have equal parts.
    pub(super) fn has_too_many_before_login(&self) -> bool {
        let config = &self.shared.config;
        self.links.before_login() > config.placement.share(config.links_before_login_max.get())
    }

    /// Closes the link. Its client is given a wait before a reconnect, from zero to
    /// `retry_after_max`.
    pub(super) fn turn_away(&mut self, id: LinkId, code: CloseCode, retry_after_max: Duration) {
        let retry_after = self.random.up_to(retry_after_max);
        self.close_with(id, None, code, "come back later", retry_after);
    }

    /// Like [`turn_away`](Self::turn_away), for a login of a user with too many waiting logins.
    pub(super) fn turn_away_login(&mut self, id: LinkId, login: &Login) {
        let retry_after = self.random.up_to(BUSY_RETRY_AFTER_MAX);
        self.close_with(id, Some(login), CloseCode::Busy, "too many logins of a user", retry_after);
    }

    fn close_with(
        &mut self,
        id: LinkId,
        login: Option<&Login>,
        code: CloseCode,
        reason: &str,
        retry_after: Duration,
    ) {
        if code != CloseCode::Shutdown {
            let links = &self.links;
            self.shared.notice(|shared| {
                let of_login = |login: &Login| (login.app_id.clone(), login.uid.clone());
                let of_session = || Some(shared.session(links.session_of(id)?)?.user());
                let asked = login.or_else(|| links.asked(id));
                let user = asked.map(of_login).or_else(of_session);
                Notice::Closed { link: id, user, code, reason: reason.to_owned() }
            });
        }
        let retry_after_ms = u32::try_from(retry_after.as_millis()).unwrap_or(u32::MAX);
        let reason = Bytes::copy_from_slice(reason.as_bytes());
        self.transmit(id, Frame::Close { code: code.code(), reason, retry_after_ms });
        self.disconnect(id, Some(code));
    }

    /// Ends a link without a `Close` frame.
    pub(super) fn disconnect(&mut self, id: LinkId, code: Option<CloseCode>) {
        self.forget_link(id);
        self.shared.outbox.put(Output::Disconnect(id, code));
    }

    /// A link is down that was not closed here.
    pub(super) fn link_lost(&mut self, id: LinkId) {
        if self.links.contains(id) {
            let session = self.links.session_of(id);
            self.shared.notice(|shared| {
                let user = session.and_then(|number| Some(shared.session(number)?.user()));
                Notice::LinkLost { link: id, user }
            });
        }
        self.forget_link(id);
    }

    /// The link's client does not seem to read it, or reads it again.
    pub(super) fn link_congested(&mut self, id: LinkId, is_congested: bool) {
        self.links.set_congested(id, is_congested);
        if let Some(number) = self.links.session_of(id) {
            let notice = |app_id, uid| Notice::Congested { link: id, app_id, uid, is_congested };
            self.shared.notice_of(number, notice);
        }
    }

    pub(super) fn forget_link(&mut self, id: LinkId) {
        if let Some(asked) = self.links.end(&mut self.shared, id) {
            self.tallies.leave_queue(&asked.app_id, &asked.uid, id);
        }
    }

    /// Sends a frame that is not sequenced, after the frames that wait for the end of the burst.
    pub(super) fn transmit(&mut self, id: LinkId, frame: Frame) {
        let session = self.links.session_of(id);
        let shared = &mut self.shared;
        let now = shared.now();
        shared.outbox.transmit(&mut shared.sessions, now, id, session, frame.encode());
    }
}

/// A reason for people why a client must not log in again by itself.
pub(super) fn reason_for(code: CloseCode) -> &'static str {
    match code {
        CloseCode::PutOut => "put out by the app's back end",
        _ => "logged in elsewhere",
    }
}
