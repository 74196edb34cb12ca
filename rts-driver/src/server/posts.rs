//! Posts to app servers: the posts in progress, and a task for each, which the core can stop.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use event_listener::{Event, EventListener};
use futures_lite::future::or;
use rts_proto::CallId;
use rts_proto::server::{Post, PostProgress};

use crate::runtime::Runtime;
use crate::server::hooks::{Begun, PostToAppServer, Posting};

/// The posts that the core asked for and that have not ended.
#[derive(Default)]
pub(crate) struct Posts {
    under_way: HashMap<CallId, StopOnDrop>,
    /// Posts to start when the shard's lock is free.
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

/// The shard's end of a task. Dropping it stops the post.
struct StopOnDrop(Event);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.notify(usize::MAX);
    }
}

/// A post whose task is not started. It is started when the shard's lock is free: a runtime that
/// shuts down drops the task at once, and the dropped task calls the shard.
pub(crate) struct NewPost {
    call: CallId,
    post: Post,
    stopped: EventListener,
}

impl NewPost {
    /// Starts the task. `report` is called with the progress of the post. The last call reports its
    /// end, however the task ends, also after a panic.
    pub(crate) fn start<R: Runtime>(
        self,
        poster: &dyn PostToAppServer,
        report: impl Fn(CallId, PostProgress) + Clone + Send + 'static,
    ) {
        let Self { call, post, stopped } = self;
        let begun = Begun::new({
            let report = report.clone();
            move || report(call, PostProgress::Begun)
        });
        let running = Running { report, call, outcome: PostProgress::NotReached };
        let posting = catch_unwind(AssertUnwindSafe(|| poster.post(post, begun)));
        if let Ok(posting) = posting
            && R::is_present()
        {
            R::spawn(running.run(posting, stopped));
        }
    }
}

/// Reports the outcome when it is dropped.
struct Running<T: Fn(CallId, PostProgress)> {
    report: T,
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
        // A second panic during a panic would end the process.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.report)(self.call, self.outcome.clone())));
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::mpsc::channel;
    use std::task::{Context, Waker};

    use rts_proto::server::Target;
    use rts_proto::{MessageId, Payload, ServerParams};

    use super::*;
    use crate::testing::Still;

    const CALL: CallId = CallId(1);

    /// A hook whose posts never end, or panic.
    struct Poster {
        panics: bool,
    }

    impl PostToAppServer for Poster {
        fn allows(&self, _: &Target) -> bool {
            true
        }

        fn post(&self, _: Post, begun: Begun) -> Posting {
            assert!(!self.panics, "on purpose");
            begun.report();
            Box::pin(std::future::pending())
        }
    }

    fn posts() -> Posts {
        let mut posts = Posts::default();
        let post = Post {
            app_id: "123456781234567812345678".parse().expect("well formed"),
            uid: "alice".parse().expect("well formed"),
            id: MessageId(1),
            params: ServerParams::new(b"signature", b"https://app.example/").expect("good"),
            payload: Payload::text("hi"),
        };
        posts.add(CALL, post);
        posts
    }

    /// The reports about a post that is started where no task can run.
    fn reports_of(panics: bool) -> Vec<(CallId, PostProgress)> {
        let (sender, receiver) = channel();
        let post = posts().next_new().expect("it was added");
        post.start::<Still>(&Poster { panics }, move |call, progress| {
            sender.send((call, progress)).expect("the test waits");
        });
        receiver.into_iter().collect()
    }

    #[test]
    fn post_without_a_task_is_not_reached() {
        let expected = [PostProgress::Begun, PostProgress::NotReached];
        assert_eq!(reports_of(false), expected.map(|progress| (CALL, progress)));
    }

    #[test]
    fn post_whose_poster_panics_is_not_reached() {
        assert_eq!(reports_of(true), [(CALL, PostProgress::NotReached)]);
    }

    #[test]
    fn removed_post_is_stopped() {
        let mut posts = posts();
        let mut post = posts.next_new().expect("it was added");
        assert!(!posts.has_new());
        let mut context = Context::from_waker(Waker::noop());
        let mut is_stopped = || Pin::new(&mut post.stopped).poll(&mut context).is_ready();
        assert!(!is_stopped());
        posts.remove(CALL);
        assert!(is_stopped());
    }
}
