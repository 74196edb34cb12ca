//! Results of the actions for operators.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// It is done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Ended {
    /// `success`
    pub message: String,
    /// How many sessions ended: 0 when the user was not logged in, which is no error.
    pub sessions: usize,
}

/// It is done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Unbanned {
    /// `success`
    pub message: String,
    /// Whether there was such a ban in force.
    pub was_banned: bool,
}

/// It is done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Revoked {
    /// `success`
    pub message: String,
    /// How many sessions ended.
    pub sessions: usize,
    /// The moment that holds now, as Unix time in seconds; 0 when nothing is revoked.
    pub issued_before: u32,
}

/// A page of users.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UserList {
    /// In the order of their ids.
    pub users: Vec<ListedUser>,
    /// How many there are on all pages.
    pub total_user: usize,
    /// The `After` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<String>,
}

/// A user with a session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ListedUser {
    /// Who.
    pub user_id: String,
    /// 1 online; 2 silent for 15 s or more.
    #[schema(minimum = 1, maximum = 2)]
    pub status: u32,
    /// Seconds since the last byte heard from it.
    pub silent_seconds: u64,
    /// How many rooms it is in.
    pub rooms: usize,
    /// Bytes that it was sent and has not acknowledged.
    pub unacknowledged_bytes: usize,
}

/// A page of rooms.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct RoomList {
    /// In the order of their ids.
    pub rooms: Vec<ListedRoom>,
    /// How many there are on all pages.
    pub total_room: usize,
    /// The `After` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<String>,
}

/// A room with members.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ListedRoom {
    /// Which.
    pub room_id: String,
    /// How many are in it.
    pub members: usize,
}

/// What an app has at this moment.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Stats {
    /// Users with a session.
    pub users: usize,
    /// Those of them whose link is up.
    pub connected: usize,
    /// Rooms with members.
    pub rooms: usize,
    /// Memberships in all rooms.
    pub memberships: usize,
    /// Bans that last, of all kinds: from a room, from all rooms, and from logging in.
    pub bans: usize,
    /// Bytes that users were sent and have not acknowledged.
    pub unacknowledged_bytes: usize,
}
