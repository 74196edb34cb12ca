//! The log of the core's decisions about links, users, rooms and messages: one line for each
//! notice.
//!
//! Lines that unknown peers can cause again and again are at level info, with a rate limit. The
//! others are at level debug, without a limit.

mod addressed;
mod details;
mod links;
mod users;
mod words;

use std::time::Instant;

use rts_proto::server::{Notice, NoticeLevel};
use tracing::field::display;
use tracing::{Level, enabled};

pub(crate) use addressed::{AddressedNotice, LinkFacts, Peer};

use addressed::At;

use crate::server::hooks::Authenticate;
use crate::server::link_end::LinkEnd;
use crate::server::log::LogRateLimiter;
use crate::server::log::targets::{LINKS, MESSAGES, ROOMS, USERS};

/// Writes the lines of the log.
#[derive(Default)]
pub(crate) struct NoticeLog {
    limiter: LogRateLimiter,
}

impl NoticeLog {
    /// The level of notices that the subscriber reads. This is cheap, because it runs in every
    /// turn.
    pub(crate) fn level() -> NoticeLevel {
        if enabled!(target: MESSAGES, Level::DEBUG) || enabled!(target: ROOMS, Level::DEBUG) {
            NoticeLevel::All
        } else if enabled!(target: USERS, Level::INFO) || enabled!(target: LINKS, Level::INFO) {
            NoticeLevel::Sessions
        } else {
            NoticeLevel::Off
        }
    }

    /// Writes one notice. Call this without the shard's lock: for a refused token, the
    /// authenticator checks the token again to find the reason.
    pub(crate) fn write(&mut self, noted: AddressedNotice, authenticator: &dyn Authenticate) {
        let AddressedNotice { notice, link, peer, end, former } = noted;
        let at = At { address: peer.map(|peer| display(peer.address)), link: link.map(display) };
        match notice {
            Notice::LoggedIn { app_id, uid, resumption, .. } => {
                users::logged_in(at, &app_id, &uid, resumption);
            }
            Notice::LoginQueued { app_id, uid, .. } => users::login_queued(at, &app_id, &uid),
            // The peer sent no frames, so the core has no notice of this.
            Notice::LinkLost { user: None, .. } if matches!(end, Some(LinkEnd::Layer(_))) => {
                if let Some(left_out) = self.allow(peer) {
                    links::ended_before_login(at, end.as_ref(), left_out);
                }
            }
            Notice::LinkLost { user, .. } => links::lost(at, user, end.as_ref()),
            Notice::Congested { app_id, uid, is_congested, .. } => {
                links::congested(at, &app_id, &uid, is_congested);
            }
            Notice::OverRate { app_id, uid, rate, .. } => {
                if let Some(left_out) = self.allow(peer) {
                    users::over_rate(at, &app_id, &uid, rate, left_out);
                }
            }
            Notice::Banned { app_id, uid, forbidden, .. } => {
                if let Some(left_out) = self.allow(peer) {
                    users::banned(at, &app_id, &uid, &forbidden, left_out);
                }
            }
            Notice::SessionEnded { app_id, uid, reason } => {
                users::session_ended(&app_id, &uid, reason);
            }
            Notice::LoginRefused { credentials, code, refusal, .. } => {
                if let Some(left_out) = self.allow(peer) {
                    let why = words::login_refusal(refusal, || authenticator.explain(&credentials));
                    users::login_refused(at, &credentials, code, &why, left_out);
                }
            }
            Notice::Displaced { app_id, uid, .. } => {
                if let Some(left_out) = self.allow(peer) {
                    users::displaced(at, &app_id, &uid, former, left_out);
                }
            }
            Notice::Closed { user, code, reason, .. } if words::is_routine(code) => {
                links::closed_as_usual(at, user, code, &reason);
            }
            Notice::Closed { user, code, reason, .. } => {
                if let Some(left_out) = self.allow(peer) {
                    links::closed(at, user, code, &reason, left_out);
                }
            }
            Notice::Reported { app_id, report } => details::write_report(&app_id, &report),
            Notice::Detail { link, app_id, uid, detail } => {
                details::write_detail(link, &app_id, &uid, &detail);
            }
        }
    }

    /// `None` if this line is suppressed. Otherwise the number of lines suppressed since the last
    /// one, if any.
    fn allow(&mut self, peer: Option<Peer>) -> Option<Option<u64>> {
        let now = Instant::now();
        let left_out = match peer {
            Some(peer) if peer.is_exempt => self.limiter.allow_exempt(now)?,
            _ => self.limiter.allow(peer.map(|peer| peer.address.ip()), now)?,
        };
        Some((left_out > 0).then_some(left_out))
    }
}
