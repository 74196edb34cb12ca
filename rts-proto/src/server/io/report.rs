//! What an app's back end is told of its users and rooms: who comes and goes.

use crate::{BusinessId, LeaveReason, RoomId, UserId};

/// Something that happened to the users and rooms of an app, in
/// [`Output::Report`](super::Output::Report). Those of one app come in the order in which it
/// happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The user has a session, and had none.
    UserOnline {
        /// Who.
        uid: UserId,
    },
    /// The user has no session any more. Not when another login takes over.
    UserOffline {
        /// Who.
        uid: UserId,
        /// [`LeaveReason::Left`] after a logout, [`LeaveReason::Kicked`] when the back end put the
        /// user out, else [`LeaveReason::Dropped`].
        reason: LeaveReason,
    },
    /// The room has its first member; a [`Report::MemberJoined`] follows.
    RoomCreated {
        /// Which.
        room: RoomId,
    },
    /// The room has no member any more; it came after the last [`Report::MemberLeft`].
    RoomEmptied {
        /// Which.
        room: RoomId,
    },
    /// The user is a member, and was none.
    MemberJoined {
        /// Of which room.
        room: RoomId,
        /// Who.
        uid: UserId,
        /// The tag that it came with.
        business_id: Option<BusinessId>,
    },
    /// The user is no member any more.
    MemberLeft {
        /// Of which room.
        room: RoomId,
        /// Who.
        uid: UserId,
        /// Why. Of a dismissed or banned room: [`LeaveReason::Kicked`].
        reason: LeaveReason,
    },
}
