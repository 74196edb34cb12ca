//! A shard behind a listener: one task for each link, one for time.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant as StdInstant};

use event_listener::Event;
use foldhash::fast::FixedState;
use futures_lite::future::or;
use rts_engine::Clock;
use rts_proto::server::{Credentials, Input, Output, PostProgress, Report, Stats, Target, Verdict};
use rts_proto::wire::ResumeKey;
use rts_proto::{AppId, CallId, Instant, LinkId, LoginCode, OnlineStatus, UserId};
use rts_stream::Acceptor;
use rts_trace::RecordedServer;

use crate::accept::accept;
use crate::alarm::Alarm;
use crate::link::{Link, Step};
use crate::posts::{Lifeline, NewPost, NoAppServers, PostToAppServer};
use crate::queue::{Ending, Pushed, Queue};
use crate::runtime::Runtime;

/// Links of one shard, if [`Shard::set_links_max`] says nothing else.
const LINKS_MAX: usize = 100_000;

/// Who decides on logins. Called under the shard's lock: it must be quick, and must not wait nor call the shard.
pub trait Authenticate: Send + Sync {
    /// Whether these credentials are good. A panic counts as "cannot check now" (-1003).
    ///
    /// The claim of [`Verdict::Accept`] must be greater than all before, such as microseconds of Unix time.
    fn authenticate(&self, credentials: &Credentials) -> Verdict;
}

/// Who wants to know who comes and goes. Called under the shard's lock: it must be quick, and must not panic, wait nor call
/// the shard.
pub trait Watch: Send + Sync {
    /// Something happened. Calls come in the order in which it did.
    fn happened(&self, app_id: AppId, report: Report);
}

/// A server core with its links. Cheap to clone. Links that are open keep it alive;
/// [`shutdown`](Self::shutdown) ends them.
pub struct Shard<R> {
    inner: Arc<Inner>,
    runtime: PhantomData<fn() -> R>,
}

pub(crate) struct Inner {
    state: Mutex<State>,
    authenticator: Arc<dyn Authenticate>,
    poster: Arc<dyn PostToAppServer>,
    clock: Clock,
    /// The deadline came nearer, or the shard is gone.
    time_changed: Arc<Event>,
    /// The shard was shut down, or no link is left.
    ended: Event,
}

struct State {
    server: RecordedServer,
    /// Links that the core knows.
    queues: HashMap<LinkId, Arc<Queue>, FixedState>,
    /// Tasks of links.
    links: usize,
    links_max: usize,
    last_link: u64,
    is_shut_down: bool,
    deadline: Option<Instant>,
    /// What the task that ticks waits for; `None` when it waits for nothing.
    timer_at: Option<Instant>,
    has_timer: bool,
    /// To be woken when the lock is free.
    touched: Vec<Arc<Queue>>,
    /// Posts under way.
    posts: HashMap<CallId, Lifeline>,
    watcher: Option<Arc<dyn Watch>>,
    /// To be started when the lock is free.
    new_posts: VecDeque<NewPost>,
    /// Somebody starts them, one after the other. A runtime that is being shut down ends each at once, which brings about
    /// the next: that must not nest.
    is_starting_posts: bool,
}

impl<R: Runtime> Shard<R> {
    /// A shard without links, around a core that may be recorded, whose clients cannot send to their app's server: it knows of none.
    #[must_use]
    pub fn new(server: impl Into<RecordedServer>, authenticator: Arc<dyn Authenticate>) -> Self {
        Self::with_poster(server, authenticator, Arc::new(NoAppServers))
    }

