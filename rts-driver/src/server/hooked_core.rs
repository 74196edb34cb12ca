//! A server core with its hooks: all that it asks for is done here, but for what is for links.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rts_proto::server::{Credentials, Input, Notice, Output, Target, Verdict};
use rts_proto::{Instant, LoginCode};
use rts_trace::RecordedServer;

use crate::server::hooks::{Authenticate, PostToAppServer, Watch};
use crate::server::posts::Posts;
use crate::server::user_log::UserLog;

/// A server core, and who answers what it asks. Lives under its shard's lock.
pub(crate) struct HookedCore {
    pub(crate) server: RecordedServer,
    /// When the core wants the next tick.
    pub(crate) deadline: Option<Instant>,
    pub(crate) posts: Posts,
    authenticator: Arc<dyn Authenticate>,
    poster: Arc<dyn PostToAppServer>,
    watcher: Option<Arc<dyn Watch>>,
    /// For the log.
    notices: Vec<Notice>,
}

impl HookedCore {
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

    /// Does what the core asks for, and hands what is for links, [`Output::Transmit`] and
    /// [`Output::Disconnect`], to `link_output`. What that returns is told to the core before it is
    /// asked for more.
    pub(crate) fn drain(
        &mut self,
        now: Instant,
        link_output: &mut impl FnMut(Output) -> Option<Input>,
    ) {
        loop {
            match self.server.poll_output() {
                output @ Output::Transmit(..) => {
                    if let Some(input) = link_output(output) {
                        self.server.handle_input(now, input);
                    }
                }
                Output::Disconnect(id, code) => {
                    tracing::debug!(link = %id, ?code, "closed");
                    link_output(Output::Disconnect(id, code));
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
        link_output: &mut impl FnMut(Output) -> Option<Input>,
    ) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.server.handle_input(now, Input::Tick);
            self.drain(now, link_output);
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

    /// Who makes posts.
    pub(crate) fn poster(&self) -> Arc<dyn PostToAppServer> {
        Arc::clone(&self.poster)
    }
}
