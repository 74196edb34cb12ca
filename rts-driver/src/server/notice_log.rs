//! The log of the core's decisions about links, users, rooms and messages: one line for each
//! notice.
//!
//! Lines that unknown peers can cause again and again are at level info, with a rate limit. The
//! others are at level debug, without a limit.

mod addressed;
mod details;
mod words;

use std::time::Instant;

use rts_proto::server::{Forbidden, Notice, NoticeLevel, Refusal, Resumption};
use rts_proto::{AppId, UserId};
use tracing::field::{DisplayValue, display};
use tracing::{Level, debug, enabled, info};

pub(crate) use addressed::{AddressedNotice, LinkFacts, Peer};

use crate::server::hooks::Authenticate;
use crate::server::link_end::LinkEnd;
use crate::server::log::targets::{LINKS, MESSAGES, ROOMS, USERS};
use crate::server::log::{LogRateLimiter, Sanitized};

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
        let (address, link) = (peer.map(|peer| display(peer.address)), link.map(display));
        match notice {
            Notice::LoggedIn { app_id, uid, resumption, .. } => {
                let (resumed, frames_resent, why) = match resumption {
                    Resumption::Resumed { frames_resent } => (true, Some(frames_resent), None),
                    Resumption::NotAsked => (false, None, None),
                    Resumption::Impossible => {
                        (false, None, Some("the session that it asked for is over"))
                    }
                };
                debug!(
                    target: USERS,
                    address, link, app = %app_id, user = %uid, resumed, frames_resent, why,
                    "logged in"
                );
            }
            Notice::LoginQueued { app_id, uid, .. } => {
                let why = "over logins_per_second";
                debug!(
                    target: USERS,
                    address, link, app = %app_id, user = %uid, why,
                    "the login waits for its turn"
                );
            }
            Notice::LinkLost { user, .. } => {
                let why = end.as_ref().map(LinkEnd::to_string).unwrap_or_default();
                let why = Sanitized::sentence(&why);
                match (user, end) {
                    // The peer sent no frames, so the core has no notice of this.
                    (None, Some(LinkEnd::Layer(_))) => {
                        let Some(left_out) = self.allow(peer) else { return };
                        info!(
                            target: LINKS,
                            address, link, ?why, left_out, "connection ended before a login"
                        );
                    }
                    (user, _) => {
                        let (app, user) = shown(user);
                        debug!(target: LINKS, address, link, app, user, ?why, "link lost");
                    }
                }
            }
            Notice::Congested { app_id, uid, is_congested, .. } => {
                let text = match is_congested {
                    true => "the client does not read: unreliable messages to it get result 2",
                    false => "the client reads again",
                };
                debug!(target: LINKS, address, link, app = %app_id, user = %uid, "{text}");
            }
            Notice::OverRate { app_id, uid, rate, .. } => {
                let Some(left_out) = self.allow(peer) else { return };
                let (app, what) = (app_id, words::rate(rate));
                info!(
                    target: USERS,
                    address, link, %app, user = %uid, what, left_out,
                    "over a rate, and refused (result 5; a join: state -1001; a query: status 2)"
                );
            }
            Notice::Banned { app_id, uid, forbidden, .. } => {
                let Some(left_out) = self.allow(peer) else { return };
                let (app, (code, why)) = (app_id, words::ban(&forbidden));
                let room = match &forbidden {
                    Forbidden::Join { room, .. } => Some(display(room)),
                    Forbidden::Send => None,
                };
                info!(
                    target: USERS,
                    address, link, %app, user = %uid, room, code, why, left_out,
                    "message or join refused because of a ban"
                );
            }
            Notice::SessionEnded { app_id, uid, reason } => {
                let why = words::end_of_session(reason);
                debug!(target: USERS, app = %app_id, user = %uid, why, "session over");
            }
            Notice::LoginRefused { credentials, code, refusal, .. } => {
                let Some(left_out) = self.allow(peer) else { return };
                let why = match refusal {
                    Refusal::Verdict => authenticator.explain(&credentials),
                    Refusal::Banned => "banned from logging in by the app's back end".to_owned(),
                    Refusal::ReservedUid => "the user id is reserved".to_owned(),
                    Refusal::NoGreaterClaim => "the user's session has the last claim".to_owned(),
                };
                let (app, uid, code) = (&credentials.app_id, &credentials.uid, code.code());
                let why = Sanitized::sentence(&why);
                info!(
                    target: USERS,
                    address, link, %app, user = %uid, code, ?why, left_out,
                    "login refused"
                );
            }
            Notice::Displaced { app_id, uid, .. } => {
                let Some(left_out) = self.allow(peer) else { return };
                let former = former.map(|former| display(former.address));
                info!(
                    target: USERS,
                    address, link, app = %app_id, user = %uid, former, left_out,
                    "logged in elsewhere: the former session is over"
                );
            }
            Notice::Closed { user, code, reason, .. } => {
                let ((app, user), why) = (shown(user), Sanitized::sentence(&reason));
                if words::is_routine(code) {
                    debug!(target: LINKS, address, link, app, user, ?code, ?why, "link closed");
                } else if let Some(left_out) = self.allow(peer) {
                    info!(
                        target: LINKS,
                        address, link, app, user, ?code, ?why, left_out,
                        "link closed"
                    );
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

/// The app and the user as fields of a line.
fn shown(
    user: Option<(AppId, UserId)>,
) -> (Option<DisplayValue<AppId>>, Option<DisplayValue<UserId>>) {
    user.map(|(app, uid)| (display(app), display(uid))).unzip()
}
