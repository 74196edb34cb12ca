//! Connection progress of an engine, for logs. Each value has its link or its moment, so a new
//! value differs from the previous one.

use core::time::Duration;

use crate::client::timer::Timer;
use crate::{Disconnect, Instant, LinkId};

/// A link that was given up, or broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostLink {
    /// The lost link.
    pub link: LinkId,
    /// Why it ended.
    pub why: Disconnect,
    /// The timer that ended it, if any.
    pub timer: Option<Timer>,
}

/// The next attempt to connect, while the engine waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextAttempt {
    /// The moment at which it begins.
    pub at: Instant,
    /// The number of attempts since the back-off was reset.
    pub attempts: usize,
    /// The part of the wait that the server asked for; the rest is back-off.
    pub asked_for: Duration,
}

/// A login that the server accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastLogin {
    /// The link of the login.
    pub link: LinkId,
    /// Whether it resumed a session.
    pub start: SessionStart,
}

/// What a login means for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStart {
    /// The first session of a call of `login` or `update_login_token`.
    First,
    /// The session was resumed (§4.8).
    Resumed {
        /// Frames that the server had not received, and that are sent again.
        frames_resent: u32,
    },
    /// The session is lost, and a new one was created. Messages under way have an unknown result
    /// (§4.12).
    Anew,
}
