//! What an app's back end asks of all shards of a node or a cluster.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::limits::{PAYLOAD_BYTES_MAX, ROOM_UNICAST_PAYLOAD_BYTES_MAX};
use crate::server::ban::Ban;
use crate::server::command::{check_len, check_receivers};
use crate::server::command_error::CommandError;
use crate::server::figures::{AppStats, Page, RoomFigures, UserFigures};
use crate::server::placement::ShardId;
use crate::wire::Frame;
use crate::{MessageConfig, OnlineStatus, Payload, RoomId, UserId};

/// A request of a back end. The driver numbers them for each shard, and uses no number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestId(pub u64);

/// A command or a question of an app's back end. It goes to the shards that it concerns, wherever
/// they are.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Request {
    /// As [`Server::unicast`](super::super::Server::unicast).
    Unicast {
        /// The receiver.
        to: UserId,
        /// The `Delivery` frame.
        frame: Bytes,
    },
    /// As [`Server::broadcast_to_room`](super::super::Server::broadcast_to_room).
    BroadcastToRoom {
        /// The room.
        room: RoomId,
        /// The `RoomDelivery` frame.
        frame: Bytes,
    },
    /// As [`Server::unicast_in_room`](super::super::Server::unicast_in_room).
    UnicastInRoom {
        /// The room.
        room: RoomId,
        /// The receivers.
        to: Vec<UserId>,
        /// The `RoomUnicast` frame.
        frame: Bytes,
    },
    /// As [`Server::kick`](super::super::Server::kick).
    Kick {
        /// The room.
        room: RoomId,
        /// The member.
        uid: UserId,
    },
    /// As [`Server::dismiss`](super::super::Server::dismiss).
    Dismiss {
        /// The room.
        room: RoomId,
    },
    /// As [`Server::ban`](super::super::Server::ban).
    Ban {
        /// The subject.
        ban: Ban,
        /// For how long.
        interval: Duration,
    },
    /// As [`Server::unban`](super::super::Server::unban).
    Unban {
        /// The subject.
        ban: Ban,
    },
    /// As [`Server::put_out`](super::super::Server::put_out).
    PutOut {
        /// The user.
        uid: UserId,
    },
    /// As [`Server::revoke`](super::super::Server::revoke). A session that moves to
    /// another shard at that moment ends where it arrives, and is not counted.
    Revoke {
        /// The user, or all of the app.
        uid: Option<UserId>,
        /// Unix time in seconds.
        issued_before: u32,
    },
    /// The status of a user (§7.1).
    Status {
        /// The user.
        uid: UserId,
    },
    /// The members of a room.
    Members {
        /// The room.
        room: RoomId,
    },
    /// As [`Server::users_page`](super::super::Server::users_page).
    Users {
        /// The last user of the page before.
        after: Option<UserId>,
        /// Most users of this page.
        limit: u32,
    },
    /// As [`Server::rooms_page`](super::super::Server::rooms_page).
    Rooms {
        /// The last room of the page before.
        after: Option<RoomId>,
        /// Most rooms of this page.
        limit: u32,
    },
    /// The figures of the app.
    Stats,
}

/// What came of a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Response {
    /// A command was carried out: the number of its receivers, or of the sessions or memberships
    /// that ended. For the end of a ban 1 if it was in force in a shard.
    Done(u64),
    /// Nothing was done.
    Refused(CommandError),
    /// The status of a user.
    Status(OnlineStatus),
    /// The members of a room in the order of their ids. `None` if it does not exist.
    Members(Option<Vec<UserId>>),
    /// Users of the app.
    Users(Page<UserFigures>),
    /// Rooms of the app.
    Rooms(Page<RoomFigures>),
    /// The figures of the app.
    Stats(AppStats),
    /// A shard did not answer within [`REQUEST_TIMEOUT`](crate::limits::REQUEST_TIMEOUT). A command
    /// may have been carried out, or may be later.
    Unanswered,
}

/// No request of a back end has this number.
const TOLD: RequestId = RequestId(0);

/// A request on its way to the shards that it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RequestOnWay {
    /// The shard that gets the response.
    pub origin: ShardId,
    /// The number of the request there.
    pub id: RequestId,
    /// What is asked.
    pub request: Request,
    /// Whether the rate of the app's back end was charged for it.
    pub is_charged: bool,
}

/// The response of a shard, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ResponsePart {
    /// The number of the request at its origin.
    pub id: RequestId,
    /// What came of it.
    pub response: Response,
    /// Whether this is all that the shard responds.
    pub is_last: bool,
}

