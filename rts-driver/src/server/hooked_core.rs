//! A server core with its hooks. It carries out all outputs of the core except those for links.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use rts_proto::server::{
    Credentials, Entry, Input, Notice, NoticeLevel, Opened, Output, Server, ShardId, Target,
    Verdict,
};
use rts_proto::{CallId, Instant, LinkId, LoginCode};

use crate::panics::catch_panic;
use crate::server::asked::Asked;
use crate::server::hooks::{Authenticate, PostToAppServer, Watch};
use crate::server::in_cluster::InCluster;
use crate::server::mesh::Mesh;
use crate::server::posts::{NewPost, Posts};

/// An output of the core for a link. The other outputs are carried out here, so no other code has
/// to handle them, and the queues of outputs stay small.
pub(crate) enum LinkOutput {
    /// Write these bytes, after all earlier ones.
    Transmit(LinkId, Bytes),
    /// Write the bytes that were transmitted before, then close.
    Close(LinkId),
    /// Move the link to another shard.
    HandOver(LinkId, ShardId, Box<Opened>),
}

/// A server core with its hooks. Lives under its shard's lock.
pub(crate) struct HookedCore {
    pub(crate) server: Server,
    /// The moment of the next tick.
    pub(crate) deadline: Option<Instant>,
    posts: Posts,
    authenticator: Arc<dyn Authenticate>,
    poster: Arc<dyn PostToAppServer>,
    watcher: Option<Arc<dyn Watch>>,
    /// Notices for the log.
    notices: Vec<Notice>,
    mesh: Option<Arc<Mesh>>,
    cluster: Option<InCluster>,
    pub(crate) asked: Asked,
    /// The latest shard whose mailbox became full since the last look. The log has few lines about
    /// full mailboxes, and need not name all shards.
    overloaded: Option<ShardId>,
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
            mesh: None,
            cluster: None,
            asked: Asked::default(),
            overloaded: None,
        }
    }

    /// Whether other shards count on what this one does.
    pub(crate) fn has_peers(&self) -> bool {
        self.mesh.is_some() || self.cluster.is_some()
    }

    /// The way to the other nodes of the cluster.
    pub(crate) fn join_cluster(&mut self, cluster: InCluster) {
        self.cluster = Some(cluster);
    }

    /// The mesh between the core and the other shards, if there are others.
    pub(crate) fn join_mesh(&mut self, mesh: Option<Arc<Mesh>>) {
        self.mesh = mesh;
    }

    pub(crate) fn watch(&mut self, watcher: Arc<dyn Watch>) {
        self.watcher = Some(watcher);
    }

    /// Sets the level of notices. Call this before each input, because the level of the log may
    /// change while a shard runs.
    pub(crate) fn take_notice(&mut self, level: NoticeLevel) {
        self.server.take_notice(level);
    }

    /// Carries out the core's outputs, and passes those for links to `apply`. An input that `apply`
    /// returns goes to the core before its next output is taken.
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
                Output::HandOver(id, shard, opened) => {
                    apply(LinkOutput::HandOver(id, shard, opened));
                }
                Output::Peer(to, entries) => self.send(now, to, entries),
                Output::Respond(request, response) => self.asked.respond(request, *response),
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
                        watcher.happened(self.server.placement().own(), app_id, report);
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

    fn send(&mut self, now: Instant, to: ShardId, entries: Vec<Entry>) {
        let own = self.server.placement().own();
        if let Some(cluster) = &self.cluster
            && to.node() != own.node()
        {
            cluster.send(own, to, entries, now);
        } else if let Some(mesh) = &self.mesh
            && mesh.send(own, to, entries)
        {
            self.overloaded = Some(to);
            self.server.handle_input(now, Input::PeerCongested(to, true));
        }
    }

    /// Takes what the other shards sent, up to the bound of a turn. Returns whether there is more.
    pub(crate) fn take_mail(
        &mut self,
        now: Instant,
        into: &mut impl FnMut(Input),
        apply: &mut impl FnMut(LinkOutput) -> Option<Input>,
    ) -> bool {
        let own = self.server.placement().own();
        let next_relieved = |core: &Self| core.mesh.as_ref()?.next_relieved(own);
        while let Some(shard) = next_relieved(self) {
            self.server.handle_input(now, Input::PeerCongested(shard, false));
            self.drain(now, apply);
        }
        let has_more = self.mesh.as_ref().is_some_and(|mesh| mesh.take(own, into));
        self.cluster.as_ref().is_some_and(|cluster| cluster.take(into)) || has_more
    }

    /// Ends the burst: the core does at once what is due at once. A panic is contained, unless
    /// other shards count on what it leaves undone. Then it ends the shard.
    pub(crate) fn end_burst(
        &mut self,
        now: Instant,
        apply: &mut impl FnMut(LinkOutput) -> Option<Input>,
    ) {
        self.do_what_is_due(now, apply);
        if let Some(cluster) = &mut self.cluster {
            cluster.serves(self.server.placement().own(), self.server.served_epoch());
        }
    }

    fn do_what_is_due(
        &mut self,
        now: Instant,
        apply: &mut impl FnMut(LinkOutput) -> Option<Input>,
    ) {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        let has_peers = self.has_peers();
        let mut end = || {
            self.server.handle_input(now, Input::Tick);
            self.drain(now, apply);
        };
        if has_peers {
            end();
        } else {
            catch_panic(end);
        }
    }

    /// The latest shard whose mailbox became full since the last call, for the log.
    pub(crate) fn take_overloaded(&mut self) -> Option<ShardId> {
        self.overloaded.take()
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

    /// The notices since the last call, for the log.
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// The hook that can explain why a token was refused.
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

    /// The hook that makes posts.
    pub(crate) fn poster(&self) -> Arc<dyn PostToAppServer> {
        Arc::clone(&self.poster)
    }
}

#[cfg(test)]
mod tests;
