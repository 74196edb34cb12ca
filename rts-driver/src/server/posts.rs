//! Posts to apps' own servers: which are under way, and the task of each, which the core can stop.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use event_listener::{Event, EventListener};
use futures_lite::future::or;
use rts_proto::CallId;
use rts_proto::server::{Post, PostProgress};

use crate::runtime::Runtime;
use crate::server::hooks::{Begun, PostToAppServer, Posting};

/// The posts that the core asked for and has not heard the end of.
#[derive(Default)]
pub(crate) struct Posts {
    under_way: HashMap<CallId, StopOnDrop>,
    /// To be started when the shard's lock is free.
    new: VecDeque<NewPost>,
}

impl Posts {
    pub(crate) fn add(&mut self, call: CallId, post: Post) {
        let event = Event::new();
        self.new.push_back(NewPost { call, post, stopped: event.listen() });
        self.under_way.insert(call, StopOnDrop(event));
    }

    /// Stops a post, or forgets one that has ended.
    pub(crate) fn remove(&mut self, call: CallId) {
        self.under_way.remove(&call);
    }

    pub(crate) fn has_new(&self) -> bool {
        !self.new.is_empty()
    }

    pub(crate) fn next_new(&mut self) -> Option<NewPost> {
        self.new.pop_front()
    }
}

/// The shard's end of a task: dropping it stops the post.
struct StopOnDrop(Event);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.notify(usize::MAX);
    }
}

/// A post whose task is not started: that happens when the shard's lock is free, since a runtime
/// that is being shut down drops a task at once, and what is dropped tells the shard.
pub(crate) struct NewPost {
    call: CallId,
    post: Post,
    stopped: EventListener,
}

impl NewPost {
    /// `tell` is called with what becomes of the post. However its task ends, also by a panic, the
    /// last call says so.
    pub(crate) fn start<R: Runtime>(
        self,
        poster: &dyn PostToAppServer,
        tell: impl Fn(CallId, PostProgress) + Clone + Send + 'static,
    ) {
        let Self { call, post, stopped } = self;
        let begun = Begun::new({
            let tell = tell.clone();
            move || tell(call, PostProgress::Begun)
        });
        let running = Running { tell, call, outcome: PostProgress::NotReached };
        let posting = catch_unwind(AssertUnwindSafe(|| poster.post(post, begun)));
        if let Ok(posting) = posting
            && R::is_present()
        {
            R::spawn(running.run(posting, stopped));
        }
    }
}

/// Tells the outcome when it is dropped.
struct Running<T: Fn(CallId, PostProgress)> {
    tell: T,
    call: CallId,
    outcome: PostProgress,
}

impl<T: Fn(CallId, PostProgress)> Running<T> {
    async fn run(mut self, posting: Posting, stopped: EventListener) {
        let stopped = async {
            stopped.await;
            PostProgress::NotReached
        };
        self.outcome = or(stopped, posting).await;
    }
}

impl<T: Fn(CallId, PostProgress)> Drop for Running<T> {
    fn drop(&mut self) {
        // During a panic a second one would end the process.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.tell)(self.call, self.outcome.clone())));
    }
}
