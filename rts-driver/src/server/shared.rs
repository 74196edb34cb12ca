//! The state that a shard's handles, its reactor and its links share: the core behind its lock, and
//! state that needs no lock or has its own.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use event_listener::Event;
use rts_engine::Clock;
use rts_proto::server::{Input, PostProgress, Server};
use rts_proto::wire::ResumeKey;
use rts_proto::{CallId, Instant, LinkId};

use crate::link::Link;
use crate::runtime::Runtime;
use crate::server::gate::{Gate, LinkGuard};
use crate::server::hooked_core::{HookedCore, LinkOutput};
use crate::server::log::targets::LINKS;
use crate::server::notice_log::NoticeLog;
use crate::server::posts::NewPost;
use crate::server::probes::Probes;
use crate::server::ready_queue::ReadyQueue;
use crate::server::until::until;

pub(crate) struct Shared<R: Runtime> {
    state: Mutex<State<R>>,
    clock: Clock,
    /// Wakes the reactor, also when the shard is gone.
    pub(crate) ready: Arc<ReadyQueue>,
    pub(crate) gate: Arc<Gate>,
    /// The limit on handshakes, for any reactor of this shard.
    pub(crate) handshakes_per_second: Arc<AtomicU32>,
    pub(crate) probes: Arc<Probes>,
    /// The shard was shut down, or its reactor has ended.
    ended: Event,
}

/// The state under the shard's lock.
pub(crate) struct State<R: Runtime> {
    pub(crate) core: HookedCore,
    /// Accepted links that the reactor has not taken.
    pub(crate) new_links: Vec<NewLink<R>>,
    /// Outputs for links that calls from outside caused, and that the reactor has not taken.
    pub(crate) link_outputs: Vec<LinkOutput>,
    has_reactor: bool,
    last_link: u64,
    is_shut_down: bool,
    /// A reactor ended by a panic.
    has_failed: bool,
    /// A call is starting posts, one after the other. A runtime that shuts down ends each post at
    /// once, which causes the next one. This flag prevents a recursion.
    is_starting_posts: bool,
}

/// A link that was accepted.
pub(crate) struct NewLink<R: Runtime> {
    pub(crate) id: LinkId,
    pub(crate) key: ResumeKey,
    pub(crate) peer: SocketAddr,
    pub(crate) link: Link<R::Stream>,
    pub(crate) guard: LinkGuard,
    /// Keeps the shard alive until its reactor has the link.
    _shard: Arc<Shared<R>>,
}

impl<R: Runtime> Shared<R> {
    pub(crate) fn new(core: HookedCore) -> Self {
        let state = State {
            core,
            new_links: Vec::new(),
            link_outputs: Vec::new(),
            has_reactor: false,
            last_link: 0,
            is_shut_down: false,
            has_failed: false,
            is_starting_posts: false,
        };
        Self {
            state: Mutex::new(state),
            clock: Clock::start(),
            ready: Arc::default(),
            gate: Arc::default(),
            handshakes_per_second: Arc::default(),
            probes: Arc::default(),
            ended: Event::new(),
        }
    }

    /// A panic under this lock is a bug of the core. Later callers continue with the state that it
    /// left.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Converts the core's deadline to the clock of the system.
    pub(crate) fn to_std(&self, deadline: Instant) -> Option<std::time::Instant> {
        self.clock.to_std(deadline)
    }

    /// Calls the core from outside the reactor, and leaves the outputs for links to the reactor.
    pub(crate) fn command<T>(
        self: &Arc<Self>,
        command: impl FnOnce(&mut Server, Instant) -> T,
    ) -> T {
        let level = NoticeLog::level();
        let mut state = self.lock();
        let State { core, link_outputs, .. } = &mut *state;
        let now = self.clock.now();
        core.take_notice(level);
        let returned = command(&mut core.server, now);
        let mut keep = |output| {
            link_outputs.push(output);
            None
        };
        core.drain(now, &mut keep);
        core.end_burst(now, &mut keep);
        let has_new_posts = core.has_new_posts();
        drop(state);
        self.ready.notify();
        if has_new_posts {
            self.start_posts();
        }
        returned
    }

    /// Starts the posts that the core asked for. Call this without the lock.
    pub(crate) fn start_posts(self: &Arc<Self>) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.is_starting_posts, true) {
            return;
        }
        let poster = state.core.poster();
        drop(state);
        while let Some(post) = self.next_new_post() {
            let shared = Arc::downgrade(self);
            post.start::<R>(&*poster, move |call, progress| {
                if let Some(shared) = shared.upgrade() {
                    shared.post_progressed(call, progress);
                }
            });
        }
    }

    /// `None` ends the loop of [`start_posts`](Self::start_posts). Later posts are started by the
    /// call that causes them.
    fn next_new_post(&self) -> Option<NewPost> {
        let mut state = self.lock();
        let post = state.core.next_new_post();
        state.is_starting_posts = post.is_some();
        post
    }

    fn post_progressed(self: &Arc<Self>, call: CallId, progress: PostProgress) {
        if progress != PostProgress::Begun {
            self.lock().core.forget_post(call);
        }
        self.command(|server, now| {
            server.handle_input(now, Input::AppServerReplied(call, progress));
        });
    }

    /// Hands a link to the reactor, and wakes the reactor.
    pub(crate) fn add_link(
        self: &Arc<Self>,
        key: ResumeKey,
        peer: SocketAddr,
        link: Link<R::Stream>,
        guard: LinkGuard,
    ) {
        let _shard = Arc::clone(self);
        let mut state = self.lock();
        state.last_link += 1;
        let id = LinkId(state.last_link);
        state.new_links.push(NewLink { id, key, peer, link, guard, _shard });
        drop(state);
        tracing::debug!(target: LINKS, address = %peer, link = %id, "link accepted");
        self.ready.notify();
    }

    pub(crate) fn set_shut_down(&self) {
        self.lock().is_shut_down = true;
        self.ended.notify(usize::MAX);
    }

    pub(crate) async fn shut_down(&self) {
        until(&self.ended, || self.lock().is_shut_down).await;
    }

    pub(crate) async fn failed(&self) {
        until(&self.ended, || self.lock().has_failed).await;
    }

    /// Returns true if there was no reactor. The caller then makes one.
    pub(crate) fn claim_reactor(&self) -> bool {
        !std::mem::replace(&mut self.lock().has_reactor, true)
    }

    /// The reactor ends. Returns the links that it had not taken, to be dropped without the lock.
    pub(crate) fn reactor_ended(&self) -> Vec<NewLink<R>> {
        let mut state = self.lock();
        state.has_reactor = false;
        state.has_failed |= std::thread::panicking();
        let new_links = std::mem::take(&mut state.new_links);
        drop(state);
        self.ended.notify(usize::MAX);
        new_links
    }
}

impl<R: Runtime> Drop for Shared<R> {
    fn drop(&mut self) {
        self.ready.notify();
    }
}
