//! Lines about rooms, and about each message, join or call with an unusual result. All are at level
//! debug.

use rts_proto::server::{Detail, Report};
use rts_proto::{AppId, LinkId, UserId};
use tracing::debug;
use tracing::field::display;

use super::words;
use crate::server::log::Sanitized;
use crate::server::log::targets::{MESSAGES, ROOMS};

pub(super) fn write_report(app: &AppId, report: &Report) {
    match report {
        Report::RoomCreated { room } => debug!(target: ROOMS, %app, %room, "room created"),
        Report::RoomEmptied { room } => debug!(target: ROOMS, %app, %room, "room empty"),
        Report::MemberJoined { room, uid, .. } => {
            debug!(target: ROOMS, %app, user = %uid, %room, "joined a room");
        }
        Report::MemberLeft { room, uid, reason } => {
            let why = words::end_of_membership(*reason);
            debug!(target: ROOMS, %app, user = %uid, %room, why, "left a room");
        }
        // The lines about logins and sessions cover these.
        Report::UserOnline { .. } | Report::UserOffline { .. } => {}
    }
}

pub(super) fn write_detail(link: Option<LinkId>, app: &AppId, user: &UserId, detail: &Detail) {
    let link = link.map(display);
    match detail {
        Detail::NotDelivered { to, id, config, code } => {
            let (why, to) = (words::not_delivered(*code, *config), Sanitized::value(to));
            let (message, code) = (id.0, code.code());
            debug!(
                target: MESSAGES,
                link, %app, %user, ?to, id = message, code, why, "message failed"
            );
        }
        Detail::NotBroadcast { room, id, code } => {
            let (why, message, code) = (words::not_broadcast(*code), id.0, code.code());
            debug!(
                target: MESSAGES,
                link, %app, %user, %room, id = message, code, why, "broadcast failed"
            );
        }
        Detail::NotPosted { id, code } => {
            let (why, message, code) = (words::not_posted(*code), id.0, code.code());
            debug!(
                target: MESSAGES,
                link, %app, %user, id = message, code, why, "message to the app server failed"
            );
        }
        Detail::ServerParamsRefused { code } => {
            let (code, why) = (code.code(), code.to_string());
            debug!(target: MESSAGES, link, %app, %user, code, why, "server params failed");
        }
        Detail::JoinRefused { room, state, refusal } => {
            let (code, why) = (state.code(), words::join_refusal(*refusal));
            debug!(target: ROOMS, link, %app, %user, %room, code, why, "join failed");
        }
    }
}
