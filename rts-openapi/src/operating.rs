//! What operators do: users out of their sessions and kept out, tokens revoked, and what there is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A user out of its session: it is logged out with reason 2, does not log in again by itself, and leaves its rooms (reason 3
/// for the others). It may log in again at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DisconnectUser {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The user.
    #[schema(required, nullable = false, example = "bob")]
    pub(crate) user_id: Option<String>,
}

/// A user out of its session, as by `DisconnectUser`, and not logged in again: its logins get -1002. A later call takes the
/// place of an earlier one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BanUser {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The user.
    #[schema(required, nullable = false, example = "bob")]
    pub(crate) user_id: Option<String>,
    /// For how long; 0 or absent: until `UnbanUser`.
    #[schema(nullable = false)]
    pub(crate) seconds: Option<u64>,
}

/// A user may log in again. Bans from rooms are `BanRoomUser`'s, and stay.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct UnbanUser {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The user.
    #[schema(required, nullable = false, example = "bob")]
    pub(crate) user_id: Option<String>,
}

/// Logins with a token that was issued earlier get -1000, also when it has not expired. Sessions that began with one end, and
/// their clients log in again by themselves with the token that they have: with a good one they are back at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RevokeTokens {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// Whose tokens; absent: those of all users of the app.
    #[schema(nullable = false, example = "bob")]
    pub(crate) user_id: Option<String>,
    /// Unix time in seconds, at most 15 minutes ahead of the server's clock. Absent: all that were issued until now, those of
    /// this second too. An earlier moment than in an earlier call changes nothing, but 0 lifts what was revoked.
    #[schema(nullable = false, example = 1_700_000_000)]
    pub(crate) issued_before: Option<u32>,
}

/// Users with a session, in the order of their ids.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListUsers {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// Those behind this one in the order of their ids; absent or empty: from the beginning.
    #[schema(nullable = false, example = "alice")]
    pub(crate) after: Option<String>,
    /// From 1 to 1,000; 100 when absent.
    #[schema(nullable = false)]
    pub(crate) limit: Option<u64>,
}

/// Rooms with members, in the order of their ids.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListRooms {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// Those behind this one in the order of their ids; absent or empty: from the beginning.
    #[schema(nullable = false, example = "lobby")]
    pub(crate) after: Option<String>,
    /// From 1 to 1,000; 100 when absent.
    #[schema(nullable = false)]
    pub(crate) limit: Option<u64>,
}

/// What an app has at this moment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetStats {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
}

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
    /// Whether the user was banned.
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
    pub next: Option<String>,
}

/// A user with a session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub struct ListedUser {
    /// Who.
    pub user_id: String,
    /// 1 online; 2 silent for 15 s or more.
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
    /// Bans that last: of rooms, of users in rooms, and from logging in.
    pub bans: usize,
    /// Bytes that users were sent and have not acknowledged.
    pub unacknowledged_bytes: usize,
}
