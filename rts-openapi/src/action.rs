//! What can be asked for.

/// The HTTP method of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Parameters are in the query.
    Get,
    /// Parameters are in a JSON body.
    Post,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// A message to a user.
    SendUnicast,
    /// A message to all members of a room.
    SendBroadcast,
    /// A message to one member of a room.
    SendRoomUnicast,
    /// A message to some members of a room.
    BatchSendRoomUnicast,
    /// A user out of a room.
    KickUser,
    /// Everybody out of a room.
    DismissRoom,
    /// A user is banned from a room or from all, or a room is banned.
    BanRoomUser,
    /// The end of a ban of `BanRoomUser`, which removes nobody from a room.
    UnbanRoomUser,
    /// Who is in a room.
    GetRoomOnlineUsers,
    /// Who of these is online.
    GetUserOnlineStatus,
    /// A user's session ends; the user may log in again at once.
    DisconnectUser,
    /// A user's session ends, and the user is banned from logging in.
    BanUser,
    /// The end of a ban of `BanUser`.
    UnbanUser,
    /// Tokens issued before a moment are good no more.
    RevokeTokens,
    /// Who is there, page by page.
    ListUsers,
    /// Which rooms there are, page by page.
    ListRooms,
    /// What an app has at this moment.
    GetStats,
}

const V2020: &str = "2020-12-01";
const V2023_JULY: &str = "2023-07-20";
const V2023_NOVEMBER: &str = "2023-11-01";

impl Action {
    /// Every action, in the order of the documentation.
    pub const ALL: [Self; 17] = [
        Self::SendUnicast,
        Self::SendBroadcast,
        Self::SendRoomUnicast,
        Self::BatchSendRoomUnicast,
        Self::KickUser,
        Self::DismissRoom,
        Self::BanRoomUser,
        Self::UnbanRoomUser,
        Self::GetRoomOnlineUsers,
        Self::GetUserOnlineStatus,
        Self::DisconnectUser,
        Self::BanUser,
        Self::UnbanUser,
        Self::RevokeTokens,
        Self::ListUsers,
        Self::ListRooms,
        Self::GetStats,
    ];

    /// The value of the parameter `Action`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendUnicast => "SendUnicast",
            Self::SendBroadcast => "SendBroadcast",
            Self::SendRoomUnicast => "SendRoomUnicast",
            Self::BatchSendRoomUnicast => "BatchSendRoomUnicast",
            Self::KickUser => "KickUser",
            Self::DismissRoom => "DismissRoom",
            Self::BanRoomUser => "BanRoomUser",
            Self::UnbanRoomUser => "UnbanRoomUser",
            Self::GetRoomOnlineUsers => "GetRoomOnlineUsers",
            Self::GetUserOnlineStatus => "GetUserOnlineStatus",
            Self::DisconnectUser => "DisconnectUser",
            Self::BanUser => "BanUser",
            Self::UnbanUser => "UnbanUser",
            Self::RevokeTokens => "RevokeTokens",
            Self::ListUsers => "ListUsers",
            Self::ListRooms => "ListRooms",
            Self::GetStats => "GetStats",
        }
    }

    /// The values that the parameter `Version` may have, oldest first. All do the same.
    #[must_use]
    pub const fn versions(self) -> &'static [&'static str] {
        match self {
            Self::SendUnicast
            | Self::SendBroadcast
            | Self::SendRoomUnicast
            | Self::BatchSendRoomUnicast
            | Self::GetUserOnlineStatus
            | Self::DisconnectUser
            | Self::BanUser
            | Self::UnbanUser
            | Self::UnbanRoomUser
            | Self::RevokeTokens
            | Self::ListUsers
            | Self::ListRooms
            | Self::GetStats => &[V2020, V2023_JULY],
            Self::KickUser | Self::DismissRoom => &[V2020],
            Self::BanRoomUser => &[V2020, V2023_NOVEMBER],
            Self::GetRoomOnlineUsers => &[V2023_NOVEMBER],
        }
    }

    /// The newest version.
    #[must_use]
    pub fn version(self) -> &'static str {
        self.versions().last().copied().unwrap_or(V2020)
    }

    /// How it is asked for.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::GetRoomOnlineUsers | Self::ListUsers | Self::ListRooms | Self::GetStats => {
                Method::Get
            }
            Self::SendUnicast
            | Self::SendBroadcast
            | Self::SendRoomUnicast
            | Self::BatchSendRoomUnicast
            | Self::KickUser
            | Self::DismissRoom
            | Self::BanRoomUser
            | Self::UnbanRoomUser
            | Self::GetUserOnlineStatus
            | Self::DisconnectUser
            | Self::BanUser
            | Self::UnbanUser
            | Self::RevokeTokens => Method::Post,
        }
    }

    /// Whether it is asked for with this method, when it is asked for by its name: questions that
    /// the original does not have are taken in either way.
    #[must_use]
    pub fn takes(self, method: Method) -> bool {
        let is_ours = matches!(self, Self::ListUsers | Self::ListRooms | Self::GetStats);
        is_ours || method == self.method()
    }

    /// Its plain path, with the parameters that are in it by their names. Beside the method it
    /// stands for the action and its newest version.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::SendUnicast => "/v1/messages",
            Self::SendBroadcast => "/v1/rooms/{RoomId}/messages",
            Self::SendRoomUnicast => "/v1/rooms/{RoomId}/members/{To}/messages",
            Self::BatchSendRoomUnicast => "/v1/rooms/{RoomId}/members/messages",
            Self::KickUser => "/v1/rooms/{RoomId}/members/{UserId}/kick",
            Self::DismissRoom => "/v1/rooms/{RoomId}/dismiss",
            Self::BanRoomUser => "/v1/bans",
            Self::UnbanRoomUser => "/v1/bans/lift",
            Self::GetRoomOnlineUsers => "/v1/rooms/{RoomId}/members",
            Self::GetUserOnlineStatus => "/v1/users/status",
            Self::DisconnectUser => "/v1/users/{UserId}/disconnect",
            Self::BanUser => "/v1/users/{UserId}/ban",
            Self::UnbanUser => "/v1/users/{UserId}/unban",
            Self::RevokeTokens => "/v1/tokens/revoke",
            Self::ListUsers => "/v1/users",
            Self::ListRooms => "/v1/rooms",
            Self::GetStats => "/v1/stats",
        }
    }

    /// The action of this name, if it has this version.
    #[must_use]
    pub fn find(name: &str, version: &str) -> Option<Self> {
        let named = Self::ALL.into_iter().find(|action| action.name() == name)?;
        named.versions().contains(&version).then_some(named)
    }
}
