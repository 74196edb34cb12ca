//! Commands of the back ends. Users and rooms are numbers.

/// A command of a back end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Unicast {
        to: usize,
        bytes: usize,
        is_binary: bool,
    },
    Broadcast {
        room: usize,
        bytes: usize,
        is_binary: bool,
    },
    /// Sends to this number of members.
    RoomUnicast {
        room: usize,
        first: usize,
        count: usize,
        bytes: usize,
        is_binary: bool,
    },
    Kick {
        room: usize,
        user: usize,
    },
    Dismiss {
        room: usize,
    },
    /// Zero seconds lift the ban.
    Ban {
        whom: Banned,
        seconds: u64,
    },
    /// Ends the user's session.
    Disconnect {
        user: usize,
    },
    /// Revokes tokens of a user, or of all users, that were issued before this second.
    Revoke {
        user: Option<usize>,
    },
    Status {
        of: usize,
    },
    Members {
        room: usize,
    },
}

/// The subject of a ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Banned {
    Room(usize),
    UserInRoom(usize, usize),
    User(usize),
    /// A ban from logging in.
    Login(usize),
}

impl Banned {
    /// Whether the ban refuses this user in this room.
    pub(crate) fn covers(self, room: usize, user: usize) -> bool {
        match self {
            Self::Room(banned) => banned == room,
            Self::UserInRoom(banned_room, banned) => (banned_room, banned) == (room, user),
            Self::User(banned) | Self::Login(banned) => banned == user,
        }
    }
}

impl Command {
    /// Whether the command removes this user from this room.
    pub(crate) fn removes(self, room: usize, user: usize) -> bool {
        match self {
            Self::Kick { room: of, user: whom } => (of, whom) == (room, user),
            Self::Dismiss { room: dismissed } => dismissed == room,
            Self::Disconnect { user: whom } => whom == user,
            Self::Ban { whom: Banned::Login(_), seconds: 0 } => false,
            Self::Ban { whom, .. } => whom.covers(room, user),
            Self::Unicast { .. }
            | Self::Broadcast { .. }
            | Self::RoomUnicast { .. }
            | Self::Revoke { .. }
            | Self::Status { .. }
            | Self::Members { .. } => false,
        }
    }

    /// Whether the command ends this user's session.
    pub(crate) fn puts_out(self, user: usize) -> bool {
        match self {
            Self::Disconnect { user: whom } => whom == user,
            Self::Ban { whom: Banned::Login(whom), seconds } => whom == user && seconds > 0,
            _ => false,
        }
    }

    /// Whether the command revokes tokens of this user.
    pub(crate) fn revokes(self, user: usize) -> bool {
        matches!(self, Self::Revoke { user: whom } if whom.is_none_or(|whom| whom == user))
    }
}
