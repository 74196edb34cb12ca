//! What may be commanded of a shard, as data, and what it returns.

use core::fmt;
use core::time::Duration;

use super::ban::Ban;
use super::command_error::CommandError;
use crate::{AppId, Payload, RoomId, UserId};

/// A command of an app's back end, or `Shutdown`. Each does what the method of
/// [`Server`](super::Server) does that has its name, and its fields are that method's arguments.
///
/// The list is closed: when a command is new, all code that tells commands apart fails to compile
/// until it knows that one too. `Debug` shows the length of a payload only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Command<'a> {
    Shutdown {
        retry_after_max: Duration,
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

/// What a [`Command`] returned: what its method returns. `Debug` shows that value alone, as it does
/// of the method's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// Of a shutdown.
    Nothing,
    /// Whether there was somebody or something to do it to.
    Whether(bool),
    /// How many it was done to.
    Count(usize),
    /// The same, or why nothing was done.
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
