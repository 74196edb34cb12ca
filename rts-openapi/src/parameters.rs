//! The parameters of each action.

use serde::Deserialize;
use utoipa::ToSchema;

// Every field is optional for serde, so that a missing one gets an error of its own.

/// A message to a user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SendUnicast {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The sender's name: of the form of a user id. Choose one that no user has, and list it in `reserved_uids`.
    #[schema(required, nullable = false, example = "system")]
    pub(crate) from: Option<String>,
    /// The receiver.
    #[schema(required, nullable = false, example = "bob")]
    pub(crate) to: Option<String>,
    /// Whether `Message` is base64 of bytes; false when absent.
    #[schema(nullable = false)]
    pub(crate) binary: Option<bool>,
    /// At most 65,536 bytes.
    #[schema(required, nullable = false, example = "hi bob")]
    pub(crate) message: Option<String>,
}

/// A message to all members of a room.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SendBroadcast {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The room.
    #[schema(required, nullable = false, example = "lobby")]
    pub(crate) room_id: Option<String>,
    /// The sender's name: of the form of a user id.
    #[schema(required, nullable = false, example = "system")]
    pub(crate) from: Option<String>,
    /// Whether `Message` is base64 of bytes; false when absent.
    #[schema(nullable = false)]
    pub(crate) binary: Option<bool>,
    /// At most 65,536 bytes.
    #[schema(required, nullable = false, example = "hi all")]
    pub(crate) message: Option<String>,
}

/// A message to one or some members of a room.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SendRoomUnicast {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The room.
    #[schema(required, nullable = false, example = "lobby")]
    pub(crate) room_id: Option<String>,
    /// The sender's name: of the form of a user id.
    #[schema(required, nullable = false, example = "system")]
    pub(crate) from: Option<String>,
    /// The receivers: a user id, or a list of up to 600. Who is not in the room gets nothing.
    #[schema(required, nullable = false)]
    pub(crate) to: Option<Receivers>,
    /// Whether `Message` is base64 of bytes; false when absent.
    #[schema(nullable = false)]
    pub(crate) binary: Option<bool>,
    /// At most 20,480 bytes.
    #[schema(required, nullable = false, example = "hi you")]
    pub(crate) message: Option<String>,
}

/// One user id, or a list of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "To is a user id, or a list of them")]
pub(crate) enum Receivers {
    One(String),
    Some(Vec<String>),
}

/// A user out of a room: state -1006 for it, a leave with reason 3 for the others.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct KickUser {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The room.
    #[schema(required, nullable = false, example = "lobby")]
    pub(crate) room_id: Option<String>,
    /// The user.
    #[schema(required, nullable = false, example = "bob")]
    pub(crate) user_id: Option<String>,
    /// Seconds for which it may not come back, as for `BanRoomUser`; 0 or absent: it may at once.
    #[schema(nullable = false)]
    pub(crate) forbidden_interval: Option<u64>,
}

/// Everybody out of a room: state -1011.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DismissRoom {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The room.
    #[schema(required, nullable = false, example = "lobby")]
    pub(crate) room_id: Option<String>,
    /// Seconds for which nobody may come back, as for `BanRoomUser`; 0 or absent: everybody may at once.
    #[schema(nullable = false)]
    pub(crate) forbidden_interval: Option<u64>,
}

/// Out, with state -1006, and not in again for a while. `RoomId` alone bans a room (joins get -1025), `UserId` alone a user
/// from all rooms and from sending to users
/// (joins get -1026, messages to users 1000), both together the user from the room (joins get -1026). `BanUser` keeps a
/// user from logging in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BanRoomUser {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// The room.
    #[schema(nullable = false, example = "lobby")]
    pub(crate) room_id: Option<String>,
    /// The user.
    #[schema(nullable = false, example = "bob")]
    pub(crate) user_id: Option<String>,
    /// Seconds. 0 or absent: out, but in again at once, and an earlier ban of the same is lifted. Else from 10 to
    /// 604,800; what is outside counts as the nearer bound.
    #[schema(nullable = false)]
    pub(crate) forbidden_interval: Option<u64>,
}

/// Who of these users is online?
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetUserOnlineStatus {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    pub(crate) app_id: Option<String>,
    /// At most 600.
    #[schema(required, nullable = false)]
    pub(crate) user_ids: Option<Vec<String>>,
}

/// Who is in a room?
#[derive(Debug, ToSchema)]
#[schema(rename_all = "PascalCase")]
#[expect(dead_code, reason = "parameters of a query, which are read one by one")]
pub(crate) struct GetRoomOnlineUsers {
    /// The app.
    #[schema(required, nullable = false, example = "123456781234567812345678")]
    app_id: Option<String>,
    /// The room.
    #[schema(required, nullable = false, example = "lobby")]
    room_id: Option<String>,
}
