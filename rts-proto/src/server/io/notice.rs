//! What an operator may want to read: who logs in, who does not, and why.

use alloc::boxed::Box;
use alloc::string::String;

use super::credentials::Credentials;
use super::detail::Detail;
use super::report::Report;
use crate::{AppId, CloseCode, LeaveReason, LinkId, LoginCode, RoomId, RoomState, UserId};

/// How much there are [`Notice`]s of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoticeLevel {
    /// Of nothing.
    #[default]
    Off,
    /// Of links and sessions: why they begin and end, and what users are refused now and then.
    Sessions,
    /// Of rooms, and of each refused message, join or call besides: [`Notice::Reported`] and
    /// [`Notice::Detail`].
    All,
}

/// Why links and sessions begin and end, for people who look after a server. It comes in
/// [`Output::Notice`](super::Output::Notice), and only after
/// [`Server::take_notice`](crate::server::Server::take_notice).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A login succeeded.
    LoggedIn {
        /// On which link.
        link: LinkId,
        /// Of which app.
        app_id: AppId,
        /// Who.
        uid: UserId,
        /// Whether a session goes on, or a new one began.
        resumption: Resumption,
    },
    /// A login did not succeed.
    LoginRefused {
        /// On which link.
        link: LinkId,
        /// What it said and showed.
        credentials: Box<Credentials>,
        /// What the client is told.
        code: LoginCode,
        /// Who refused it.
        refusal: Refusal,
    },
    /// A session was ended by another login of its user.
    Displaced {
        /// The link of the session, unless it was broken.
        link: Option<LinkId>,
        /// The link of the other login.
        by: LinkId,
        /// Of which app.
        app_id: AppId,
        /// Who.
        uid: UserId,
    },
    /// The server closed a link. Not told of [`CloseCode::Shutdown`], which is for all links.
    Closed {
        /// Which link.
        link: LinkId,
        /// Whose it is, or says that it is; unknown before the client has said so.
        user: Option<(AppId, UserId)>,
        /// Why.
        code: CloseCode,
        /// The same in words; after a broken rule, which one.
        reason: String,
    },
    /// A link is gone, and the server did not close it.
    LinkLost {
        /// Which link.
        link: LinkId,
        /// Whose session it carried, which waits for another link now; `None` before a login.
        user: Option<(AppId, UserId)>,
    },
    /// A login waits: its user logs in more often than the rate allows (§3.9).
    LoginQueued {
        /// On which link.
        link: LinkId,
        /// Of which app.
        app_id: AppId,
        /// Who.
        uid: UserId,
    },
    /// So much waits on a user's link that it does not seem to be read, or no longer (§2.9).
    Congested {
        /// Which link.
        link: LinkId,
        /// Of which app.
        app_id: AppId,
        /// Whose it is.
        uid: UserId,
        /// Whether it is so.
        is_congested: bool,
    },
    /// A user does more than a rate allows, and what is beyond it is refused. Told of a user at
    /// most every [`REFUSAL_NOTICE_EVERY`](crate::limits::REFUSAL_NOTICE_EVERY).
    OverRate {
        /// The link of the session, unless it is broken.
        link: Option<LinkId>,
        /// Of which app.
        app_id: AppId,
        /// Who.
        uid: UserId,
        /// Of what there was too much.
        rate: Rate,
    },
    /// A user does what a ban of the app's back end forbids, and it is refused. Told of a user as
    /// often as [`OverRate`](Self::OverRate), both together. Refused logins are
    /// [`LoginRefused`](Self::LoginRefused).
    Banned {
        /// The link of the session, unless it is broken.
        link: Option<LinkId>,
        /// Of which app.
        app_id: AppId,
        /// Who.
        uid: UserId,
        /// What it did.
        forbidden: Forbidden,
    },
    /// A session is over, and no other took its place.
    SessionEnded {
        /// Of which app.
        app_id: AppId,
        /// Who.
        uid: UserId,
        /// [`LeaveReason::Left`] after a logout, [`LeaveReason::Kicked`] when the back end put the
        /// user out, else [`LeaveReason::Dropped`].
        reason: LeaveReason,
    },
    /// What an app's back end can be told, of every app.
    Reported {
        /// Of which app.
        app_id: AppId,
        /// What happened.
        report: Report,
    },
    /// Why something had another result than usual.
    Detail {
        /// The link of the session, unless it is broken.
        link: Option<LinkId>,
        /// Of which app.
        app_id: AppId,
        /// Whose it was.
        uid: UserId,
        /// What it was.
        detail: Detail,
    },
}

/// Whether a login goes on with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// It did not ask for that.
    NotAsked,
    /// It does (§4.8).
    Resumed {
        /// Frames that the client does not have, and that go out again.
        frames_resent: u32,
    },
    /// It asked for a session that is over, or is not its own; it has a new one.
    Impossible,
}

/// What a user can do too much of (§8.3). Logins wait for their turn instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// Messages to users.
    Sends,
    /// The user's broadcasts.
    Broadcasts,
    /// Those of all in the room.
    RoomBroadcasts,
    /// Messages to the app's server, and changes of where they go.
    ServerSends,
    /// Questions whether a user is online.
    StatusQueries,
    /// Rooms that are entered.
    Joins,
}

/// What bans refuse of users that are logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forbidden {
    /// A message to a user: the sender is banned from all rooms, and so from sending (§5.3).
    Send,
    /// A join (§6.2).
    Join {
        /// Of which room.
        room: RoomId,
        /// [`RoomState::RoomBanned`] or [`RoomState::UserBanned`].
        state: RoomState,
    },
}

/// What a login was refused by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The [`Verdict`](super::Verdict).
    Verdict,
    /// [`Config::reserved_uids`](crate::server::Config::reserved_uids).
    ReservedUid,
    /// The app's back end banned the user from logging in
    /// ([`Ban::Login`](crate::server::Ban::Login)).
    Banned,
    /// There is no greater claim than that of the user's session.
    NoGreaterClaim,
}
