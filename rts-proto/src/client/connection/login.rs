//! One login, from asking to its end. A client without one is idle.

use alloc::boxed::Box;
use core::mem;

use bytes::Bytes;

use super::session::Session;
use crate::planted::{Bug, planted};
use crate::wire::{self, Accepted};
use crate::{AppId, Instant, LinkId, ProtocolError, UserId};

/// ```text
///         login              ok                 logout, displaced, put out
/// (none) --------> LoggingIn ----> LoggedIn -----------------------------> (none)
///                   |    ^            |
///             -1000 |    | new token  | token refused after a lost session
///                   v    |            |
///                 TokenRejected <-----+
/// ```
pub(super) struct Login {
    uid: UserId,
    /// The newest, or the one that was refused.
    token: Bytes,
    stage: Stage,
}

enum Stage {
    /// `claim` is 0 for a new login; that of the login that goes on after its token was refused.
    LoggingIn {
        claim: u64,
        since: Instant,
    },
    /// A fresh token is waited for, and no link is wanted until it comes.
    TokenRejected {
        claim: u64,
    },
    LoggedIn(Box<Session>),
}

/// What it means that the server let the user in.
pub(crate) enum Entry {
    /// The login is live.
    First { since: Instant },
    /// Its session goes on.
    Resumed,
    /// The login goes on, with another session: what is left of the old one.
    Anew { old: Box<Session> },
}

/// A login that the server let in.
pub(crate) struct Entered {
    pub(crate) entry: Entry,
    /// When the server was heard last, before this.
    pub(crate) lost_at: Instant,
    /// Whether the application was told of the silence since.
    pub(crate) was_told: bool,
}

/// What is left of a login that is over.
pub(crate) struct Ended {
    pub(crate) uid: UserId,
    /// Of a login that was live.
    pub(crate) session: Option<Box<Session>>,
    /// When it began to be tried, or when a live one was heard last.
    pub(crate) since: Instant,
}

impl Login {
    pub(super) fn new(uid: UserId, token: Bytes, since: Instant) -> Self {
        Self { uid, token, stage: Stage::LoggingIn { claim: 0, since } }
    }

    pub(super) fn uid(&self) -> &UserId {
        &self.uid
    }

    pub(super) fn token(&self) -> &Bytes {
        &self.token
    }

    /// Since when it is tried, while it is.
    pub(super) fn logging_in_since(&self) -> Option<Instant> {
        match self.stage {
            Stage::LoggingIn { since, .. } => Some(since),
            Stage::TokenRejected { .. } | Stage::LoggedIn(_) => None,
        }
    }

    pub(super) fn is_rejected(&self) -> bool {
        matches!(self.stage, Stage::TokenRejected { .. })
    }

    pub(super) fn session(&self) -> Option<&Session> {
        match &self.stage {
            Stage::LoggedIn(session) => Some(session),
            Stage::LoggingIn { .. } | Stage::TokenRejected { .. } => None,
        }
    }

    pub(super) fn session_mut(&mut self) -> Option<&mut Session> {
        match &mut self.stage {
            Stage::LoggedIn(session) => Some(session),
            Stage::LoggingIn { .. } | Stage::TokenRejected { .. } => None,
        }
    }

    /// `heard_at`: when the server was heard last.
    pub(super) fn end(self, heard_at: Instant) -> Ended {
        let since = self.logging_in_since().unwrap_or(heard_at);
        let session = match self.stage {
            Stage::LoggedIn(session) => Some(session),
            Stage::LoggingIn { .. } | Stage::TokenRejected { .. } => None,
        };
        Ended { uid: self.uid, session, since }
    }

    /// What to say on a new link.
    pub(super) fn frame(&self, app_id: &AppId, engine: u64, link: LinkId) -> wire::Login {
        wire::Login {
            app_id: app_id.clone(),
            uid: self.uid.clone(),
            token: self.token.clone(),
            resume: self.session().and_then(Session::resume),
            claim: self.claim(),
            engine,
            attempt: link.0,
        }
    }

    /// Of the login that this one continues; 0 if it is a new one.
    fn claim(&self) -> u64 {
        match &self.stage {
            Stage::LoggingIn { claim, .. } | Stage::TokenRejected { claim } => *claim,
            Stage::LoggedIn(session) => session.claim(),
        }
    }

    /// A fresh token, for the next link.
    pub(super) fn keep_token(&mut self, token: Bytes) {
        let is_ignored = planted(Bug::RefreshIgnored) && self.logging_in_since().is_some();
        if !is_ignored {
            self.token = token;
        }
    }

    /// A fresh token came in place of the one that was refused.
    pub(super) fn retry(&mut self, token: Bytes, now: Instant) {
        self.token = token;
        self.stage = Stage::LoggingIn { claim: self.claim(), since: now };
    }

    /// The server let the user in; nothing when it was not asked.
    pub(super) fn accepted(
        &mut self,
        accepted: &Accepted,
        now: Instant,
    ) -> Result<Option<Entry>, ProtocolError> {
        match &mut self.stage {
            Stage::LoggingIn { since, .. } => {
                let since = *since;
                self.stage = Stage::LoggedIn(Box::new(Session::new(accepted, now)));
                Ok(Some(Entry::First { since }))
            }
            Stage::LoggedIn(session) if accepted.resumed => {
                session.resumed(accepted)?;
                Ok(Some(Entry::Resumed))
            }
            Stage::LoggedIn(session) => {
                let fresh = Box::new(session.followed_by(accepted, now));
                Ok(Some(Entry::Anew { old: mem::replace(session, fresh) }))
            }
            Stage::TokenRejected { .. } => Ok(None),
        }
    }

    /// The server refused the token. What was live is over, but for the login's claim.
    pub(super) fn reject_token(&mut self, heard_at: Instant) -> Ended {
        let since = self.logging_in_since().unwrap_or(heard_at);
        let rejected = Stage::TokenRejected { claim: self.claim() };
        let session = match mem::replace(&mut self.stage, rejected) {
            Stage::LoggedIn(session) => Some(session),
            Stage::LoggingIn { .. } | Stage::TokenRejected { .. } => None,
        };
        Ended { uid: self.uid.clone(), session, since }
    }
}

#[cfg(test)]
mod tests;