    /// A shard without links. `poster` brings what clients send to their app's server there.
    #[must_use]
    pub fn with_poster(
        server: impl Into<RecordedServer>,
        authenticator: Arc<dyn Authenticate>,
        poster: Arc<dyn PostToAppServer>,
    ) -> Self {
        let state = State {
            server: server.into(),
            // The numbers are ours: nobody can choose them to collide.
            queues: HashMap::default(),
            links: 0,
            links_max: LINKS_MAX,
            last_link: 0,
            is_shut_down: false,
            deadline: None,
            timer_at: None,
            has_timer: false,
            touched: Vec::new(),
            posts: HashMap::new(),
            watcher: None,
            new_posts: VecDeque::new(),
            is_starting_posts: false,
        };
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                authenticator,
                poster,
                clock: Clock::start(),
                time_changed: Arc::new(Event::new()),
                ended: Event::new(),
            }),
            runtime: PhantomData,
        }
    }

    /// From now on, tells who comes and goes, of those apps that the core's configuration names.
    pub fn watch(&self, watcher: Arc<dyn Watch>) {
        self.lock().watcher = Some(watcher);
    }

    /// From now on, links beyond so many are closed as soon as they are accepted. Those that are open stay.
    pub fn set_links_max(&self, links_max: usize) {
        self.lock().links_max = links_max;
    }

    /// Accepts links, which speak what `acceptor` says, and serves them until [`shutdown`](Self::shutdown), and then until
    /// all are closed. Dropping the future stops accepting; links that are open go on. There may be several
    /// listeners, of all kinds.
    ///
    /// Handshakes of TLS and WebSocket are part of a link: the core's login deadline and its bound on links that have not
    /// logged in hold for them.
    pub async fn serve(&self, listener: R::Listener, acceptor: Acceptor) {
        self.start_timer();
        or(self.until(|state| state.is_shut_down), self.accept_all(&listener, &acceptor)).await;
        drop(listener);
        self.closed().await;
    }

    /// Closes all links, each with its own wish of when to come back, from zero to `retry_after_max`; makes
    /// [`serve`](Self::serve) return. Each link has a second for what is left to write.
    pub fn shutdown(&self, retry_after_max: Duration) {
        self.lock().is_shut_down = true;
        self.inner.ended.notify(usize::MAX);
        self.with(None, |server, now| server.shutdown(now, retry_after_max));
    }

    /// Waits until no link is left. Cancel safe. Without a [`shutdown`](Self::shutdown) new ones may come.
    pub async fn closed(&self) {
        self.until(|state| state.links == 0).await;
    }

    /// What the shard holds now. Walks over all sessions and rooms.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.lock().server.stats()
    }

    /// Whether a user can be reached.
    #[must_use]
    pub fn online_status(&self, app_id: &AppId, uid: &UserId) -> OnlineStatus {
        let state = self.lock();
        state.server.online_status(self.inner.clock.now(), app_id, uid)
    }

    /// Lets the app's back end do something, such as [`RecordedServer::unicast`]: it is done when this returns. `command` runs
    /// under the shard's lock: it must be quick, and must not wait nor call the shard.
    pub fn command<T>(&self, command: impl FnOnce(&mut RecordedServer, Instant) -> T) -> T {
        self.with(None, command)
    }

    async fn until(&self, is_so: impl Fn(&State) -> bool) {
        loop {
            let ended = self.inner.ended.listen();
            if is_so(&self.lock()) {
                return;
            }
            ended.await;
        }
    }

    async fn accept_all(&self, listener: &R::Listener, acceptor: &Acceptor) {
        loop {
            let (stream, peer) = accept::<R>(listener).await;
            self.start_link(stream, peer, acceptor);
        }
    }

    fn start_link(&self, stream: R::Stream, peer: SocketAddr, acceptor: &Acceptor) {
        let mut key = [0; 16];
        if let Err(error) = getrandom::fill(&mut key) {
            tracing::error!(%error, "no random numbers for a link: it is dropped");
            return;
        }
        let queue = Arc::new(Queue::default());
        let id = {
            let mut state = self.lock();
            if state.links >= state.links_max {
                tracing::debug!(%peer, "too many links: this one is dropped");
                return;
            }
            state.links += 1;
            state.last_link += 1;
            let id = LinkId(state.last_link);
            state.queues.insert(id, Arc::clone(&queue));
            id
        };
        tracing::debug!(link = %id, %peer, "accepted");
        let registered = Registered { shard: self.clone(), id };
        let link = Link::new(stream, acceptor.layers(), queue);
        R::spawn(registered.run(ResumeKey(key), link));
    }

    fn handle(&self, input: Input) {
        self.with(None, |server, now| server.handle_input(now, input));
    }

    /// Lets the core do something, and does what it asks for. `own` is the queue of the link whose task this is,
    /// which looks there anyway.
    fn with<T>(
        &self,
        own: Option<&Arc<Queue>>,
        call: impl FnOnce(&mut RecordedServer, Instant) -> T,
    ) -> T {
        let mut state = self.lock();
        let now = self.inner.clock.now();
        let returned = call(&mut state.server, now);
        self.drain(&mut state, now);
        // The end of a burst: what is due at once is done at once.
        if state.deadline.is_some_and(|deadline| deadline <= now) {
            state.server.handle_input(now, Input::Tick);
            self.drain(&mut state, now);
        }
        let touched = std::mem::take(&mut state.touched);
        let has_new_posts = !state.new_posts.is_empty();
        let is_nearer = match (state.deadline, state.timer_at) {
            (Some(deadline), Some(timer_at)) => deadline < timer_at,
            (Some(_), None) => true,
            (None, _) => false,
        };
        drop(state);
        for queue in touched {
            queue.wake_unless(own);
        }
        if is_nearer {
            self.inner.time_changed.notify(1);
        }
        if has_new_posts {
            self.start_posts();
        }
        returned
    }

    fn start_posts(&self) {
        if std::mem::replace(&mut self.lock().is_starting_posts, true) {
            return;
        }
        while let Some(post) = self.next_new_post() {
            post.start::<R>(Arc::downgrade(&self.inner), &*self.inner.poster);
        }
    }

    /// `None` ends the starting: what comes later is started by whoever brings it about.
    fn next_new_post(&self) -> Option<NewPost> {
        let mut state = self.lock();
        let post = state.new_posts.pop_front();
        state.is_starting_posts = post.is_some();
        post
    }

    fn drain(&self, state: &mut State, now: Instant) {
        loop {
            match state.server.poll_output() {
                Output::Transmit(id, bytes) => {
                    let Some(queue) = state.queues.get(&id) else { continue };
                    match queue.push(bytes) {
                        Pushed::First => state.touched.push(Arc::clone(queue)),
                        Pushed::More => {}
                        Pushed::Overflow => {
                            tracing::debug!(link = %id, "does not keep up: dropped");
                            state.end(id, Ending::Cut);
                            state.server.handle_input(now, Input::Disconnected(id));
                        }
                    }
                }
                Output::Disconnect(id, code) => {
                    tracing::debug!(link = %id, ?code, "closed");
                    state.end(id, Ending::Flush);
                }
                Output::Authenticate(login, credentials) => {
                    let verdict = self.judge(&credentials);
                    state.server.handle_input(now, Input::Verdict(login, verdict));
                }
                Output::CheckTarget(target, asked) => {
                    let is_allowed = self.allows(&asked);
                    state.server.handle_input(now, Input::TargetChecked(target, is_allowed));
                }
                Output::PostToAppServer(call, post) => {
                    let (post, lifeline) = NewPost::new(call, *post);
                    state.new_posts.push_back(post);
                    state.posts.insert(call, lifeline);
                }
                Output::AbandonPost(call) => drop(state.posts.remove(&call)),
                Output::Report(app_id, report) => {
                    if let Some(watcher) = &state.watcher {
                        watcher.happened(app_id, report);
                    }
                }
                Output::Wait(deadline) => {
                    state.deadline = deadline;
                    return;
                }
            }
        }
    }

    fn judge(&self, credentials: &Credentials) -> Verdict {
        let authenticator = &self.inner.authenticator;
        catch_unwind(AssertUnwindSafe(|| authenticator.authenticate(credentials)))
            .unwrap_or(Verdict::Refuse(LoginCode::ServerError))
    }

    fn allows(&self, target: &Target) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.inner.poster.allows(target))).unwrap_or(false)
    }

    pub(crate) fn post_progressed(&self, call: CallId, progress: PostProgress) {
        if progress != PostProgress::Begun {
            self.lock().posts.remove(&call);
        }
        self.handle(Input::AppServerReplied(call, progress));
    }

    pub(crate) fn upgrade(inner: &Weak<Inner>) -> Option<Self> {
        inner.upgrade().map(|inner| Self { inner, runtime: PhantomData })
    }

    fn start_timer(&self) {
        if !std::mem::replace(&mut self.lock().has_timer, true) {
            let timer = Timer { shard: Arc::downgrade(&self.inner), runtime: self.runtime };
            R::spawn(timer.run(Arc::clone(&self.inner.time_changed)));
        }
    }

    /// Ticks if it is time, and returns when it will be.
    fn tick(&self) -> Option<StdInstant> {
        let deadline = self.lock().deadline;
        if deadline.is_some_and(|deadline| deadline <= self.inner.clock.now()) {
            self.handle(Input::Tick);
        }
        let mut state = self.lock();
        state.timer_at = state.deadline;
        self.inner.clock.to_std(state.deadline?)
    }

    /// A panic under this lock is a bug of the core. Others go on with what it left.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> Clone for Shard<R> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), runtime: self.runtime }
    }
}

