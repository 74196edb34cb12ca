//! One login, from the call to its end. A client without a login is idle.

use alloc::boxed::Box;
use core::mem;

use bytes::Bytes;

use super::progress::SessionStart;
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
    /// The newest token, or the one that was refused.
    token: Bytes,
    stage: Stage,
}

enum Stage {
    /// `claim` is 0 for a new login. After a refused token, it is the claim of the login that
    /// continues.
    LoggingIn {
        claim: u64,
        since: Instant,
    },
    /// The login waits for a fresh token. No link is opened until it comes.
    TokenRejected {
        claim: u64,
    },
    LoggedIn(Box<Session>),
}

/// The meaning of an accepted login.
pub(crate) enum Entry {
    /// The login is now live.
    First { since: Instant },
    /// Its session was resumed.
    Resumed { frames_resent: u32 },
    /// The login continues on a new session. `old` is the ended one.
    Anew { old: Box<Session> },
}

impl Entry {
    pub(super) fn start(&self) -> SessionStart {
        match self {
            Self::First { .. } => SessionStart::First,
            Self::Resumed { frames_resent } => {
                SessionStart::Resumed { frames_resent: *frames_resent }
            }
            Self::Anew { .. } => SessionStart::Anew,
        }
    }
}

/// An accepted login.
pub(crate) struct Entered {
    pub(crate) entry: Entry,
    /// When the last byte of the server arrived before that.
    pub(crate) lost_at: Instant,
    /// Whether the silence since then was reported to the application.
    pub(crate) was_reported: bool,
}

/// The remains of a login that ended.
pub(crate) struct Ended {
    pub(crate) uid: UserId,
    /// The session of a live login.
    pub(crate) session: Option<Box<Session>>,
    /// When the attempt began, or when the last byte arrived in a live login.
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

    /// When the attempt began, while the login is in progress.
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

    /// `heard_at`: when the last byte of the server arrived.
    pub(super) fn end(self, heard_at: Instant) -> Ended {
        let since = self.logging_in_since().unwrap_or(heard_at);
        let session = match self.stage {
            Stage::LoggedIn(session) => Some(session),
            Stage::LoggingIn { .. } | Stage::TokenRejected { .. } => None,
        };
        Ended { uid: self.uid, session, since }
    }

    /// The Login frame for a new link.
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

    /// The claim of the login that this one continues; 0 for a new login.
    fn claim(&self) -> u64 {
        match &self.stage {
            Stage::LoggingIn { claim, .. } | Stage::TokenRejected { claim } => *claim,
            Stage::LoggedIn(session) => session.claim(),
        }
    }

    /// Stores a fresh token for the next link.
    pub(super) fn keep_token(&mut self, token: Bytes) {
        let is_ignored = planted(Bug::RefreshIgnored) && self.logging_in_since().is_some();
        if !is_ignored {
            self.token = token;
        }
    }

    /// Continues with a fresh token after the old one was refused.
    pub(super) fn retry(&mut self, token: Bytes, now: Instant) {
        self.token = token;
        self.stage = Stage::LoggingIn { claim: self.claim(), since: now };
    }

    /// The server accepted the login; `None` when it was not asked.
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
                Ok(Some(Entry::Resumed { frames_resent: session.resumed(accepted)? }))
            }
            Stage::LoggedIn(session) => {
                let fresh = Box::new(session.followed_by(accepted, now));
                Ok(Some(Entry::Anew { old: mem::replace(session, fresh) }))
            }
            Stage::TokenRejected { .. } => Ok(None),
        }
    }

    /// The server refused the token. A live session ends, and the login keeps its claim.
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
