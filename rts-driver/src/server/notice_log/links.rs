//! Lines about links.

use rts_proto::{AppId, CloseCode, UserId};
use tracing::field::{DisplayValue, display};
use tracing::{debug, info};

use super::addressed::At;
use crate::server::link_end::LinkEnd;
use crate::server::log::Sanitized;
use crate::server::log::targets::LINKS;

pub(super) fn ended_before_login(at: At, end: Option<&LinkEnd>, left_out: Option<u64>) {
    let (At { address, link }, why) = (at, why_ended(end));
    let why = Sanitized::sentence(&why);
    info!(target: LINKS, address, link, ?why, left_out, "connection ended before a login");
}

pub(super) fn lost(at: At, user: Option<(AppId, UserId)>, end: Option<&LinkEnd>) {
    let (At { address, link }, (app, user), why) = (at, shown(user), why_ended(end));
    let why = Sanitized::sentence(&why);
    debug!(target: LINKS, address, link, app, user, ?why, "link lost");
}

pub(super) fn congested(at: At, app: &AppId, user: &UserId, is_congested: bool) {
    let At { address, link } = at;
    let text = match is_congested {
        true => "the client does not read: unreliable messages to it get result 2",
        false => "the client reads again",
    };
    debug!(target: LINKS, address, link, %app, %user, "{text}");
}

pub(super) fn closed_as_usual(
    at: At,
    user: Option<(AppId, UserId)>,
    code: CloseCode,
    reason: &str,
) {
    let (At { address, link }, (app, user)) = (at, shown(user));
    let why = Sanitized::sentence(reason);
    debug!(target: LINKS, address, link, app, user, ?code, ?why, "link closed");
}

pub(super) fn closed(
    at: At,
    user: Option<(AppId, UserId)>,
    code: CloseCode,
    reason: &str,
    left_out: Option<u64>,
) {
    let (At { address, link }, (app, user)) = (at, shown(user));
    let why = Sanitized::sentence(reason);
    info!(target: LINKS, address, link, app, user, ?code, ?why, left_out, "link closed");
}

fn why_ended(end: Option<&LinkEnd>) -> String {
    end.map(LinkEnd::to_string).unwrap_or_default()
}

/// The app and the user as fields of a line.
fn shown(
    user: Option<(AppId, UserId)>,
) -> (Option<DisplayValue<AppId>>, Option<DisplayValue<UserId>>) {
    user.map(|(app, uid)| (display(app), display(uid))).unzip()
}
