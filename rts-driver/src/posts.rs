//! Posts to apps' own servers: one task each, which the shard can stop.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Weak;

use event_listener::{Event, EventListener};
use futures_lite::future::or;
use rts_proto::CallId;
use rts_proto::server::{Post, PostProgress, Target};

use crate::runtime::Runtime;
use crate::shard::{Inner, Shard};

/// Who speaks to apps' own servers.
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

/// To be told that the app's server has begun to answer.
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

/// The shard's end of a task: dropping it stops the post.
pub(crate) struct Lifeline(Event);

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.0.notify(usize::MAX);
    }
}

/// A post that the core asked for, and whose task is not started: that happens when the shard's
/// lock is free, since a runtime that is being shut down drops a task at once, and what is dropped
/// tells the shard.
pub(crate) struct NewPost {
    call: CallId,
    post: Post,
    stopped: EventListener,
}

impl NewPost {
    pub(crate) fn new(call: CallId, post: Post) -> (Self, Lifeline) {
        let event = Event::new();
        (Self { call, post, stopped: event.listen() }, Lifeline(event))
    }

    pub(crate) fn start<R: Runtime>(self, shard: Weak<Inner<R>>, poster: &dyn PostToAppServer) {
        let Self { call, post, stopped } = self;
        let begun = Begun::new({
            let shard = shard.clone();
            move || tell(&shard, call, PostProgress::Begun)
        });
        let running = Running { shard, call, outcome: PostProgress::NotReached };
        let posting = catch_unwind(AssertUnwindSafe(|| poster.post(post, begun)));
        if let Ok(posting) = posting
            && R::is_present()
        {
            R::spawn(running.run(posting, stopped));
        }
    }
}

/// However its task ends, also by a panic, the core is told.
struct Running<R: Runtime> {
    shard: Weak<Inner<R>>,
    call: CallId,
    outcome: PostProgress,
}

impl<R: Runtime> Running<R> {
    async fn run(mut self, posting: Posting, stopped: EventListener) {
        let stopped = async {
            stopped.await;
            PostProgress::NotReached
        };
        self.outcome = or(stopped, posting).await;
    }
}

impl<R: Runtime> Drop for Running<R> {
    fn drop(&mut self) {
        // During a panic a second one would end the process.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            tell(&self.shard, self.call, self.outcome.clone());
        }));
    }
}

fn tell<R: Runtime>(shard: &Weak<Inner<R>>, call: CallId, progress: PostProgress) {
    if let Some(shard) = Shard::upgrade(shard) {
        shard.post_progressed(call, progress);
    }
}
