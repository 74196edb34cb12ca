//! What an app's back end learns about its users and rooms.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{OnlineStatus, RoomId, UserId};

/// A page of a list, in the order of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Whether more items follow the last one.
    pub has_more: bool,
    /// The number of items on all pages.
    pub total: usize,
}

/// A user with a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct UserFigures {
    /// The user.
    pub uid: UserId,
    /// Online, or unreachable (§7.1).
    pub status: OnlineStatus,
    /// Time since the last byte of the user's client.
    pub silent_for: Duration,
    /// The rooms that its session is in.
    pub rooms: usize,
    /// Bytes that its client has not acknowledged.
    pub window_bytes: usize,
}

/// A room with members.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RoomFigures {
    /// The room.
    pub room: RoomId,
    /// The number of its members.
    pub members: usize,
}

/// Figures of an app at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AppStats {
    /// Users with a session.
    pub users: usize,
    /// Users whose session has a link.
    pub connected: usize,
    /// Rooms with at least one member.
    pub rooms: usize,
    /// Memberships in all rooms.
    pub memberships: usize,
    /// Bans in force, of all kinds.
    pub bans: usize,
    /// Bytes kept until they are acknowledged.
    pub window_bytes: usize,
}

impl AppStats {
    /// The figures of two shards together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            users: self.users + other.users,
            connected: self.connected + other.connected,
            rooms: self.rooms + other.rooms,
            memberships: self.memberships + other.memberships,
            // Every shard has all bans.
            bans: self.bans.max(other.bans),
            window_bytes: self.window_bytes + other.window_bytes,
        }
    }
}

/// One page of the pages of several shards.
pub(super) fn joined<T, K: Ord>(
    pages: impl IntoIterator<Item = Page<T>>,
    limit: usize,
    key: impl Fn(&T) -> &K,
) -> Page<T> {
    let mut all = Page { items: Vec::new(), has_more: false, total: 0 };
    for page in pages {
        all.items.extend(page.items);
        all.has_more |= page.has_more;
        all.total += page.total;
    }
    all.items.sort_by(|one, other| key(one).cmp(key(other)));
    all.has_more |= all.items.len() > limit;
    all.items.truncate(limit);
    all
}
