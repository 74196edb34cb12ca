//! How an engine gets on with its way to the server, for a log: each value names its link or its
//! moment, so a new one differs from the one before.

use core::time::Duration;

use crate::client::timer::Timer;
use crate::{Disconnect, Instant, LinkId};

/// A link that was given up, or broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostLink {
    /// Which.
    pub link: LinkId,
    /// How it ended.
    pub why: Disconnect,
    /// Which timer ended it, if one did.
    pub timer: Option<Timer>,
}

/// The next attempt to connect, while the engine waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextAttempt {
    /// When it begins.
    pub at: Instant,
    /// How many attempts there were since the waits began anew.
    pub attempts: usize,
    /// The part of the wait that the server asked for; the rest is back-off.
    pub asked_for: Duration,
}

/// A login that the server let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastLogin {
    /// Over which link.
    pub link: LinkId,
    /// Whether a session goes on.
    pub start: SessionStart,
}

/// What a login means for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStart {
    /// The application called `login` or `update_login_token`: it is the first one.
    First,
    /// The session goes on (§4.8).
    Resumed {
        /// Frames that the server does not have, and that go out again.
        frames_resent: u32,
    },
    /// The session is lost, and a new one took its place: what was on its way is unknown (§4.12).
    Anew,
}
