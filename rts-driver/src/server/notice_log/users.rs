//! Lines about users: their logins and sessions, and what they are refused.

use rts_proto::server::{Credentials, Forbidden, Rate, Resumption};
use rts_proto::{AppId, LeaveReason, LoginCode, UserId};
use tracing::field::display;
use tracing::{debug, info};

use super::addressed::{At, Peer};
use super::words;
use crate::server::log::Sanitized;
use crate::server::log::targets::USERS;

pub(super) fn logged_in(at: At, app: &AppId, user: &UserId, resumption: Resumption) {
    let At { address, link } = at;
    let (resumed, frames_resent, why) = match resumption {
        Resumption::Resumed { frames_resent } => (true, Some(frames_resent), None),
        Resumption::NotAsked => (false, None, None),
        Resumption::Impossible => (false, None, Some("the session that it asked for is over")),
    };
    debug!(
        target: USERS,
        address, link, %app, %user, resumed, frames_resent, why,
        "logged in"
    );
}

pub(super) fn login_queued(at: At, app: &AppId, user: &UserId) {
    let (At { address, link }, why) = (at, "over logins_per_second");
    debug!(target: USERS, address, link, %app, %user, why, "the login waits for its turn");
}

pub(super) fn login_refused(
    at: At,
    credentials: &Credentials,
    code: LoginCode,
    why: &str,
    left_out: Option<u64>,
) {
    let At { address, link } = at;
    let (app, user, code) = (&credentials.app_id, &credentials.uid, code.code());
    let why = Sanitized::sentence(why);
    info!(
        target: USERS,
        address, link, %app, %user, code, ?why, left_out,
        "login refused"
    );
}

pub(super) fn over_rate(at: At, app: &AppId, user: &UserId, rate: Rate, left_out: Option<u64>) {
    let (At { address, link }, what) = (at, words::rate(rate));
    info!(
        target: USERS,
        address, link, %app, %user, what, left_out,
        "over a rate, and refused (result 5; a join: state -1001; a query: status 2)"
    );
}

pub(super) fn banned(
    at: At,
    app: &AppId,
    user: &UserId,
    forbidden: &Forbidden,
    left_out: Option<u64>,
) {
    let (At { address, link }, (code, why)) = (at, words::ban(forbidden));
    let room = match forbidden {
        Forbidden::Join { room, .. } => Some(display(room)),
        Forbidden::Send => None,
    };
    info!(
        target: USERS,
        address, link, %app, %user, room, code, why, left_out,
        "message or join refused because of a ban"
    );
}

pub(super) fn displaced(
    at: At,
    app: &AppId,
    user: &UserId,
    former: Option<Peer>,
    left_out: Option<u64>,
) {
    let At { address, link } = at;
    let former = former.map(|former| display(former.address));
    info!(
        target: USERS,
        address, link, %app, %user, former, left_out,
        "logged in elsewhere: the former session is over"
    );
}

pub(super) fn session_ended(app: &AppId, user: &UserId, reason: LeaveReason) {
    let why = words::end_of_session(reason);
    debug!(target: USERS, %app, %user, why, "session over");
}
