//! The actions of the OpenAPI: names, versions, methods and paths.

/// The HTTP method of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Parameters are in the query.
    Get,
    /// Parameters are in a JSON body.
    Post,
}

/// An action of the OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Sends a message to a user.
    SendUnicast,
    /// Sends a message to all members of a room.
    SendBroadcast,
    /// Sends a message to one member of a room.
    SendRoomUnicast,
    /// Sends a message to some members of a room.
    BatchSendRoomUnicast,
    /// Removes a user from a room, and optionally bans the user from it.
    KickUser,
    /// Removes all members from a room, and optionally bans the room.
    DismissRoom,
    /// Bans a user from a room or from all rooms, or bans a room.
    BanRoomUser,
    /// Lifts a ban of `BanRoomUser`. It changes no memberships.
    UnbanRoomUser,
    /// Lists the members of a room.
    GetRoomOnlineUsers,
    /// Gives the online status of the listed users.
    GetUserOnlineStatus,
    /// Ends a user's session. The user may log in again at once.
    DisconnectUser,
    /// Ends a user's session, and bans the user from logging in.
    BanUser,
    /// Lifts a ban of `BanUser`.
    UnbanUser,
    /// Revokes the tokens that were issued before a moment.
    RevokeTokens,
    /// Lists users with a session, page by page.
    ListUsers,
    /// Lists rooms, page by page.
    ListRooms,
    /// Gives the current figures of an app.
    GetStats,
}

const V2020: &str = "2020-12-01";
const V2023_JULY: &str = "2023-07-20";
const V2023_NOVEMBER: &str = "2023-11-01";

impl Action {
    /// All actions, in the order of the documentation.
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

    /// The valid values of the parameter `Version`, oldest first. All have the same effect.
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

    /// The HTTP method of the action.
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

    /// Whether a request by name may use this method. Queries that the contract does not have take
    /// both methods.
    #[must_use]
    pub fn takes(self, method: Method) -> bool {
        let is_ours = matches!(self, Self::ListUsers | Self::ListRooms | Self::GetStats);
        is_ours || method == self.method()
    }

    /// The plain path, as a template with the names of its parameters. With the method it stands
    /// for the newest version of the action.
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

    /// The action with this name, if it has this version.
    #[must_use]
    pub fn find(name: &str, version: &str) -> Option<Self> {
        let named = Self::ALL.into_iter().find(|action| action.name() == name)?;
        named.versions().contains(&version).then_some(named)
    }
}
