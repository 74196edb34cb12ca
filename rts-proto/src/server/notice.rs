//! What an operator may want to read: who logs in, who does not, and why.

use alloc::boxed::Box;
use alloc::string::String;

use super::session::SessionNumber;
use super::{Credentials, Output, Server};
use crate::wire::Login;
use crate::{AppId, CloseCode, LeaveReason, LinkId, LoginCode, UserId};

/// Why links and sessions begin and end, for people who look after a server, in [`Output::Notice`]. Only after
/// [`Server::take_notice`].
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
        resumed: bool,
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
    /// A session is over, and no other took its place.
    SessionEnded {
        /// Of which app.
        app_id: AppId,
        /// Who.
        uid: UserId,
        /// [`LeaveReason::Left`] after a logout, [`LeaveReason::Kicked`] when the back end put the user out, else
        /// [`LeaveReason::Dropped`].
        reason: LeaveReason,
    },
}

/// What a login was refused by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The [`Verdict`](super::Verdict).
    Verdict,
    /// [`Config::reserved_uids`](super::Config::reserved_uids).
    ReservedUid,
    /// The app's back end does not let the user in ([`Ban::Login`](super::Ban::Login)).
    Banned,
    /// There is no greater claim than that of the user's session.
    NoGreaterClaim,
}

impl Server {
    /// From now on there are [`Output::Notice`]s too. Nothing else changes.
    pub fn take_notice(&mut self) {
        self.takes_notice = true;
    }

    /// Nothing is made when nobody wants to know.
    pub(super) fn notice(&mut self, notice: impl FnOnce(&Self) -> Notice) {
        if self.takes_notice {
            let notice = notice(self);
            self.outputs.push_back(Output::Notice(notice));
        }
    }

    /// The same about a session's user.
    pub(super) fn notice_of(
        &mut self,
        number: SessionNumber,
        notice: impl FnOnce(AppId, UserId) -> Notice,
    ) {
        if self.takes_notice
            && let Some(session) = self.sessions.get(number)
        {
            let notice = notice(session.app_id.clone(), session.uid.clone());
            self.outputs.push_back(Output::Notice(notice));
        }
    }
}

impl From<&Login> for Credentials {
    fn from(login: &Login) -> Self {
        Self { app_id: login.app_id.clone(), uid: login.uid.clone(), token: login.token.clone() }
    }
}
