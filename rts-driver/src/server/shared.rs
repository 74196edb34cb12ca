//! The state that a shard's handles, its reactor and its links share: the core behind its lock, and
//! state that needs no lock or has its own.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use event_listener::Event;
use rts_engine::Clock;
use rts_proto::server::{Input, Placement, PostProgress, Request, Server, ShardId};
use rts_proto::wire::ResumeKey;
use rts_proto::{AppId, CallId, Instant, LinkId};

use crate::runtime::Runtime;
use crate::server::arrivals::{Arrival, Arrivals, Arriving, NewLink, ReactorNumber};
use crate::server::asked::Answer;
use crate::server::gate::{Gate, LinkGuard, Openings};
use crate::server::hooked_core::{HookedCore, LinkOutput};
use crate::server::lease::NodeClock;
use crate::server::log::targets::LINKS;
use crate::server::mesh::{Mesh, Outside};
use crate::server::notice_log::NoticeLog;
use crate::server::posts::NewPost;
use crate::server::probes::Probes;
use crate::server::reactor::Held;
use crate::server::ready_queue::ReadyQueue;
use crate::server::until::{until, until_some};

pub(crate) struct Shared<R: Runtime> {
    state: Mutex<State>,
    pub(crate) common: Common,
    pub(crate) placement: Placement,
    /// Links for the reactor.
    pub(crate) arrivals: Arrivals<R, NodeShards<R>>,
    /// Wakes the reactor, also when the shard is gone.
    pub(crate) ready: Arc<ReadyQueue>,
    /// The links of this shard that have not logged in.
    pub(crate) openings: Openings,
    pub(crate) probes: Arc<Probes>,
    /// What comes from other nodes of a cluster.
    pub(crate) outside: Option<Arc<Outside>>,
    node: OnceLock<Weak<Vec<Arc<Self>>>>,
}

/// All shards of a node, in their order.
pub(crate) type NodeShards<R> = Arc<Vec<Arc<Shared<R>>>>;

/// What all shards of a node have in common.
#[derive(Clone)]
pub(crate) struct Common {
    pub(crate) clock: NodeClock,
    pub(crate) gate: Arc<Gate>,
    /// The limit on handshakes, for each reactor.
    pub(crate) handshakes_per_second: Arc<AtomicU32>,
    last_link: Arc<AtomicU64>,
    /// A shard was shut down, has failed or is gone, or a reactor has ended.
    pub(crate) ended: Arc<Event>,
}

impl Common {
    pub(crate) fn new() -> Self {
        Self::with_clock(NodeClock::running(Clock::start()))
    }

    pub(crate) fn with_clock(clock: NodeClock) -> Self {
        Self {
            clock,
            gate: Arc::default(),
            handshakes_per_second: Arc::default(),
            last_link: Arc::default(),
            ended: Arc::new(Event::new()),
        }
    }
}

/// The state under the shard's lock.
pub(crate) struct State {
    pub(crate) core: HookedCore,
    /// Outputs for links that calls from outside caused, and that the reactor has not taken.
    pub(crate) link_outputs: Vec<LinkOutput>,
    is_shut_down: bool,
    /// A call is starting posts, one after the other. A runtime that shuts down ends each post at
    /// once, which causes the next one. This flag prevents a recursion.
    is_starting_posts: bool,
}

impl<R: Runtime> Shared<R> {
    pub(crate) fn new(core: HookedCore, common: Common, outside: Option<Arc<Outside>>) -> Self {
        let placement = core.server.placement();
        let has_peers = placement.count() > 1 || outside.is_some();
        let state =
            State { core, link_outputs: Vec::new(), is_shut_down: false, is_starting_posts: false };
        Self {
            state: Mutex::new(state),
            common,
            placement,
            arrivals: Arrivals::new(!has_peers),
            ready: Arc::default(),
            openings: Openings::default(),
            probes: Arc::default(),
            outside,
            node: OnceLock::new(),
        }
    }

    /// This is one of these shards. There is a mesh if there are several.
    pub(crate) fn join_node(&self, shards: &NodeShards<R>, mesh: Option<Arc<Mesh>>) {
        self.lock().core.join_mesh(mesh);
        self.node.get_or_init(|| Arc::downgrade(shards));
    }

    /// All shards of the node; `None` when it is gone.
    pub(crate) fn node(&self) -> Option<NodeShards<R>> {
        self.node.get()?.upgrade()
    }

    /// A panic under this lock is a bug of the core. Later callers continue with the state that it
    /// left.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present moment, if the node may act.
    pub(crate) fn acting_now(&self) -> Option<Instant> {
        self.common.clock.acting_now()
    }

    /// Whether the node may not act.
    pub(crate) fn is_frozen(&self) -> bool {
        self.common.clock.is_frozen()
    }

    /// Converts the core's deadline to the clock of the system.
    pub(crate) fn to_std(&self, deadline: Instant) -> Option<std::time::Instant> {
        self.common.clock.to_std(deadline)
    }

