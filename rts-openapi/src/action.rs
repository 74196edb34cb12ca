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
    /// Somebody out of a room, or of all, and not in again for a while.
    BanRoomUser,
    /// Who is in a room.
    GetRoomOnlineUsers,
    /// Who of these is online.
    GetUserOnlineStatus,
}

const V2020: &str = "2020-12-01";
const V2023_JULY: &str = "2023-07-20";
const V2023_NOVEMBER: &str = "2023-11-01";

impl Action {
    /// Every action, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::SendUnicast,
        Self::SendBroadcast,
        Self::SendRoomUnicast,
        Self::BatchSendRoomUnicast,
        Self::KickUser,
        Self::DismissRoom,
        Self::BanRoomUser,
        Self::GetRoomOnlineUsers,
        Self::GetUserOnlineStatus,
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
            Self::GetRoomOnlineUsers => "GetRoomOnlineUsers",
            Self::GetUserOnlineStatus => "GetUserOnlineStatus",
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
            | Self::GetUserOnlineStatus => &[V2020, V2023_JULY],
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
            Self::GetRoomOnlineUsers => Method::Get,
            Self::SendUnicast
            | Self::SendBroadcast
            | Self::SendRoomUnicast
            | Self::BatchSendRoomUnicast
            | Self::KickUser
            | Self::DismissRoom
            | Self::BanRoomUser
            | Self::GetUserOnlineStatus => Method::Post,
        }
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
            Self::GetRoomOnlineUsers => "/v1/rooms/{RoomId}/members",
            Self::GetUserOnlineStatus => "/v1/users/status",
        }
    }

    /// The action of this name, if it has this version.
    #[must_use]
    pub fn find(name: &str, version: &str) -> Option<Self> {
        let named = Self::ALL.into_iter().find(|action| action.name() == name)?;
        named.versions().contains(&version).then_some(named)
    }
}
