//! Results of the actions for operators.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The sessions have ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Ended {
    /// `success`
    pub message: String,
    /// The number of sessions that ended. 0 if the user was not logged in, which is no error.
    pub sessions: usize,
}

/// The ban is lifted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Unbanned {
    /// `success`
    pub message: String,
    /// Whether the ban was in force.
    pub was_banned: bool,
}

/// The tokens are revoked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Revoked {
    /// `success`
    pub message: String,
    /// The number of sessions that ended.
    pub sessions: usize,
    /// The moment now in force, as Unix time in seconds. 0 if no tokens are revoked.
    pub issued_before: u32,
}

/// A page of users.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct UserList {
    /// The users, in the order of their ids.
    pub users: Vec<ListedUser>,
    /// The number of users on all pages.
    pub total_user: usize,
    /// The `After` of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<String>,
}

/// A user with a session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ListedUser {
    /// The user id.
    pub user_id: String,
    /// 1 online; 2 silent for 15 s or more.
    #[schema(minimum = 1, maximum = 2)]
    pub status: u32,
    /// Seconds since the last byte from the user's engine.
    pub silent_seconds: u64,
    /// The number of rooms that the user is in.
    pub rooms: usize,
    /// Bytes sent to the user's engine and not acknowledged.
    pub unacknowledged_bytes: usize,
}

/// A page of rooms.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct RoomList {
    /// The rooms, in the order of their ids.
    pub rooms: Vec<ListedRoom>,
    /// The number of rooms on all pages.
    pub total_room: usize,
    /// The `After` of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<String>,
}

/// A room with members.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ListedRoom {
    /// The room id.
    pub room_id: String,
    /// The number of members.
    pub members: usize,
}

/// The current figures of an app.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Stats {
    /// Users with a session.
    pub users: usize,
    /// Users whose link is open.
    pub connected: usize,
    /// Rooms with members.
    pub rooms: usize,
    /// Memberships in all rooms.
    pub memberships: usize,
    /// Bans in force, of all kinds: from a room, from all rooms, and from logging in.
    pub bans: usize,
    /// Bytes sent to users' engines and not acknowledged.
    pub unacknowledged_bytes: usize,
}