/// Which shards a request concerns.
pub(in crate::server) enum Concerns<'a> {
    HomeOfUser(&'a UserId),
    HomeOfRoom(&'a RoomId),
    All,
}

impl Request {
    /// A reliable message to a user, who sees `from` as its sender.
    ///
    /// # Errors
    ///
    /// The payload is too long.
    pub fn unicast(from: UserId, to: UserId, payload: Payload) -> Result<Self, CommandError> {
        check_len(&payload, PAYLOAD_BYTES_MAX)?;
        let config = MessageConfig::ReliableOrdered;
        Ok(Self::Unicast { to, frame: Frame::Delivery { from, payload, config }.encode() })
    }

    /// A message to all members of a room.
    ///
    /// # Errors
    ///
    /// The payload is too long.
    pub fn broadcast_to_room(
        from: UserId,
        room: RoomId,
        payload: Payload,
    ) -> Result<Self, CommandError> {
        check_len(&payload, PAYLOAD_BYTES_MAX)?;
        let frame = Frame::RoomDelivery { from, room: room.clone(), payload }.encode();
        Ok(Self::BroadcastToRoom { room, frame })
    }

    /// A message to some members of a room.
    ///
    /// # Errors
    ///
    /// The payload is too long, or there are too many receivers.
    pub fn unicast_in_room(
        from: UserId,
        room: RoomId,
        to: Vec<UserId>,
        payload: Payload,
    ) -> Result<Self, CommandError> {
        check_len(&payload, ROOM_UNICAST_PAYLOAD_BYTES_MAX)?;
        check_receivers(to.len())?;
        let frame = Frame::RoomUnicast { from, room: room.clone(), payload }.encode();
        Ok(Self::UnicastInRoom { room, to, frame })
    }

    /// A request as a back end may make it: the length of a ban is in its bounds
    /// ([`Ban::length_for`]). Shards that are told of a request do not change it: a node that
    /// joins is told of bans with the time that is left.
    #[must_use]
    pub fn clamped(self) -> Self {
        match self {
            Self::Ban { ban, interval } => Self::Ban { interval: ban.length_for(interval), ban },
            request => request,
        }
    }

    pub(in crate::server) fn concerns(&self) -> Concerns<'_> {
        match self {
            Self::Unicast { to: uid, .. } | Self::PutOut { uid } | Self::Status { uid } => {
                Concerns::HomeOfUser(uid)
            }
            Self::BroadcastToRoom { room, .. }
            | Self::UnicastInRoom { room, .. }
            | Self::Kick { room, .. }
            | Self::Dismiss { room }
            | Self::Members { room } => Concerns::HomeOfRoom(room),
            Self::Ban { .. }
            | Self::Unban { .. }
            | Self::Revoke { .. }
            | Self::Users { .. }
            | Self::Rooms { .. }
            | Self::Stats => Concerns::All,
        }
    }

    /// Whether the members of rooms get something.
    pub(in crate::server) fn goes_to_members(&self) -> bool {
        match self {
            Self::BroadcastToRoom { .. }
            | Self::UnicastInRoom { .. }
            | Self::Kick { .. }
            | Self::Dismiss { .. }
            | Self::Ban { .. } => true,
            Self::Unicast { .. }
            | Self::Unban { .. }
            | Self::PutOut { .. }
            | Self::Revoke { .. }
            | Self::Status { .. }
            | Self::Members { .. }
            | Self::Users { .. }
            | Self::Rooms { .. }
            | Self::Stats => false,
        }
    }

    /// The ban that it sets or lifts.
    pub(in crate::server) fn ban(&self) -> Option<&Ban> {
        match self {
            Self::Ban { ban, .. } | Self::Unban { ban } => Some(ban),
            _ => None,
        }
    }

    /// For how many messages the rate of the app's back end is charged.
    pub(in crate::server) fn messages(&self) -> Option<usize> {
        match self {
            Self::Unicast { .. } | Self::BroadcastToRoom { .. } => Some(1),
            Self::UnicastInRoom { to, .. } => Some(to.len()),
            _ => None,
        }
    }

    /// Most items of a page, if it asks for one.
    pub(in crate::server) fn limit(&self) -> usize {
        match self {
            Self::Users { limit, .. } | Self::Rooms { limit, .. } => *limit as usize,
            _ => 0,
        }
    }

    /// The bytes of its names, lists and frame.
    pub(super) fn more_bytes(&self) -> usize {
        let of_ban = |ban: &Ban| match ban {
            Ban::Room(room) => room.as_str().len(),
            Ban::UserInRoom(room, uid) => room.as_str().len() + uid.as_str().len(),
            Ban::User(uid) | Ban::Login(uid) => uid.as_str().len(),
        };
        match self {
            Self::Unicast { to, frame } => to.as_str().len() + frame.len(),
            Self::BroadcastToRoom { room, frame } => room.as_str().len() + frame.len(),
            Self::UnicastInRoom { room, to, frame } => {
                room.as_str().len() + names(to) + frame.len()
            }
            Self::Kick { room, uid } => room.as_str().len() + uid.as_str().len(),
            Self::Dismiss { room } | Self::Members { room } => room.as_str().len(),
            Self::Ban { ban, .. } | Self::Unban { ban } => of_ban(ban),
            Self::PutOut { uid } | Self::Status { uid } => uid.as_str().len(),
            Self::Revoke { uid, .. } | Self::Users { after: uid, .. } => {
                uid.as_ref().map_or(0, |uid| uid.as_str().len())
            }
            Self::Rooms { after, .. } => after.as_ref().map_or(0, |room| room.as_str().len()),
            Self::Stats => 0,
        }
    }
}

