//! Reports to an app's back end about its users and rooms.

use crate::{BusinessId, LeaveReason, RoomId, UserId};

/// An event of an app's users and rooms, in [`Output::Report`](super::Output::Report). Reports of
/// one app come in the order of their events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The user has a session, and had none before.
    UserOnline {
        /// The user.
        uid: UserId,
    },
    /// The user's session ended. There is no report when another login takes over.
    UserOffline {
        /// The user.
        uid: UserId,
        /// [`LeaveReason::Left`] after a logout, [`LeaveReason::Kicked`] when the back end put the
        /// user out, else [`LeaveReason::Dropped`].
        reason: LeaveReason,
    },
    /// The room has its first member; a [`Report::MemberJoined`] follows.
    RoomCreated {
        /// The room.
        room: RoomId,
    },
    /// The room has no member any more. This follows the last [`Report::MemberLeft`].
    RoomEmptied {
        /// The room.
        room: RoomId,
    },
    /// The user became a member of the room.
    MemberJoined {
        /// The room.
        room: RoomId,
        /// The user.
        uid: UserId,
        /// The tag of its join.
        business_id: Option<BusinessId>,
    },
    /// The user is no longer a member of the room.
    MemberLeft {
        /// The room.
        room: RoomId,
        /// The user.
        uid: UserId,
        /// The reason. For a dismissed or banned room: [`LeaveReason::Kicked`].
        reason: LeaveReason,
    },
}