impl<R> fmt::Debug for Shard<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").finish_non_exhaustive()
    }
}

impl State {
    /// The core does not know this link any more.
    fn end(&mut self, id: LinkId, ending: Ending) {
        if let Some(queue) = self.queues.remove(&id)
            && queue.end(ending) == Pushed::First
        {
            self.touched.push(queue);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.time_changed.notify(1);
    }
}

/// A link that the shard counts. However its task ends, also by a panic, the core is told.
struct Registered<R: Runtime> {
    shard: Shard<R>,
    id: LinkId,
}

impl<R: Runtime> Registered<R> {
    async fn run(self, key: ResumeKey, mut link: Link<R::Stream>) {
        self.shard.handle(Input::Accepted(self.id, key));
        loop {
            match link.step(true).await {
                Step::Received(bytes) => self.shard.with(Some(link.queue()), |server, now| {
                    server.handle_input(now, Input::Received(self.id, bytes));
                }),
                Step::Ending => return finish::<R>(link).await,
                Step::Gone => return,
                Step::Over(error) => {
                    if let Some(error) = error {
                        tracing::debug!(link = %self.id, %error, "given up");
                    }
                    // The core need not wait until the goodbye is said.
                    self.shard.handle(Input::Disconnected(self.id));
                    return finish::<R>(link).await;
                }
            }
        }
    }
}

/// In memory of its own, so that a link that is open does not hold what only its end needs.
fn finish<R: Runtime>(link: Link<R::Stream>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(link.finish::<R>())
}

impl<R: Runtime> Drop for Registered<R> {
    fn drop(&mut self) {
        let Self { shard, id } = self;
        // During a panic a second one would end the process.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            shard.lock().queues.remove(id);
            shard.handle(Input::Disconnected(*id));
        }));
        let is_last = {
            let mut state = shard.lock();
            state.links -= 1;
            state.links == 0
        };
        if is_last {
            shard.inner.ended.notify(usize::MAX);
        }
    }
}

/// The task that ticks. It does not keep the shard alive.
struct Timer<R: Runtime> {
    shard: Weak<Inner>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime> Timer<R> {
    async fn run(self, time_changed: Arc<Event>) {
        let mut alarm = Alarm::<R>::new();
        loop {
            // What changes while the shard ticks must not be missed.
            let changed = time_changed.listen();
            let Some(shard) = self.shard() else { return };
            let deadline = shard.tick();
            drop(shard);
            or(changed, alarm.ring(deadline)).await;
        }
    }

    fn shard(&self) -> Option<Shard<R>> {
        Shard::upgrade(&self.shard)
    }
}

/// Its runtime is gone: the next `serve` needs another.
impl<R: Runtime> Drop for Timer<R> {
    fn drop(&mut self) {
        if let Some(shard) = self.shard() {
            let mut state = shard.lock();
            state.has_timer = false;
            state.timer_at = None;
        }
    }
}
