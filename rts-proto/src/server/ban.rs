//! A ban, and its length.

use core::time::Duration;

use crate::limits::{BAN_MAX, BAN_MIN};
use crate::{RoomId, UserId};

/// The subject of a ban.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Ban {
    /// No user may join this room.
    Room(RoomId),
    /// This user may not join this room.
    UserInRoom(RoomId, UserId),
    /// This user may join no room, and send to no user (§5.3).
    User(UserId),
    /// This user may not log in (§3.10).
    Login(UserId),
}

impl Ban {
    /// The length of a ban that a back end sets for this time. For bans from rooms it is at least
    /// 10 s and at most 7 days, or zero.
    #[must_use]
    pub fn length_for(&self, interval: Duration) -> Duration {
        match self {
            Self::Room(_) | Self::UserInRoom(..) | Self::User(_) if !interval.is_zero() => {
                interval.clamp(BAN_MIN, BAN_MAX)
            }
            Self::Room(_) | Self::UserInRoom(..) | Self::User(_) | Self::Login(_) => interval,
        }
    }
}
