//! Commands of a shard as data, and their return values.

use core::fmt;
use core::time::Duration;

use super::ban::Ban;
use super::command_error::CommandError;
use crate::limits::{
    PAYLOAD_BYTES_MAX, ROOM_UNICAST_PAYLOAD_BYTES_MAX, ROOM_UNICAST_RECEIVERS_MAX,
};
use crate::{AppId, Payload, RoomId, UserId};

/// A command of an app's back end, or one of an operator: `Shutdown`, `Drain` and `Reopen`. Each
/// stands for the method of [`Server`](super::Server) with its name, and its fields are that
/// method's arguments.
///
/// The list is closed: code that matches on commands fails to compile until it handles a new
/// command. `Debug` shows the length of a payload only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Command<'a> {
    Shutdown {
        retry_after_max: Duration,
    },
    Drain {
        links_max: usize,
        retry_after_max: Duration,
    },
    Reopen,
    Charge {
        app_id: &'a AppId,
        count: usize,
    },
    Unicast {
        app_id: &'a AppId,
        from: &'a UserId,
        to: &'a UserId,
        payload: &'a Payload,
    },
    BroadcastToRoom {
        app_id: &'a AppId,
        room_id: &'a RoomId,
        from: &'a UserId,
        payload: &'a Payload,
    },
    UnicastInRoom {
        app_id: &'a AppId,
        room_id: &'a RoomId,
        from: &'a UserId,
        to: &'a [UserId],
        payload: &'a Payload,
    },
    Kick {
        app_id: &'a AppId,
        room_id: &'a RoomId,
        uid: &'a UserId,
    },
    Dismiss {
        app_id: &'a AppId,
        room_id: &'a RoomId,
    },
    Ban {
        app_id: &'a AppId,
        ban: &'a Ban,
        interval: Duration,
    },
    Unban {
        app_id: &'a AppId,
        ban: &'a Ban,
    },
    PutOut {
        app_id: &'a AppId,
        uid: &'a UserId,
    },
    Revoke {
        app_id: &'a AppId,
        uid: Option<&'a UserId>,
        issued_before: u32,
    },
}

impl Command<'_> {
    /// Whether the lengths of its texts and lists are allowed.
    pub(super) fn check(&self) -> Result<(), CommandError> {
        match self {
            Self::Unicast { payload, .. } | Self::BroadcastToRoom { payload, .. } => {
                check_len(payload, PAYLOAD_BYTES_MAX)
            }
            Self::UnicastInRoom { payload, to, .. } => {
                check_len(payload, ROOM_UNICAST_PAYLOAD_BYTES_MAX)?;
                check_receivers(to.len())
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn check_len(payload: &Payload, max: usize) -> Result<(), CommandError> {
    match payload.len() {
        len if len > max => Err(CommandError::TooLong { len, max }),
        _ => Ok(()),
    }
}

pub(super) fn check_receivers(count: usize) -> Result<(), CommandError> {
    let max = ROOM_UNICAST_RECEIVERS_MAX;
    match count > max {
        true => Err(CommandError::TooManyReceivers { count, max }),
        false => Ok(()),
    }
}

/// The return value of a [`Command`]'s method. `Debug` shows that value alone, like the `Debug` of
/// the method's value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// Of a shutdown.
    Nothing,
    /// Whether the command had an effect.
    Whether(bool),
    /// The number of sessions or memberships that it affected.
    Count(usize),
    /// The number of receivers, or the reason why nothing was done.
    Result(Result<usize, CommandError>),
}

impl fmt::Debug for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => ().fmt(f),
            Self::Whether(whether) => whether.fmt(f),
            Self::Count(count) => count.fmt(f),
            Self::Result(result) => result.fmt(f),
        }
    }
}
