//! What each action is in the document: a table.

use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::parameter::Parameter::{self, *};
use crate::{
    Action, DoneInSmallLetters, Ended, OnlineUsers, Removed, Revoked, RoomList, Sent, Stats,
    Unbanned, UserList, UserStatuses,
};

/// What an operation is about, as generated clients sort them.
#[derive(Clone, Copy)]
pub(crate) enum Tag {
    Messages,
    Rooms,
    Users,
}

impl Tag {
    pub(crate) const ALL: [Self; 3] = [Self::Messages, Self::Rooms, Self::Users];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Rooms => "rooms",
            Self::Users => "users",
        }
    }

    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::Messages => "Messages from the back end to users and rooms",
            Self::Rooms => "Who is in a room; kicks and bans from rooms",
            Self::Users => "Who is online; ending sessions, bans from logging in, revoked tokens",
        }
    }
}

/// What an action is in the document.
pub(crate) struct Described {
    pub(crate) tag: Tag,
    pub(crate) summary: &'static str,
    pub(crate) description: &'static str,
    /// Parameters without which it is refused.
    pub(crate) needed: &'static [Parameter],
    pub(crate) optional: &'static [Parameter],
    /// The name of what it gives.
    pub(crate) result: String,
    /// That, and what it refers to.
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
}

impl Described {
    fn new<R: ToSchema>(
        tag: Tag,
        summary: &'static str,
        description: &'static str,
        needed: &'static [Parameter],
        optional: &'static [Parameter],
    ) -> Self {
        let result = R::name().into_owned();
        let mut schemas = vec![(result.clone(), R::schema())];
        R::schemas(&mut schemas);
        Self { tag, summary, description, needed, optional, result, schemas }
    }

    pub(crate) fn of(action: Action) -> Self {
        match action {
            Action::SendUnicast => Self::new::<Sent>(
                Tag::Messages,
                "A message to a user",
                "A reliable message. One to a user whose connection is broken waits for up to 30 s.",
                &[AppId, From, To, Message],
                &[Binary],
            ),
            Action::SendBroadcast => Self::new::<Sent>(
                Tag::Messages,
                "A message to all members of a room",
                "A reliable message, in one order with those of its members.",
                &[AppId, RoomId, From, Message],
                &[Binary],
            ),
            Action::SendRoomUnicast => Self::new::<Sent>(
                Tag::Messages,
                "A message to a member of a room",
                "Who is not in the room gets nothing.",
                &[AppId, RoomId, From, To, RoomMessage],
                &[Binary],
            ),
            Action::BatchSendRoomUnicast => Self::new::<Sent>(
                Tag::Messages,
                "A message to some members of a room",
                "It counts as one message for each receiver.",
                &[AppId, RoomId, From, Receivers, RoomMessage],
                &[Binary],
            ),
            Action::KickUser => Self::new::<Removed>(
                Tag::Rooms,
                "Kick a user from a room",
                "State -1006 for it, a leave with reason 3 for the others. It may join again at once. With a \
                 `ForbiddenInterval`, as `BanRoomUser`.",
                &[AppId, RoomId, UserId],
                &[ForbiddenInterval],
            ),
            Action::DismissRoom => Self::new::<Removed>(
                Tag::Rooms,
                "Dismiss a room",
                "All its members are out, with state -1011. With a `ForbiddenInterval` the room is banned as well.",
                &[AppId, RoomId],
                &[ForbiddenInterval],
            ),
            Action::BanRoomUser => Self::new::<DoneInSmallLetters>(
                Tag::Rooms,
                "Ban a user from a room or from all, or ban a room",
                "`RoomId` alone bans a room (joins get -1025), `UserId` alone a user from all rooms and from sending \
                 to users (joins get -1026, messages to users 1000), both together the user from the room (joins get \
                 -1026); an empty text counts as absent. Members that it is about are kicked (state -1006), also with \
                 a `ForbiddenInterval` of 0, which bans nobody and lifts an earlier ban of the same: to lift a ban \
                 and kick nobody, there is `UnbanRoomUser`. `BanUser` bans from logging in.",
                &[AppId],
                &[RoomId, UserId, ForbiddenInterval],
            ),
            Action::UnbanRoomUser => Self::new::<Unbanned>(
                Tag::Rooms,
                "Lift a ban of a room, or of a user from a room or from all",
                "It is named as for `BanRoomUser`. Nobody is kicked, also when the ban ran out before. Bans from \
                 logging in are lifted by `UnbanUser`.",
                &[AppId],
                &[RoomId, UserId],
            ),
            Action::GetRoomOnlineUsers => Self::new::<OnlineUsers>(
                Tag::Rooms,
                "Who is in a room",
                "All its members, sorted.",
                &[AppId, RoomId],
                &[],
            ),
            Action::GetUserOnlineStatus => Self::new::<UserStatuses>(
                Tag::Users,
                "Who of these users is online",
                "In the order in which they are asked for.",
                &[AppId, UserIds],
                &[],
            ),
            Action::DisconnectUser => Self::new::<Ended>(
                Tag::Users,
                "End a user's session",
                "It is logged out with reason 2, does not log in again by itself, and leaves its rooms (reason 3 for \
                 the others). It may log in again at once.",
                &[AppId, UserId],
                &[],
            ),
            Action::BanUser => Self::new::<Ended>(
                Tag::Users,
                "Ban a user from logging in, for a time or until the ban is lifted",
                "Its session ends as by `DisconnectUser`, and its logins get -1002. A later call takes the place of an \
                 earlier one.",
                &[AppId, UserId],
                &[Seconds],
            ),
            Action::UnbanUser => Self::new::<Unbanned>(
                Tag::Users,
                "Lift a user's ban from logging in",
                "Nobody's session ends. Bans of `BanRoomUser` stay: `UnbanRoomUser` lifts those.",
                &[AppId, UserId],
                &[],
            ),
            Action::RevokeTokens => Self::new::<Revoked>(
                Tag::Users,
                "Revoke the tokens that were issued before a moment",
                "Of a user, or without `UserId` of all users of the app. Logins with such a token get -1000, also when \
                 it has not expired. Sessions that began with one end, and their clients log in again by themselves \
                 with the token that they have: with a good one they are back at once.",
                &[AppId],
                &[UserId, IssuedBefore],
            ),
            Action::ListUsers => Self::new::<UserList>(
                Tag::Users,
                "Who is there",
                "Users with a session, in the order of their ids.",
                &[AppId],
                &[AfterUser, Limit],
            ),
            Action::ListRooms => Self::new::<RoomList>(
                Tag::Rooms,
                "Which rooms there are",
                "Rooms with members, in the order of their ids.",
                &[AppId],
                &[AfterRoom, Limit],
            ),
            Action::GetStats => Self::new::<Stats>(
                Tag::Users,
                "What an app has now",
                "Counted when it is asked for.",
                &[AppId],
                &[],
            ),
        }
    }
}
