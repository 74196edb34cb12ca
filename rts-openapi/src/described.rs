//! The table that describes each action in the document.

use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::parameter::Parameter::{self, *};
use crate::{
    Action, Banned, Ended, OnlineUsers, Removed, Revoked, RoomList, Sent, Stats, Unbanned,
    UserList, UserStatuses,
};

/// The group of an operation. Generated clients group by it.
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
            Self::Rooms => "Members of rooms, kicks, and bans from rooms",
            Self::Users => "Online users, ends of sessions, bans from logging in, revoked tokens",
        }
    }
}

/// The description of an action in the document.
pub(crate) struct Described {
    pub(crate) tag: Tag,
    pub(crate) summary: &'static str,
    pub(crate) description: &'static str,
    /// The required parameters.
    pub(crate) needed: &'static [Parameter],
    pub(crate) optional: &'static [Parameter],
    /// The name of the result's schema.
    pub(crate) result: String,
    /// The result's schema, and the schemas that it refers to.
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
                "The message is reliable. If the user's connection is broken, the message waits for up to 30 s.",
                &[AppId, From, To, Message],
                &[Binary],
            ),
            Action::SendBroadcast => Self::new::<Sent>(
                Tag::Messages,
                "A message to all members of a room",
                "The message is reliable. All members see it in one order with the broadcasts of members.",
                &[AppId, RoomId, From, Message],
                &[Binary],
            ),
            Action::SendRoomUnicast => Self::new::<Sent>(
                Tag::Messages,
                "A message to a member of a room",
                "A user who is not in the room gets nothing.",
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
                "The user gets state -1006, and the other members a leave with reason 3. The user may join again at \
                 once. With a `ForbiddenInterval`, the user is banned from the room as well.",
                &[AppId, RoomId, UserId],
                &[ForbiddenInterval],
            ),
            Action::DismissRoom => Self::new::<Removed>(
                Tag::Rooms,
                "Dismiss a room",
                "All members are removed, with state -1011. With a `ForbiddenInterval`, the room is banned as well.",
                &[AppId, RoomId],
                &[ForbiddenInterval],
            ),
            Action::BanRoomUser => Self::new::<Banned>(
                Tag::Rooms,
                "Ban a user from one room or from all rooms, or ban a room",
                "`RoomId` alone bans the room: joins get -1025. `UserId` alone bans the user from all rooms and from \
                 sending to users: joins get -1026, messages to users 1000. Both together ban the user from the room: \
                 joins get -1026. An empty text counts as absent. The members concerned are kicked (state -1006). A \
                 `ForbiddenInterval` of 0 kicks them too, bans nobody, and lifts an earlier ban of this kind. \
                 `UnbanRoomUser` lifts a ban and kicks nobody. `BanUser` bans from logging in.",
                &[AppId],
                &[RoomId, UserId, ForbiddenInterval],
            ),
            Action::UnbanRoomUser => Self::new::<Unbanned>(
                Tag::Rooms,
                "Lift a ban of a room, or of a user from one room or from all rooms",
                "The parameters are those of the ban. Nobody is kicked. `UnbanUser` lifts bans from logging in.",
                &[AppId],
                &[RoomId, UserId],
            ),
            Action::GetRoomOnlineUsers => Self::new::<OnlineUsers>(
                Tag::Rooms,
                "List the members of a room",
                "All members, in the order of their ids.",
                &[AppId, RoomId],
                &[],
            ),
            Action::GetUserOnlineStatus => Self::new::<UserStatuses>(
                Tag::Users,
                "Get the online status of these users",
                "The answer has the order of the request.",
                &[AppId, UserIds],
                &[],
            ),
            Action::DisconnectUser => Self::new::<Ended>(
                Tag::Users,
                "End a user's session",
                "The user is logged out with reason 2, and leaves its rooms with reason 3. Its engine does not log in \
                 again by itself. The user may log in again at once.",
                &[AppId, UserId],
                &[],
            ),
            Action::BanUser => Self::new::<Ended>(
                Tag::Users,
                "Ban a user from logging in, for a time or until the ban is lifted",
                "The user's session ends as with `DisconnectUser`, and logins get -1002. A later call replaces an \
                 earlier one.",
                &[AppId, UserId],
                &[Seconds],
            ),
            Action::UnbanUser => Self::new::<Unbanned>(
                Tag::Users,
                "Lift a user's ban from logging in",
                "No session ends. `UnbanRoomUser` lifts bans of `BanRoomUser`.",
                &[AppId, UserId],
                &[],
            ),
            Action::RevokeTokens => Self::new::<Revoked>(
                Tag::Users,
                "Revoke the tokens that were issued before a moment",
                "The tokens of one user, or without `UserId` of all users of the app. A login with such a token gets \
                 -1000. Sessions that began with such a token end. Their engines log in again by themselves, with \
                 the token that they have.",
                &[AppId],
                &[UserId, IssuedBefore],
            ),
            Action::ListUsers => Self::new::<UserList>(
                Tag::Users,
                "List the users",
                "Users with a session, in the order of their ids.",
                &[AppId],
                &[AfterUser, Limit],
            ),
            Action::ListRooms => Self::new::<RoomList>(
                Tag::Rooms,
                "List the rooms",
                "Rooms with members, in the order of their ids.",
                &[AppId],
                &[AfterRoom, Limit],
            ),
            Action::GetStats => Self::new::<Stats>(
                Tag::Users,
                "Count users, rooms, memberships and bans",
                "The figures of the moment of the request.",
                &[AppId],
                &[],
            ),
        }
    }
}
