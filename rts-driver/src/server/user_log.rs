//! The log of users: who logs in, who does not, and why. Lines have the target `rts::users`.
//!
//! What strangers can cause again and again is at level info, with a rate limit. The rest is at
//! level debug, without one.

use std::net::SocketAddr;
use std::time::Instant;

use rts_proto::server::{Forbidden, Notice, Rate, Refusal};
use rts_proto::{CloseCode, LeaveReason, LinkId, RoomState, SendCode};
use rts_stream::LayerError;
use tracing::field::display;
use tracing::{Level, debug, enabled, info};

use crate::server::hooks::Authenticate;
use crate::server::log::{LogRateLimiter, Sanitized};

/// What operators choose these lines by: `RTS_LOG=info,rts::users=debug`.
const TARGET: &str = "rts::users";

/// Where a link comes from.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The limits of a network do not hold for it: it may be a proxy, and its lines those of many.
    pub(crate) is_exempt: bool,
}

/// A notice, and where its links come from.
pub(crate) struct AddressedNotice {
    notice: Notice,
    /// Of the link that it is about, unless that is gone.
    peer: Option<Peer>,
    /// Of the link of a displaced session.
    former: Option<Peer>,
}

impl AddressedNotice {
    pub(crate) fn new(notice: Notice, peer_of: impl Fn(LinkId) -> Option<Peer>) -> Self {
        let (link, former) = match &notice {
            Notice::LoggedIn { link, .. }
            | Notice::LoginRefused { link, .. }
            | Notice::Closed { link, .. } => (Some(*link), None),
            Notice::Displaced { by, link, .. } => (Some(*by), *link),
            Notice::OverRate { link, .. } | Notice::Banned { link, .. } => (*link, None),
            Notice::SessionEnded { .. } => (None, None),
        };
        Self { peer: link.and_then(&peer_of), former: former.and_then(&peer_of), notice }
    }
}

/// Writes the lines.
#[derive(Default)]
pub(crate) struct UserLog {
    limiter: LogRateLimiter,
}

impl UserLog {
    /// Whether anybody would read the lines.
    pub(crate) fn is_wanted() -> bool {
        enabled!(target: TARGET, Level::INFO)
    }

    /// Call it without the shard's lock: a refused token is looked at again, to say what is wrong.
    pub(crate) fn write(&mut self, noted: AddressedNotice, authenticator: &dyn Authenticate) {
        let AddressedNotice { notice, peer, former } = noted;
        let address = peer.map(|peer| display(peer.address));
        match notice {
            Notice::LoggedIn { app_id, uid, resumed, .. } => {
                debug!(target: TARGET, address, app = %app_id, user = %uid, resumed, "logged in");
            }
            Notice::OverRate { app_id, uid, rate, .. } => {
                let Some(left_out) = self.allow(peer) else { return };
                let (app, what) = (app_id, in_words(rate));
                info!(
                    target: TARGET,
                    address, %app, user = %uid, what, left_out,
                    "over a rate, and refused (result 5; a join: state -1001; a query: status 2)"
                );
            }
            Notice::Banned { app_id, uid, forbidden, .. } => {
                let Some(left_out) = self.allow(peer) else { return };
                let (app, (code, why)) = (app_id, banned_in_words(&forbidden));
                let room = match &forbidden {
                    Forbidden::Join { room, .. } => Some(display(room)),
                    Forbidden::Send => None,
                };
                info!(
                    target: TARGET,
                    address, %app, user = %uid, room, code, why, left_out,
                    "message or join refused because of a ban"
                );
            }
            Notice::SessionEnded { app_id, uid, reason } => {
                let why = match reason {
                    LeaveReason::Left => "logged out",
                    LeaveReason::Dropped => "silent for too long, or closed",
                    LeaveReason::Kicked => "put out by the app's back end",
                };
                debug!(target: TARGET, app = %app_id, user = %uid, why, "session over");
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
                    target: TARGET,
                    address, %app, user = %uid, code, ?why, left_out,
                    "login refused"
                );
            }
            Notice::Displaced { app_id, uid, .. } => {
                let Some(left_out) = self.allow(peer) else { return };
                let former = former.map(|former| display(former.address));
                info!(
                    target: TARGET,
                    address, app = %app_id, user = %uid, former, left_out,
                    "logged in elsewhere: the former session is over"
                );
            }
            Notice::Closed { user, code, reason, .. } => {
                let (app, user) = user.map(|(app, uid)| (display(app), display(uid))).unzip();
                let why = Sanitized::sentence(&reason);
                if is_routine(code) {
                    debug!(target: TARGET, address, app, user, ?code, ?why, "link closed");
                } else if let Some(left_out) = self.allow(peer) {
                    info!(
                        target: TARGET,
                        address, app, user, ?code, ?why, left_out,
                        "link closed"
                    );
                }
            }
        }
    }

    /// What came was not frames, so the core knows nothing of it.
    pub(crate) fn ended_before_login(&mut self, peer: Peer, why: &LayerError) {
        if let Some(left_out) = self.allow(Some(peer)) {
            let (address, why) = (display(peer.address), why.to_string());
            let why = Sanitized::sentence(&why);
            info!(target: TARGET, address, ?why, left_out, "connection ended before a login");
        }
    }

    /// `None` if this line is suppressed; else the number of lines suppressed since the last one,
    /// if there are any.
    fn allow(&mut self, peer: Option<Peer>) -> Option<Option<u64>> {
        let now = Instant::now();
        let left_out = match peer {
            Some(peer) if peer.is_exempt => self.limiter.allow_exempt(now)?,
            _ => self.limiter.allow(peer.map(|peer| peer.address.ip()), now)?,
        };
        Some((left_out > 0).then_some(left_out))
    }
}

/// With the name of the limit in a server's configuration.
fn in_words(rate: Rate) -> &'static str {
    match rate {
        Rate::Sends => "messages to users (sends_per_second)",
        Rate::Broadcasts => "broadcasts (broadcasts_per_second)",
        Rate::RoomBroadcasts => "broadcasts of all in the room (room_broadcasts_per_second)",
        Rate::ServerSends => "messages to the app's server (server_sends_per_second)",
        Rate::StatusQueries => "status queries (status_queries_per_second)",
        Rate::Joins => "joins (joins_per_second)",
    }
}

/// What the client is told, and which ban that is.
fn banned_in_words(forbidden: &Forbidden) -> (i64, &'static str) {
    match forbidden {
        Forbidden::Send => {
            let why = "the user is banned from all rooms, and from sending to users";
            (SendCode::Unknown.code().into(), why)
        }
        Forbidden::Join { state: state @ RoomState::RoomBanned, .. } => {
            (state.code().into(), "the room is banned")
        }
        Forbidden::Join { state, .. } => {
            (state.code().into(), "the user is banned from this room, or from all")
        }
    }
}

/// What happens to clients that do nothing wrong, or is told by another line.
fn is_routine(code: CloseCode) -> bool {
    match code {
        CloseCode::Displaced
        | CloseCode::Replaced
        | CloseCode::Silent
        | CloseCode::Shutdown
        | CloseCode::LoginAgain => true,
        CloseCode::BadFrame
        | CloseCode::FrameTooLarge
        | CloseCode::UnexpectedFrame
        | CloseCode::BadAck
        | CloseCode::UnsupportedVersion
        | CloseCode::LoginTimeout
        | CloseCode::SlowConsumer
        | CloseCode::Abnormal
        | CloseCode::WindowExceeded
        | CloseCode::Busy
        | CloseCode::PutOut => false,
    }
}
