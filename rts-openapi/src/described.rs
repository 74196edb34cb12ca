//! What each action is in the document: a table.

use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use crate::parameter::Parameter::{self, *};
use crate::{
    Action, Done, DoneInSmallLetters, Ended, OnlineUsers, Revoked, RoomList, Sent, Stats, Unbanned,
    UserList, UserStatuses,
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
            Self::Rooms => "Who is in a room, and who is put out or kept out",
            Self::Users => "Who is online, who is put out, and who may not log in",
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
            Action::KickUser => Self::new::<Done>(
                Tag::Rooms,
                "A user out of a room",
                "State -1006 for it, a leave with reason 3 for the others. With a `ForbiddenInterval`, as \
                 `BanRoomUser`.",
                &[AppId, RoomId, UserId],
                &[ForbiddenInterval],
            ),
            Action::DismissRoom => Self::new::<Done>(
                Tag::Rooms,
                "Everybody out of a room",
                "State -1011 for all. With a `ForbiddenInterval` the room is banned as well.",
                &[AppId, RoomId],
                &[ForbiddenInterval],
            ),
            Action::BanRoomUser => Self::new::<DoneInSmallLetters>(
                Tag::Rooms,
                "Somebody out, and not in again for a while",
                "Out with state -1006. `RoomId` alone bans a room (joins get -1025), `UserId` alone a user from all \
                 rooms and from sending to users (joins get -1026, messages to users 1000), both together the user \
                 from the room (joins get -1026); an empty text counts as absent. With a `ForbiddenInterval` of 0 an \
                 earlier ban of the same is lifted. `BanUser` keeps a user from logging in.",
                &[AppId],
                &[RoomId, UserId, ForbiddenInterval],
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
                "A user out of its session",
                "It is logged out with reason 2, does not log in again by itself, and leaves its rooms (reason 3 for \
                 the others). It may log in again at once.",
                &[AppId, UserId],
                &[],
            ),
            Action::BanUser => Self::new::<Ended>(
                Tag::Users,
                "A user out, and not logged in again for a while or until that is lifted",
                "Out as by `DisconnectUser`, and its logins get -1002. A later call takes the place of an earlier one.",
                &[AppId, UserId],
                &[Seconds],
            ),
            Action::UnbanUser => Self::new::<Unbanned>(
                Tag::Users,
                "A user may log in again",
                "Bans from rooms are those of `BanRoomUser`, and stay.",
                &[AppId, UserId],
                &[],
            ),
            Action::RevokeTokens => Self::new::<Revoked>(
                Tag::Users,
                "Tokens issued before a moment are good no more",
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
