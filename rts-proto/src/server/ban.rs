//! A ban: who may not do what.

use core::time::Duration;

use crate::limits::{BAN_MAX, BAN_MIN};
use crate::{RoomId, UserId};

/// What a ban is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ban {
    /// Nobody may join this room.
    Room(RoomId),
    /// This user may not join this room.
    UserInRoom(RoomId, UserId),
    /// This user may join no room, and send to no user (§5.3).
    User(UserId),
    /// This user may not log in (§3.10).
    Login(UserId),
}

impl Ban {
    /// How long such a ban lasts when this is asked for, which is not zero: of rooms at least 10 s
    /// and at most 7 days.
    #[must_use]
    pub fn clamp(&self, interval: Duration) -> Duration {
        match self {
            Self::Room(_) | Self::UserInRoom(..) | Self::User(_) => {
                interval.clamp(BAN_MIN, BAN_MAX)
            }
            Self::Login(_) => interval,
        }
    }
}
