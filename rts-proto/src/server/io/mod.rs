//! Inputs and outputs of a server, which are its border to the driver.

mod credentials;
mod deliveries;
mod detail;
mod entry;
mod moved;
mod moved_session;
mod notice;
mod opened;
mod ownership;
mod post;
mod report;
mod request;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

pub use credentials::Credentials;
pub use deliveries::{BadDelivery, Deliveries, Delivery};
pub(super) use detail::named;
pub use detail::{Detail, JoinRefusal};
pub use entry::{Entered, Entry, JoinPermit, MemberEnd, Names};
pub use moved::{HomesStep, Moved, MovedMember, MovedOwner};
pub use moved_session::{
    MovedFrames, MovedParams, MovedPost, MovedSession, ResumeAsked, SessionContent, SessionPart,
};
pub use notice::{Forbidden, Notice, NoticeLevel, Rate, Refusal, Resumption};
pub use opened::Opened;
pub use ownership::{
    AskedLogin, AskedResume, Candidate, Denial, LeftBehind, Ownership, PassedOn, Tenure, UsedRates,
};
pub use post::{Post, PostProgress};
pub use report::Report;
pub(super) use request::Concerns;
pub use request::{Request, RequestId, RequestOnWay, Response, ResponsePart};

use super::home_table::HomeTable;
use super::placement::ShardId;
use crate::wire::ResumeKey;
use crate::{AppId, CallId, CloseCode, Instant, LinkId, LoginCode, LoginId, TargetId, Text};

/// Inputs of a server. An input for a link, login or post that the server has given up changes
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time has passed, or a burst of input is over. The output of a burst goes out with this.
    /// Needed at the deadline of [`Output::Wait`]; harmless at any other time.
    Tick,
    /// A link was accepted. The driver numbers links and never uses a number twice. The key is 16
    /// bytes from a secure random source, for the session that this link will carry.
    Accepted(LinkId, ResumeKey),
    /// Bytes arrived.
    Received(LinkId, Bytes),
    /// The link is down.
    Disconnected(LinkId),
    /// The link is congested or no longer so: its peer does not seem to read, because too many
    /// bytes wait to be written. The driver sets the threshold. On a congested link, the server
    /// sends no frames that are not sequenced (§2.9): no `Pong`, and messages with config 1 and 2
    /// get result 2.
    Congested(LinkId, bool),
    /// The answer to [`Output::Authenticate`].
    Verdict(LoginId, Verdict),
    /// The answer to [`Output::CheckTarget`]: whether messages may be posted to the URL.
    TargetChecked(TargetId, bool),
    /// The progress of [`Output::PostToAppServer`].
    AppServerReplied(CallId, PostProgress),
    /// A link of another shard, which gave it away with [`Output::HandOver`].
    HandedOver(LinkId, Box<Opened>),
    /// Another shard sent these entries ([`Output::Peer`]).
    Peer(ShardId, Vec<Entry>),
    /// Another shard is congested or no longer so: too many entries wait for it. The
    /// driver sets the threshold. Messages that would go there are refused in the meantime.
    PeerCongested(ShardId, bool),
    /// A request of the back end of an app, to any shard of a node or a cluster.
    /// [`Output::Respond`] follows, once. A request with the number of one that has no response yet
    /// is ignored.
    Request(RequestId, AppId, Box<Request>),
    /// The next table of the homes of the cluster. All shards get all tables in their order.
    /// Entries of a shard come behind the table that adds its node. A node that a table lacks is
    /// gone for ever, with its sessions; another node may get its number in a later table.
    ///
    /// While shards change to a table ([`Server::served_epoch`](super::Server::served_epoch)), the
    /// only next one is one that lacks a node, in which only the homes that this node had are
    /// others. A node that joins is no home in its first table.
    HomesChanged {
        /// The table.
        table: Box<HomeTable>,
        /// Before this moment, no next home of the table decides: a node that it lacks may still
        /// act. Any moment in the past, such as [`Instant::ORIGIN`], if no node does.
        serve_after: Instant,
    },
}

/// Whether a login is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The login is allowed. `claim` grows with the driver's clock, and orders the logins of one
    /// user (§3.4).
    Accept {
        /// For example microseconds of Unix time.
        claim: u64,
        /// When the credentials were issued, such as the Unix time in a token, in seconds. Only
        /// [`Server::revoke`](super::Server::revoke) uses it.
        issued_at: u32,
    },
    /// The login is refused, with this code.
    Refuse(LoginCode),
}

/// The URL to which a client wants its messages for the app server posted.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// The app of the client.
    pub app_id: AppId,
    /// The URL as the client wrote it: ASCII, and not longer than
    /// [`URL_BYTES_MAX`](crate::limits::URL_BYTES_MAX). Nothing else was checked.
    pub url: Text,
}

/// Does not show the url, which may hold a secret.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("app_id", &self.app_id).finish_non_exhaustive()
    }
}

/// Outputs of a server: tasks for its driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write these bytes, after all earlier ones of the link. They are whole frames, one or more.
    Transmit(LinkId, Bytes),
    /// Write all earlier bytes of the link, then close it. The code is the one of the last frame,
    /// if that was a `Close`.
    Disconnect(LinkId, Option<CloseCode>),
    /// Move this link to another shard of the node, which gets [`Input::HandedOver`]. Bytes that
    /// come later are for that shard. If the link is down already, nothing is moved.
    HandOver(LinkId, ShardId, Box<Opened>),
    /// Give these entries to another shard as [`Input::Peer`], after all earlier ones.
    Peer(ShardId, Vec<Entry>),
    /// The response to [`Input::Request`].
    Respond(RequestId, Box<Response>),
    /// Check these credentials, and answer with [`Input::Verdict`].
    Authenticate(LoginId, Box<Credentials>),
    /// Decide whether messages of this app may be posted to this URL, and answer with
    /// [`Input::TargetChecked`]. Nothing is posted yet.
    CheckTarget(TargetId, Target),
    /// Post this message at most once, and report its progress with [`Input::AppServerReplied`].
    PostToAppServer(CallId, Box<Post>),
    /// Abandon this post, which takes too long. No answer is expected.
    AbandonPost(CallId),
    /// Send this to the app's back end, if the driver can. Only for
    /// [`Config::reported_apps`](super::Config::reported_apps).
    Report(AppId, Report),
    /// Log this, if the driver has a log. Only after
    /// [`Server::take_notice`](super::Server::take_notice).
    Notice(Notice),
    /// Nothing more to do before this moment, unless an input comes. Always the last output.
    Wait(Option<Instant>),
}
