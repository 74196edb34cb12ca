//! What can be asked of a server, checked.

use std::slice;
use std::time::Duration;

use rts_proto::server::Ban;
use rts_proto::{Payload, RoomId, UserId};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A message to a user.
    Unicast {
        /// The sender's name.
        from: UserId,
        /// The receiver.
        to: UserId,
        /// The message.
        payload: Payload,
    },
    /// A message to all members of a room.
    Broadcast {
        /// Where.
        room: RoomId,
        /// The sender's name.
        from: UserId,
        /// The message.
        payload: Payload,
    },
    /// A message to some members of a room.
    RoomUnicast {
        /// Where.
        room: RoomId,
        /// The sender's name.
        from: UserId,
        /// The receivers.
        to: Vec<UserId>,
        /// The message.
        payload: Payload,
    },
    /// A user out of a room, and banned from it for so long.
    Kick {
        /// Which room.
        room: RoomId,
        /// Who.
        uid: UserId,
        /// Zero: not banned, and an earlier ban is left alone.
        interval: Duration,
    },
    /// Everybody out of a room, and the room banned for so long.
    Dismiss {
        /// Which room.
        room: RoomId,
        /// Zero: it is not banned.
        interval: Duration,
    },
    /// Somebody out of a room or of all rooms, and banned for so long.
    Ban {
        /// Who, or which room.
        ban: Ban,
        /// Zero: not banned, and an earlier ban of the same is over.
        interval: Duration,
    },
    /// Who is in a room?
    OnlineUsers {
        /// Which room.
        room: RoomId,
    },
    /// Who of these is online?
    Statuses {
        /// Of whom.
        uids: Vec<UserId>,
    },
    /// A user's session ends.
    Disconnect {
        /// Who.
        uid: UserId,
    },
    /// A user's session ends, and the user is banned from logging in.
    BanLogin {
        /// Who.
        uid: UserId,
        /// For so long; `None`: until the ban is lifted.
        interval: Option<Duration>,
    },
    /// A ban is over before its time; nobody is removed from anything.
    Unban {
        /// Which.
        ban: Ban,
    },
    /// Tokens issued before a moment are good no more.
    Revoke {
        /// Whose; `None`: everybody's.
        uid: Option<UserId>,
        /// Unix time in seconds; `None`: all that were issued until now.
        issued_before: Option<u32>,
    },
    /// Who is there?
    Users {
        /// Those behind this one.
        after: Option<UserId>,
        /// Items at most, from 1 to [`LIST_ITEMS_MAX`](crate::LIST_ITEMS_MAX).
        limit: usize,
    },
    /// Which rooms are there?
    Rooms {
        /// Those behind this one.
        after: Option<RoomId>,
        /// Items at most, from 1 to [`LIST_ITEMS_MAX`](crate::LIST_ITEMS_MAX).
        limit: usize,
    },
    /// What does the app have?
    Stats,
}

impl Command {
    /// Whether it decides something that a restart of the server must not forget.
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

    /// Whether it changes nothing, and asks what there is.
    #[must_use]
    pub fn is_question(&self) -> bool {
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

    /// Which room it is about, if it is about one.
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

    /// Which users it is about, if it names some.
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

    /// How long a ban lasts, where one begins or is replaced.
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
