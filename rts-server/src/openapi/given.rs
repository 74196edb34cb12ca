//! The results of actions.

use rts_openapi::{
    Banned, CLOCK_SKEW_SECONDS_MAX, Ended, Error, ErrorCode, OnlineUsers, Removed, Revoked,
    RoomList, Sent, Stats, Unbanned, UserList, UserStatuses,
};
use serde::Serialize;

use crate::state::unix_now;

/// The result of an action.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Given {
    Sent(Sent),
    Removed(Removed),
    Banned(Banned),
    OnlineUsers(OnlineUsers),
    UserStatuses(UserStatuses),
    Ended(Ended),
    Unbanned(Unbanned),
    Revoked(Revoked),
    Users(UserList),
    Rooms(RoomList),
    Stats(Stats),
}

const SUCCESS: &str = "success";

pub(super) fn revoked(sessions: usize, issued_before: u32) -> Given {
    Given::Revoked(Revoked { message: SUCCESS.to_owned(), sessions, issued_before })
}

pub(super) fn sent(receivers: usize) -> Given {
    Given::Sent(Sent { message: SUCCESS.to_owned(), receivers })
}

pub(super) fn banned() -> Given {
    Given::Banned(Banned { message: SUCCESS.to_owned() })
}

pub(super) fn unbanned(was_banned: bool) -> Given {
    Given::Unbanned(Unbanned { message: SUCCESS.to_owned(), was_banned })
}

pub(super) fn removed(members: usize) -> Given {
    Given::Removed(Removed { message: SUCCESS.to_owned(), members })
}

pub(super) fn ended(sessions: usize) -> Given {
    Given::Ended(Ended { message: SUCCESS.to_owned(), sessions })
}

/// The moment before which issued tokens are revoked. The order of events within the current second
/// is unknown, so all tokens issued in it are revoked.
pub(super) fn moment(asked: Option<u32>) -> Result<u32, Error> {
    let unix_now = unix_now();
    let latest = unix_now.saturating_add(CLOCK_SKEW_SECONDS_MAX);
    match asked {
        None => Ok(u32::try_from(unix_now + 1).unwrap_or(u32::MAX)),
        Some(moment) if u64::from(moment) <= latest => Ok(moment),
        Some(moment) => {
            let message = format!(
                "IssuedBefore: {moment} is more than 15 minutes ahead of this server's clock, {unix_now}: Unix time in seconds is \
                 meant"
            );
            Err(Error::new(ErrorCode::InvalidTimestamp, message))
        }
    }
}
