//! The border of the core: what the world tells a server, and what the server asks of the world.

mod credentials;
mod detail;
mod notice;
mod post;
mod report;

use alloc::boxed::Box;
use core::fmt;

use bytes::Bytes;

pub use credentials::Credentials;
pub(super) use detail::named;
pub use detail::{Detail, JoinRefusal};
pub use notice::{Forbidden, Notice, NoticeLevel, Rate, Refusal, Resumption};
pub use post::{Post, PostProgress};
pub use report::Report;

use crate::wire::ResumeKey;
use crate::{AppId, CallId, CloseCode, Instant, LinkId, LoginCode, LoginId, TargetId, Text};

/// What the world tells the server. Input for what the server has given up, such as a link or a
/// login, changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time has passed, or a burst of input is over: nearly all that it brings links goes out with
    /// this. Needed at the deadline of [`Output::Wait`]; harmless at any other time.
    Tick,
    /// A link was accepted. The driver numbers links and never uses a number twice; the key is 16
    /// bytes from a secure random source, for the session that this link will carry.
    Accepted(LinkId, ResumeKey),
    /// Bytes arrived.
    Received(LinkId, Bytes),
    /// The link is down.
    Disconnected(LinkId),
    /// So much waits to be written on the link that its peer does not seem to read it, or no
    /// longer. While it is so, nothing goes there that is not sequenced (§2.9): no `Pong`, and
    /// messages with config 1 and 2 get result 2. Where that begins is the driver's to say.
    Congested(LinkId, bool),
    /// The answer to [`Output::Authenticate`].
    Verdict(LoginId, Verdict),
    /// The answer to [`Output::CheckTarget`]: whether messages may be posted there.
    TargetChecked(TargetId, bool),
    /// What becomes of [`Output::PostToAppServer`].
    AppServerReplied(CallId, PostProgress),
}

/// Whether a login is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is. `claim` grows with the driver's clock, and orders the logins of one user (§3.4).
    Accept {
        /// Such as microseconds of Unix time.
        claim: u64,
        /// When what was shown was made, such as the Unix time in a token, in seconds.
        /// [`Server::revoke`](super::Server::revoke) compares with it; nothing else does.
        issued_at: u32,
    },
    /// It is not, and why.
    Refuse(LoginCode),
}

/// Where a client wants its messages for the app's server to go.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Its app.
    pub app_id: AppId,
    /// As the client wrote it: ASCII, and not longer than
    /// [`URL_BYTES_MAX`](crate::limits::URL_BYTES_MAX). Nothing else is known of it.
    pub url: Text,
}

/// Does not show the url, which may hold a secret.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

/// What the server asks of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write these bytes, after all earlier ones of the link. They are whole frames, one or more.
    Transmit(LinkId, Bytes),
    /// Write what was transmitted before, then close. The code is what the last frame said, if it
    /// was a `Close`.
    Disconnect(LinkId, Option<CloseCode>),
    /// Check these, and answer with [`Input::Verdict`].
    Authenticate(LoginId, Box<Credentials>),
    /// Say whether messages of this app may be posted there, with [`Input::TargetChecked`]. Nothing
    /// is posted yet.
    CheckTarget(TargetId, Target),
    /// Post this, at most once, and say with [`Input::AppServerReplied`] what becomes of it.
    PostToAppServer(CallId, Box<Post>),
    /// This post takes too long: stop it. No answer is expected.
    AbandonPost(CallId),
    /// Tell the app's back end, if the driver has a way. Only of
    /// [`Config::reported_apps`](super::Config::reported_apps).
    Report(AppId, Report),
    /// Log this, if the driver has a log. Only after
    /// [`Server::take_notice`](super::Server::take_notice).
    Notice(Notice),
    /// Nothing more to do before this moment, if no other input comes. Always the last output.
    Wait(Option<Instant>),
}
