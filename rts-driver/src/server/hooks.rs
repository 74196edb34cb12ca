//! The hooks of a node's shards, through which they ask the embedder: who may log in, where reports
//! of users go, how to post to app servers, and how to reach the other nodes of a cluster.

use std::fmt;
use std::pin::Pin;

use rts_proto::server::{Credentials, Entry, Post, PostProgress, Report, ShardId, Target, Verdict};
use rts_proto::{AppId, Instant};

/// Decides on logins. Called under the lock of a shard: it must be quick, and must not block or
/// call the node. Several shards call at the same time.
pub trait Authenticate: Send + Sync {
    /// Judges these credentials. A panic counts as "cannot check now" (-1003).
    ///
    /// The claim of [`Verdict::Accept`] must be greater than all claims before, such as the
    /// microseconds of Unix time.
    fn authenticate(&self, credentials: &Credentials) -> Verdict;

    /// Explains a refusal for the log. The text must not contain a token or key.
    ///
    /// This is called later, without the lock, and only when the line is written, so it may take
    /// longer. After a panic the log has no reason.
    fn explain(&self, credentials: &Credentials) -> String {
        let _ = credentials;
        String::new()
    }
}

/// Gets reports about users and rooms: those about a user from the user's shard, and those about a
/// room from the room's. Called under the shard's lock: it must be quick, and must not panic, block
/// or call the node.
pub trait Watch: Send + Sync {
    /// Gets one report of this shard. The calls of a shard come in the order of its events. Several
    /// shards call at the same time.
    fn happened(&self, from: ShardId, app_id: AppId, report: Report);
}

/// Posts to app servers.
pub trait PostToAppServer: Send + Sync {
    /// Whether messages of this app may be posted to the target. Called under the shard's lock: it
    /// must be quick, and must not block or call the node. A panic counts as false.
    fn allows(&self, target: &Target) -> bool;

    /// Posts this, at most once, and returns the outcome. The returned future runs in a task of its
    /// own, and is dropped when the shard gives it no more time. A panic counts as
    /// [`PostProgress::NotReached`].
    fn post(&self, post: Post, begun: Begun) -> Posting;
}

/// Carries entries to the other nodes of a cluster. Called under the lock of a shard: it must be
/// quick, and must not panic, block or call the node. Several shards call at the same time.
pub trait SendToNodes: Send + Sync {
    /// Sends entries of a shard of this node to a shard of another one, behind all earlier ones of
    /// the same two shards. `now` is the moment of the shard's clock, for the times in entries.
    fn send(&self, from: ShardId, to: ShardId, entries: Vec<Entry>, now: Instant);

    /// All shards of this node decide about their names by the table of homes of this epoch
    /// ([`Server::served_epoch`](rts_proto::server::Server::served_epoch)). The epochs rise.
    fn all_serve(&self, epoch: u64);
}

/// A post in progress.
pub type Posting = Pin<Box<dyn Future<Output = PostProgress> + Send>>;

/// Reports to the shard that the app server has begun to answer.
pub struct Begun(Box<dyn FnOnce() + Send>);

impl Begun {
    /// `report` is called when the status line has arrived.
    pub fn new(report: impl FnOnce() + Send + 'static) -> Self {
        Self(Box::new(report))
    }

    /// Reports that the status line has arrived.
    pub fn report(self) {
        (self.0)();
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").finish_non_exhaustive()
    }
}

/// The hook of shards without app servers.
pub(crate) struct NoAppServers;

impl PostToAppServer for NoAppServers {
    fn allows(&self, _: &Target) -> bool {
        false
    }

    fn post(&self, _: Post, _: Begun) -> Posting {
        Box::pin(std::future::ready(PostProgress::NotReached))
    }
}
