//! Checked commands of back ends.

use std::slice;
use std::time::Duration;

use rts_proto::server::Ban;
use rts_proto::{Payload, RoomId, UserId};

/// A command of a back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Send a message to a user.
    Unicast {
        /// The sender's name.
        from: UserId,
        /// The receiver.
        to: UserId,
        /// The message.
        payload: Payload,
    },
    /// Send a message to all members of a room.
    Broadcast {
        /// The room.
        room: RoomId,
        /// The sender's name.
        from: UserId,
        /// The message.
        payload: Payload,
    },
    /// Send a message to some members of a room.
    RoomUnicast {
        /// The room.
        room: RoomId,
        /// The sender's name.
        from: UserId,
        /// The receivers.
        to: Vec<UserId>,
        /// The message.
        payload: Payload,
    },
    /// Remove a user from a room, and ban the user from it.
    Kick {
        /// The room.
        room: RoomId,
        /// The user.
        uid: UserId,
        /// Zero: no ban, and an earlier ban stays in force.
        interval: Duration,
    },
    /// Remove all members from a room, and ban the room.
    Dismiss {
        /// The room.
        room: RoomId,
        /// Zero: no ban.
        interval: Duration,
    },
    /// Remove a user from a room or from all rooms, and ban the user or the room.
    Ban {
        /// The user or room to ban.
        ban: Ban,
        /// Zero: no ban, and an earlier ban of the same user or room is lifted.
        interval: Duration,
    },
    /// List the members of a room.
    OnlineUsers {
        /// The room.
        room: RoomId,
    },
    /// Give the online status of users.
    Statuses {
        /// The users.
        uids: Vec<UserId>,
    },
    /// End a user's session.
    Disconnect {
        /// The user.
        uid: UserId,
    },
    /// End a user's session, and ban the user from logging in.
    BanLogin {
        /// The user.
        uid: UserId,
        /// The duration of the ban. `None`: until it is lifted.
        interval: Option<Duration>,
    },
    /// Lift a ban. It changes no memberships.
    Unban {
        /// The ban.
        ban: Ban,
    },
    /// Revoke the tokens that were issued before a moment.
    Revoke {
        /// The user. `None`: all users.
        uid: Option<UserId>,
        /// Unix time in seconds. `None`: now.
        issued_before: Option<u32>,
    },
    /// List users with a session.
    Users {
        /// The page begins after this user id.
        after: Option<UserId>,
        /// Most items of the page, from 1 to [`LIST_ITEMS_MAX`](crate::LIST_ITEMS_MAX).
        limit: usize,
    },
    /// List rooms.
    Rooms {
        /// The page begins after this room id.
        after: Option<RoomId>,
        /// Most items of the page, from 1 to [`LIST_ITEMS_MAX`](crate::LIST_ITEMS_MAX).
        limit: usize,
    },
    /// Give the current figures of the app.
    Stats,
}

impl Command {
    /// Whether a restart of the server must not lose the effect.
    #[must_use]
    pub fn outlives_restarts(&self) -> bool {
        match self {
            Self::Kick { interval, .. } | Self::Dismiss { interval, .. } => !interval.is_zero(),
            Self::Ban { .. } | Self::BanLogin { .. } | Self::Unban { .. } | Self::Revoke { .. } => {
                true
            }
            Self::Unicast { .. }
            | Self::Broadcast { .. }
            | Self::RoomUnicast { .. }
            | Self::OnlineUsers { .. }
            | Self::Statuses { .. }
            | Self::Disconnect { .. }
            | Self::Users { .. }
            | Self::Rooms { .. }
            | Self::Stats => false,
        }
    }

    /// Whether the command is a query, which changes nothing.
    #[must_use]
    pub fn is_query(&self) -> bool {
        match self {
            Self::OnlineUsers { .. }
            | Self::Statuses { .. }
            | Self::Users { .. }
            | Self::Rooms { .. }
            | Self::Stats => true,
            Self::Unicast { .. }
            | Self::Broadcast { .. }
            | Self::RoomUnicast { .. }
            | Self::Kick { .. }
            | Self::Dismiss { .. }
            | Self::Ban { .. }
            | Self::Disconnect { .. }
            | Self::BanLogin { .. }
            | Self::Unban { .. }
            | Self::Revoke { .. } => false,
        }
    }

    /// The room of the command, if it is about one.
    #[must_use]
    pub fn room(&self) -> Option<&RoomId> {
        match self {
            Self::Unicast { .. }
            | Self::Statuses { .. }
            | Self::Disconnect { .. }
            | Self::BanLogin { .. }
            | Self::Revoke { .. }
            | Self::Users { .. }
            | Self::Rooms { .. }
            | Self::Stats => None,
            Self::Broadcast { room, .. }
            | Self::RoomUnicast { room, .. }
            | Self::Kick { room, .. }
            | Self::Dismiss { room, .. }
            | Self::OnlineUsers { room } => Some(room),
            Self::Ban { ban, .. } | Self::Unban { ban } => match ban {
                Ban::Room(room) | Ban::UserInRoom(room, _) => Some(room),
                Ban::User(_) | Ban::Login(_) => None,
            },
        }
    }

    /// The users that the command names.
    #[must_use]
    pub fn users(&self) -> &[UserId] {
        match self {
            Self::Unicast { to: uid, .. }
            | Self::Kick { uid, .. }
            | Self::Disconnect { uid }
            | Self::BanLogin { uid, .. }
            | Self::Revoke { uid: Some(uid), .. } => slice::from_ref(uid),
            Self::RoomUnicast { to: uids, .. } | Self::Statuses { uids } => uids,
            Self::Broadcast { .. }
            | Self::Dismiss { .. }
            | Self::OnlineUsers { .. }
            | Self::Revoke { uid: None, .. }
            | Self::Users { .. }
            | Self::Rooms { .. }
            | Self::Stats => &[],
            Self::Ban { ban, .. } | Self::Unban { ban } => match ban {
                Ban::User(uid) | Ban::UserInRoom(_, uid) | Ban::Login(uid) => slice::from_ref(uid),
                Ban::Room(_) => &[],
            },
        }
    }

    /// The duration of a ban that the command begins or replaces.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        match self {
            Self::Kick { interval, .. } | Self::Dismiss { interval, .. } => {
                Some(*interval).filter(|time| !time.is_zero())
            }
            Self::Ban { interval, .. } => Some(*interval),
            Self::BanLogin { interval, .. } => *interval,
            Self::Unicast { .. }
            | Self::Broadcast { .. }
            | Self::RoomUnicast { .. }
            | Self::OnlineUsers { .. }
            | Self::Statuses { .. }
            | Self::Disconnect { .. }
            | Self::Unban { .. }
            | Self::Revoke { .. }
            | Self::Users { .. }
            | Self::Rooms { .. }
            | Self::Stats => None,
        }
    }
}
