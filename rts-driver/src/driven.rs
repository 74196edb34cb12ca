//! A server core that is driven: what it asks for is done, but for what is for links.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use rts_proto::server::{Credentials, Input, Notice, Output, Report, Target, Verdict};
use rts_proto::{AppId, CallId, Instant, LinkId, LoginCode};
use rts_trace::RecordedServer;

use crate::posts::{Lifeline, NewPost, PostToAppServer};
use crate::user_log::UserLog;

/// Who decides on logins. Called under the shard's lock: it must be quick, and must not wait nor
/// call the shard.
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

/// Who wants to know who comes and goes. Called under the shard's lock: it must be quick, and must
/// not panic, wait nor call the shard.
pub trait Watch: Send + Sync {
    /// Something happened. Calls come in the order in which it did.
    fn happened(&self, app_id: AppId, report: Report);
}

/// What the core wants of a link.
pub(crate) enum Order {
    Transmit(LinkId, Bytes),
    /// Close it when everything is written.
    Close(LinkId),
    /// Close it now.
    Cut(LinkId),
}

/// Lives under its shard's lock.
pub(crate) struct Driven {
    pub(crate) server: RecordedServer,
    /// What the core asks to be done when no input is left that it can take in.
    pub(crate) deadline: Option<Instant>,
    authenticator: Arc<dyn Authenticate>,
    poster: Arc<dyn PostToAppServer>,
    watcher: Option<Arc<dyn Watch>>,
    /// For the log.
    notices: Vec<Notice>,
    /// Under way.
    posts: HashMap<CallId, Lifeline>,
    /// To be started when the lock is free.
    new_posts: VecDeque<NewPost>,
}

impl Driven {
    pub(crate) fn new(
        mut server: RecordedServer,
        authenticator: Arc<dyn Authenticate>,
        poster: Arc<dyn PostToAppServer>,
    ) -> Self {
        if UserLog::is_wanted() {
            server.take_notice();
        }
        Self {
            server,
            deadline: None,
            authenticator,
            poster,
            watcher: None,
            notices: Vec::new(),
            posts: HashMap::new(),
            new_posts: VecDeque::new(),
        }
    }

    pub(crate) fn watch(&mut self, watcher: Arc<dyn Watch>) {
        self.watcher = Some(watcher);
    }

    /// Does what the core asks for, and leaves to `order` what is for links. It may have something
    /// to say about that, which the core hears before it asks for more.
    pub(crate) fn drain(&mut self, now: Instant, order: &mut impl FnMut(Order) -> Option<Input>) {
        loop {
            match self.server.poll_output() {
                Output::Transmit(id, bytes) => {
                    if let Some(input) = order(Order::Transmit(id, bytes)) {
                        self.server.handle_input(now, input);
                    }
                }
                Output::Disconnect(id, code) => {
                    tracing::debug!(link = %id, ?code, "closed");
                    order(Order::Close(id));
                }
                Output::Authenticate(login, credentials) => {
                    let verdict = self.judge(&credentials);
                    self.server.handle_input(now, Input::Verdict(login, verdict));
                }
                Output::CheckTarget(target, asked) => {
                    let is_allowed = self.allows(&asked);
                    self.server.handle_input(now, Input::TargetChecked(target, is_allowed));
                }
                Output::PostToAppServer(call, post) => {
                    let (post, lifeline) = NewPost::new(call, *post);
                    self.new_posts.push_back(post);
                    self.posts.insert(call, lifeline);
                }
                Output::AbandonPost(call) => drop(self.posts.remove(&call)),
                Output::Report(app_id, report) => {
                    if let Some(watcher) = &self.watcher {
                        watcher.happened(app_id, report);
                    }
                }
                Output::Notice(notice) => self.notices.push(notice),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    /// The end of a burst: what is due at once is done at once.
    pub(crate) fn end_burst(
        &mut self,
        now: Instant,
        order: &mut impl FnMut(Order) -> Option<Input>,
    ) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.server.handle_input(now, Input::Tick);
            self.drain(now, order);
        }
    }

    /// What the log is to say, since this was asked last.
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// Who can say what was wrong with a token.
    pub(crate) fn authenticator(&self) -> Arc<dyn Authenticate> {
        Arc::clone(&self.authenticator)
    }

    fn judge(&self, credentials: &Credentials) -> Verdict {
        catch_unwind(AssertUnwindSafe(|| self.authenticator.authenticate(credentials)))
            .unwrap_or(Verdict::Refuse(LoginCode::ServerError))
    }

    fn allows(&self, target: &Target) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.poster.allows(target))).unwrap_or(false)
    }

    pub(crate) fn has_new_posts(&self) -> bool {
        !self.new_posts.is_empty()
    }

    pub(crate) fn next_new_post(&mut self) -> Option<NewPost> {
        self.new_posts.pop_front()
    }

    /// Who starts them.
    pub(crate) fn poster(&self) -> Arc<dyn PostToAppServer> {
        Arc::clone(&self.poster)
    }

    pub(crate) fn post_ended(&mut self, call: CallId) {
        self.posts.remove(&call);
    }
}