    /// Calls the core from outside the reactor, and leaves the outputs for links to the reactor.
    ///
    /// A panic goes on to the caller. If there are other shards, it also ends this one: there is no
    /// link to give up for it, and the other shards count on what it leaves undone.
    pub(crate) fn command<T>(
        self: &Arc<Self>,
        command: impl FnOnce(&mut Server, Instant) -> T,
    ) -> T {
        let level = NoticeLog::level();
        let mut state = self.lock();
        let State { core, link_outputs, .. } = &mut *state;
        let now = self.common.clock.now();
        let done = catch_unwind(AssertUnwindSafe(|| {
            core.take_notice(level);
            let returned = command(&mut core.server, now);
            let mut keep = |output| {
                link_outputs.push(output);
                None
            };
            core.drain(now, &mut keep);
            core.end_burst(now, &mut keep);
            returned
        }));
        let returned = match done {
            Ok(returned) => returned,
            Err(panic) => {
                // Under the lock, so that the reactor makes no other call.
                let new_links = core.has_peers().then(|| self.arrivals.fail());
                drop(state);
                drop(new_links);
                self.ready.notify();
                self.common.ended.notify(usize::MAX);
                resume_unwind(panic);
            }
        };
        let has_new_posts = core.has_new_posts();
        drop(state);
        self.ready.notify();
        if has_new_posts {
            self.start_posts();
        }
        returned
    }

    /// Passes on a request. In a cluster it waits for a turn of the shard, which needs a lease.
    pub(crate) fn ask(self: &Arc<Self>, app_id: AppId, request: Request, answer: Answer) {
        let id = self.lock().core.asked.add(answer);
        let input = Input::Request(id, app_id, Box::new(request));
        match &self.outside {
            Some(_) => self.put(input),
            None => self.command(|server, now| server.handle_input(now, input)),
        }
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

    pub(crate) fn post_progressed(self: &Arc<Self>, call: CallId, progress: PostProgress) {
        if progress != PostProgress::Begun {
            self.lock().core.forget_post(call);
        }
        let input = Input::AppServerReplied(call, progress);
        if self.is_frozen() {
            self.put(input);
        } else {
            self.command(|server, now| server.handle_input(now, input));
        }
    }

    /// Leaves an input to the next turn, in a node of a cluster.
    pub(crate) fn put(&self, input: Input) {
        if let Some(outside) = &self.outside
            && outside.put(input)
        {
            self.ready.notify();
        }
    }

    /// Hands an accepted link to the reactor, and wakes the reactor.
    pub(crate) fn add_accepted(
        &self,
        key: ResumeKey,
        peer: SocketAddr,
        link: Arriving<R>,
        mut guard: LinkGuard,
    ) {
        let id = LinkId(self.common.last_link.fetch_add(1, Ordering::Relaxed) + 1);
        tracing::debug!(target: LINKS, address = %peer, link = %id, "link accepted");
        guard.set_opening(self.openings.begin());
        let inputs = vec![Input::Accepted(id, key)];
        let new_link = NewLink { id, peer, link, guard, inputs, held: Held::default() };
        let is_taken = self.arrivals.add_accepted((new_link, self.node()));
        self.wake_for(id, is_taken);
    }

    /// Hands a link over to another shard of the node.
    pub(crate) fn hand_over(&self, shard: ShardId, mut new_link: NewLink<R>) {
        let Some(shards) = self.node() else { return };
        let Some(other) = shards.get(shard.number()).cloned() else { return };
        let id = new_link.id;
        new_link.guard.set_opening(other.openings.begin());
        let is_taken = other.arrivals.add_handed_over((new_link, Some(shards)));
        other.wake_for(id, is_taken);
    }

    /// Wakes the reactor for a new link.
    fn wake_for(&self, link: LinkId, is_taken: bool) {
        if is_taken {
            self.ready.notify();
        } else {
            let shard = self.placement.own().number();
            tracing::debug!(target: LINKS, %link, shard, "link dropped: its shard has ended");
        }
    }

    pub(crate) fn set_shut_down(&self) {
        self.lock().is_shut_down = true;
        self.common.ended.notify(usize::MAX);
    }

    pub(crate) async fn shut_down(&self) {
        until(&self.common.ended, || self.lock().is_shut_down).await;
    }

    /// Waits until one of these shards has ended by a panic. Returns that shard.
    pub(crate) async fn any_failed(shards: &[Arc<Self>]) -> ShardId {
        let failed = || shards.iter().find(|shard| shard.arrivals.has_failed());
        until_some(&shards[0].common.ended, failed).await.placement.own()
    }

    /// Ends this reactor. Another one may follow it.
    pub(crate) fn stop_reactor(&self, number: ReactorNumber) {
        self.arrivals.stop_reactor(number);
        self.ready.notify();
    }

    /// The reactor ends. Returns the links that it had not taken, to be dropped without the lock.
    pub(crate) fn reactor_ended(&self) -> Vec<Arrival<R, NodeShards<R>>> {
        let new_links = self.arrivals.reactor_ended(std::thread::panicking());
        self.common.ended.notify(usize::MAX);
        new_links
    }
}

impl<R: Runtime> Drop for Shared<R> {
    fn drop(&mut self) {
        self.ready.notify();
        self.common.ended.notify(usize::MAX);
    }
}
