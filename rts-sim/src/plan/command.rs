//! What the back end of an app may want. Users and rooms are numbers.

/// One of its commands.
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
    /// To so many users.
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
    /// For 0 seconds: lifts it.
    Ban {
        whom: Banned,
        seconds: u64,
    },
    /// Out of its session.
    Disconnect {
        user: usize,
    },
    /// Tokens of a user, or of all users, that were issued before this second.
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

/// Whom a ban is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Banned {
    Room(usize),
    UserInRoom(usize, usize),
    User(usize),
    /// From logging in.
    Login(usize),
}

impl Banned {
    /// Whether it keeps this user out of this room.
    pub(crate) fn covers(self, room: usize, user: usize) -> bool {
        match self {
            Self::Room(banned) => banned == room,
            Self::UserInRoom(banned_room, banned) => (banned_room, banned) == (room, user),
            Self::User(banned) | Self::Login(banned) => banned == user,
        }
    }
}

impl Command {
    /// Whether it takes this user out of this room, if it is there.
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

    /// Whether it ends this user's session, if there is one.
    pub(crate) fn puts_out(self, user: usize) -> bool {
        match self {
            Self::Disconnect { user: whom } => whom == user,
            Self::Ban { whom: Banned::Login(whom), seconds } => whom == user && seconds > 0,
            _ => false,
        }
    }

    /// Whether it revokes tokens of this user.
    pub(crate) fn revokes(self, user: usize) -> bool {
        matches!(self, Self::Revoke { user: whom } if whom.is_none_or(|whom| whom == user))
    }
}
