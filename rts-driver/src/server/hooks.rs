//! What a shard asks of the program that embeds it: who may log in, who wants to know of users, and
//! who speaks to apps' own servers.

use std::fmt;
use std::pin::Pin;

use rts_proto::AppId;
use rts_proto::server::{Credentials, Post, PostProgress, Report, Target, Verdict};

/// Decides on logins. Called under the shard's lock: it must be quick, and must not wait nor call
/// the shard.
pub trait Authenticate: Send + Sync {
    /// Whether these credentials are good. A panic counts as "cannot check now" (-1003).
    ///
    /// The claim of [`Verdict::Accept`] must be greater than all before, such as microseconds of
    /// Unix time.
    fn authenticate(&self, credentials: &Credentials) -> Verdict;

    /// Why it refused these, for the log: no token nor key may be in it. Called some time later,
    /// without the lock, and only when the line is written, so it may take longer. A panic counts
    /// as nothing to say.
    fn explain(&self, credentials: &Credentials) -> String {
        let _ = credentials;
        String::new()
    }
}

/// Is told who comes and goes. Called under the shard's lock: it must be quick, and must not panic,
/// wait nor call the shard.
pub trait Watch: Send + Sync {
    /// Something happened. Calls come in the order in which it did.
    fn happened(&self, app_id: AppId, report: Report);
}

/// Speaks to apps' own servers.
pub trait PostToAppServer: Send + Sync {
    /// Whether messages of this app may be posted there. Called under the shard's lock: it must be
    /// quick, and must not wait nor call the shard. A panic counts as no.
    fn allows(&self, target: &Target) -> bool;

    /// Posts this, at most once, and says what became of it. The returned future runs in a task of
    /// its own, and is dropped when the shard has no more time for it. A panic counts as not
    /// reached.
    fn post(&self, post: Post, begun: Begun) -> Posting;
}

/// A post under way.
pub type Posting = Pin<Box<dyn Future<Output = PostProgress> + Send>>;

/// Tells the shard that the app's server has begun to answer.
pub struct Begun(Box<dyn FnOnce() + Send>);

impl Begun {
    /// `tell` is called when the status line has come.
    pub fn new(tell: impl FnOnce() + Send + 'static) -> Self {
        Self(Box::new(tell))
    }

    /// The status line has come.
    pub fn tell(self) {
        (self.0)();
    }
}

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").finish_non_exhaustive()
    }
}

/// For shards that know of no app's server.
pub(crate) struct NoAppServers;

impl PostToAppServer for NoAppServers {
    fn allows(&self, _: &Target) -> bool {
        false
    }

    fn post(&self, _: Post, _: Begun) -> Posting {
        Box::pin(std::future::ready(PostProgress::NotReached))
    }
}
