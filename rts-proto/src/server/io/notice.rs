//! Notices for operators: logins, refusals and closed links, with their reasons.

use alloc::boxed::Box;
use alloc::string::String;

use super::credentials::Credentials;
use super::detail::Detail;
use super::report::Report;
use crate::{AppId, CloseCode, LeaveReason, LinkId, LoginCode, RoomId, RoomState, UserId};

/// The amount of [`Notice`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeLevel {
    /// No notices.
    #[default]
    Off,
    /// Notices of links and sessions: why they begin and end, and refusals of users now and then.
    Sessions,
    /// Also notices of rooms and of each refused message, join or call: [`Notice::Reported`] and
    /// [`Notice::Detail`].
    All,
}

/// Why links and sessions begin and end, for operators of a server. Notices are outputs,
/// [`Output::Notice`](super::Output::Notice), and only after
/// [`Server::take_notice`](crate::server::Server::take_notice).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A login succeeded.
    LoggedIn {
        /// The link of the login.
        link: LinkId,
        /// The app.
        app_id: AppId,
        /// The user.
        uid: UserId,
        /// Whether a session was resumed, or a new one began.
        resumption: Resumption,
    },
    /// A login did not succeed.
    LoginRefused {
        /// The link of the login.
        link: LinkId,
        /// The credentials of the login.
        credentials: Box<Credentials>,
        /// The code for the client.
        code: LoginCode,
        /// What refused the login.
        refusal: Refusal,
    },
    /// A session was ended by another login of its user.
    Displaced {
        /// The link of the session, unless it was broken.
        link: Option<LinkId>,
        /// The link of the other login. Absent if it is in another shard.
        by: Option<LinkId>,
        /// The app.
        app_id: AppId,
        /// The user.
        uid: UserId,
    },
    /// The server closed a link. Not used for [`CloseCode::Shutdown`], which closes all links.
    Closed {
        /// The link.
        link: LinkId,
        /// The user of the link, logged in or claimed by a Login; `None` before a Login.
        user: Option<(AppId, UserId)>,
        /// The reason.
        code: CloseCode,
        /// The reason in words; after a broken rule, the rule.
        reason: String,
    },
    /// A link is gone, and the server did not close it.
    LinkLost {
        /// The link.
        link: LinkId,
        /// The user whose session it carried, which now waits for another link; `None` before a
        /// login.
        user: Option<(AppId, UserId)>,
    },
    /// A login waits: its user logs in more often than the rate allows (§3.9).
    LoginQueued {
        /// The link of the login.
        link: LinkId,
        /// The app.
        app_id: AppId,
        /// The user.
        uid: UserId,
    },
    /// A user's link does not seem to be read, because too many bytes wait on it, or is read again
    /// (§2.9).
    Congested {
        /// The link.
        link: LinkId,
        /// The app.
        app_id: AppId,
        /// The user.
        uid: UserId,
        /// Whether the link is congested.
        is_congested: bool,
    },
    /// A user is over a rate, and the excess is refused. There is at most one notice for a user in
    /// every [`REFUSAL_NOTICE_EVERY`](crate::limits::REFUSAL_NOTICE_EVERY).
    OverRate {
        /// The link of the session, unless it is broken.
        link: Option<LinkId>,
        /// The app.
        app_id: AppId,
        /// The user.
        uid: UserId,
        /// The rate.
        rate: Rate,
    },
    /// A ban of the app's back end refused an action of a user. These notices and those of
    /// [`OverRate`](Self::OverRate) share one limit. Refused logins are
    /// [`LoginRefused`](Self::LoginRefused).
    Banned {
        /// The link of the session, unless it is broken.
        link: Option<LinkId>,
        /// The app.
        app_id: AppId,
        /// The user.
        uid: UserId,
        /// The refused action.
        forbidden: Forbidden,
    },
    /// A session ended, and no other replaced it.
    SessionEnded {
        /// The app.
        app_id: AppId,
        /// The user.
        uid: UserId,
        /// [`LeaveReason::Left`] after a logout, [`LeaveReason::Kicked`] when the back end put the
        /// user out, else [`LeaveReason::Dropped`].
        reason: LeaveReason,
    },
    /// An event that can be reported to an app's back end, for every app.
    Reported {
        /// The app.
        app_id: AppId,
        /// The event.
        report: Report,
    },
    /// Why an action had an unusual result.
    Detail {
        /// The link of the session, unless it is broken.
        link: Option<LinkId>,
        /// The app.
        app_id: AppId,
        /// The user.
        uid: UserId,
        /// The action and its result.
        detail: Detail,
    },
}

/// Whether a login resumed a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// The login did not ask for it.
    NotAsked,
    /// The login resumed its session (§4.8).
    Resumed {
        /// Frames that the client does not have and that go out again.
        frames_resent: u32,
    },
    /// The session ended, or belongs to another user. The login has a new session.
    Impossible,
}

/// A rate of a user (§8.3). Logins over their rate wait for their turn instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Messages to users.
    Sends,
    /// The broadcasts of the user.
    Broadcasts,
    /// The broadcasts of all members of the room.
    RoomBroadcasts,
    /// Messages to the app server, and calls of `setServerParams`.
    ServerSends,
    /// Status queries.
    StatusQueries,
    /// Entered rooms.
    Joins,
}

/// Actions of logged-in users that bans refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// A message to a user: the sender is banned from all rooms, and so from sending (§5.3).
    Send,
    /// A join (§6.2).
    Join {
        /// The room.
        room: RoomId,
        /// [`RoomState::RoomBanned`] or [`RoomState::UserBanned`].
        state: RoomState,
    },
}

/// The reason for a refused login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The [`Verdict`](super::Verdict).
    Verdict,
    /// [`Config::reserved_uids`](crate::server::Config::reserved_uids).
    ReservedUid,
    /// The app's back end banned the user from logging in
    /// ([`Ban::Login`](crate::server::Ban::Login)).
    Banned,
    /// The claim of the user's session is the greatest possible one.
    NoGreaterClaim,
}
