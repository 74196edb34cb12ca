//! A server core with its hooks: all that it asks for is done here, but for what is for links.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use rts_proto::server::{Credentials, Input, Notice, NoticeLevel, Output, Server, Target, Verdict};
use rts_proto::{CallId, Instant, LinkId, LoginCode};

use crate::server::hooks::{Authenticate, PostToAppServer, Watch};
use crate::server::posts::{NewPost, Posts};

/// What the core wants of a link. Everything else that it asks for is done here, so nobody beyond
/// has to say what becomes of it, and what waits in a queue is small.
pub(crate) enum LinkOutput {
    /// Write these bytes, after all earlier ones.
    Transmit(LinkId, Bytes),
    /// Write what was transmitted before, then close.
    Close(LinkId),
}

/// A server core, and who answers what it asks. Lives under its shard's lock.
pub(crate) struct HookedCore {
    pub(crate) server: Server,
    /// When the core wants the next tick.
    pub(crate) deadline: Option<Instant>,
    posts: Posts,
    authenticator: Arc<dyn Authenticate>,
    poster: Arc<dyn PostToAppServer>,
    watcher: Option<Arc<dyn Watch>>,
    /// For the log.
    notices: Vec<Notice>,
}

impl HookedCore {
    pub(crate) fn new(
        server: Server,
        authenticator: Arc<dyn Authenticate>,
        poster: Arc<dyn PostToAppServer>,
    ) -> Self {
        Self {
            server,
            deadline: None,
            posts: Posts::default(),
            authenticator,
            poster,
            watcher: None,
            notices: Vec::new(),
        }
    }

    pub(crate) fn watch(&mut self, watcher: Arc<dyn Watch>) {
        self.watcher = Some(watcher);
    }

    /// Before input is taken in: what the log wants may change while a shard runs.
    pub(crate) fn take_notice(&mut self, level: NoticeLevel) {
        self.server.take_notice(level);
    }

    /// Does what the core asks for, and hands what is for links to `apply`. What that returns is
    /// told to the core before it is asked for more.
    pub(crate) fn drain(
        &mut self,
        now: Instant,
        apply: &mut impl FnMut(LinkOutput) -> Option<Input>,
    ) {
        loop {
            match self.server.poll_output() {
                Output::Transmit(id, bytes) => {
                    if let Some(input) = apply(LinkOutput::Transmit(id, bytes)) {
                        self.server.handle_input(now, input);
                    }
                }
                Output::Disconnect(id, _) => {
                    apply(LinkOutput::Close(id));
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
                    self.posts.add(call, *post);
                }
                Output::AbandonPost(call) => self.posts.remove(call),
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
        apply: &mut impl FnMut(LinkOutput) -> Option<Input>,
    ) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.server.handle_input(now, Input::Tick);
            self.drain(now, apply);
        }
    }

    /// Whether the core asked for posts that are not started.
    pub(crate) fn has_new_posts(&self) -> bool {
        self.posts.has_new()
    }

    pub(crate) fn next_new_post(&mut self) -> Option<NewPost> {
        self.posts.next_new()
    }

    /// A post has ended.
    pub(crate) fn forget_post(&mut self, call: CallId) {
        self.posts.remove(call);
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

    /// Who makes posts.
    pub(crate) fn poster(&self) -> Arc<dyn PostToAppServer> {
        Arc::clone(&self.poster)
    }
}