/// Shows no payload.
impl core::fmt::Debug for Request {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut shown = f.debug_struct(self.name());
        match self {
            Self::Unicast { to, frame } => shown.field("to", to).field("bytes", &frame.len()),
            Self::BroadcastToRoom { room, frame } => {
                shown.field("room", room).field("bytes", &frame.len())
            }
            Self::UnicastInRoom { room, to, frame } => {
                shown.field("room", room).field("to", to).field("bytes", &frame.len())
            }
            Self::Kick { room, uid } => shown.field("room", room).field("uid", uid),
            Self::Dismiss { room } | Self::Members { room } => shown.field("room", room),
            Self::Ban { ban, interval } => shown.field("ban", ban).field("interval", interval),
            Self::Unban { ban } => shown.field("ban", ban),
            Self::PutOut { uid } | Self::Status { uid } => shown.field("uid", uid),
            Self::Revoke { uid, issued_before } => {
                shown.field("uid", uid).field("issued_before", issued_before)
            }
            Self::Users { after, limit } => shown.field("after", after).field("limit", limit),
            Self::Rooms { after, limit } => shown.field("after", after).field("limit", limit),
            Self::Stats => &mut shown,
        };
        shown.finish()
    }
}

impl Request {
    fn name(&self) -> &'static str {
        match self {
            Self::Unicast { .. } => "Unicast",
            Self::BroadcastToRoom { .. } => "BroadcastToRoom",
            Self::UnicastInRoom { .. } => "UnicastInRoom",
            Self::Kick { .. } => "Kick",
            Self::Dismiss { .. } => "Dismiss",
            Self::Ban { .. } => "Ban",
            Self::Unban { .. } => "Unban",
            Self::PutOut { .. } => "PutOut",
            Self::Revoke { .. } => "Revoke",
            Self::Status { .. } => "Status",
            Self::Members { .. } => "Members",
            Self::Users { .. } => "Users",
            Self::Rooms { .. } => "Rooms",
            Self::Stats => "Stats",
        }
    }
}

impl Response {
    /// The number of names and figures in it.
    #[must_use]
    pub fn items(&self) -> usize {
        match self {
            Self::Members(members) => members.as_ref().map_or(0, Vec::len),
            Self::Users(page) => page.items.len(),
            Self::Rooms(page) => page.items.len(),
            Self::Done(_)
            | Self::Refused(_)
            | Self::Status(_)
            | Self::Stats(_)
            | Self::Unanswered => 0,
        }
    }

    /// The bytes of its lists.
    pub(super) fn more_bytes(&self) -> usize {
        match self {
            Self::Members(members) => members.as_ref().map_or(0, names),
            Self::Users(page) => {
                let of_names = page.items.iter().map(|user| user.uid.as_str().len());
                page.items.capacity() * size_of::<UserFigures>() + of_names.sum::<usize>()
            }
            Self::Rooms(page) => {
                let of_names = page.items.iter().map(|room| room.room.as_str().len());
                page.items.capacity() * size_of::<RoomFigures>() + of_names.sum::<usize>()
            }
            Self::Done(_)
            | Self::Refused(_)
            | Self::Status(_)
            | Self::Stats(_)
            | Self::Unanswered => 0,
        }
    }
}

impl RequestOnWay {
    /// What a node tells one that joins, as it stands: a ban or a revocation. Nobody awaits the
    /// response.
    #[must_use]
    pub fn told(origin: ShardId, request: Request) -> Self {
        Self { origin, id: TOLD, request, is_charged: true }
    }

    /// Whether it was [told](Self::told), and not asked by a back end now.
    #[must_use]
    pub fn is_told(&self) -> bool {
        self.id == TOLD
    }

    /// Whether the rate of the app's back end has to be charged for it.
    pub(in crate::server) fn must_be_charged(&self) -> bool {
        !self.is_charged && self.request.messages().is_some()
    }

    /// Its memory, for it is in a box.
    pub(super) fn more_bytes(&self) -> usize {
        size_of::<Self>() + self.request.more_bytes()
    }
}

impl ResponsePart {
    /// Its memory, for it is in a box.
    pub(super) fn more_bytes(&self) -> usize {
        size_of::<Self>() + self.response.more_bytes()
    }
}

fn names(names: &Vec<UserId>) -> usize {
    let of_names = names.iter().map(|name| name.as_str().len());
    names.capacity() * size_of::<UserId>() + of_names.sum::<usize>()
}
