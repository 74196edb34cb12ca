//! A shard: a server core behind a lock, and what is asked of it from outside. Its links are its
//! [`Reactor`]'s.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use event_listener::Event;
use futures_lite::future::or;
use rts_engine::Clock;
use rts_proto::server::{Input, PostProgress, Stats};
use rts_proto::wire::ResumeKey;
use rts_proto::{AppId, CallId, Instant, LinkId, OnlineStatus, UserId};
use rts_stream::Acceptor;
use rts_trace::RecordedServer;

use crate::accept::accept;
use crate::bell::Bell;
use crate::driven::{Authenticate, Driven, Order, Watch};
use crate::handshakes::Lane;
use crate::link::Link;
use crate::places::{LinkBounds, Place, Places};
use crate::posts::{NewPost, NoAppServers, PostToAppServer};
use crate::probes::{Expected, Probes};
use crate::reactor::Reactor;
use crate::runtime::{Runtime, Stream as _};
use crate::seldom::Seldom;

/// Links that are accepted before others get their turn: whoever only connects must not keep
/// messages waiting.
const ACCEPTED_AT_ONCE: usize = 8;

/// A server core with its links. Cheap to clone. Links that are open keep it alive;
/// [`shutdown`](Self::shutdown) ends them.
pub struct Shard<R: Runtime> {
    inner: Arc<Inner<R>>,
}

pub(crate) struct Inner<R: Runtime> {
    state: Mutex<State<R>>,
    clock: Clock,
    /// Wakes the reactor; also when the shard is gone.
    pub(crate) bell: Arc<Bell>,
    /// Of links that are not closed.
    places: Mutex<Places>,
    /// Of [`LinkBounds`], for the handshakes of whichever reactor there is.
    pub(crate) handshakes_per_second: Arc<AtomicU32>,
    probes: Arc<Probes>,
    /// The shard was shut down, or no link is left, or its reactor has ended.
    ended: Event,
}

pub(crate) struct State<R: Runtime> {
    pub(crate) driven: Driven,
    /// Accepted, and not seen by the reactor.
    pub(crate) arrivals: Vec<Arrival<R>>,
    /// What calls from outside brought about for links, and the reactor has not seen.
    pub(crate) orders: Vec<Order>,
    pub(crate) has_reactor: bool,
    last_link: u64,
    is_shut_down: bool,
    /// A reactor ended by a panic.
    pub(crate) has_failed: bool,
    /// Somebody starts posts, one after the other. A runtime that is being shut down ends each at
    /// once, which brings about the next: that must not nest.
    is_starting_posts: bool,
}

/// A link that was accepted.
pub(crate) struct Arrival<R: Runtime> {
    pub(crate) id: LinkId,
    pub(crate) key: ResumeKey,
    pub(crate) peer: SocketAddr,
    pub(crate) link: Link<R::Stream>,
    pub(crate) counted: Counted<R>,
}

impl<R: Runtime> Shard<R> {
    /// A shard without links, around a core that may be recorded, whose clients cannot send to
    /// their app's server: it knows of none.
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
            driven: Driven::new(server.into(), authenticator, poster),
            arrivals: Vec::new(),
            orders: Vec::new(),
            has_reactor: false,
            last_link: 0,
            is_shut_down: false,
            has_failed: false,
            is_starting_posts: false,
        };
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(state),
                clock: Clock::start(),
                bell: Arc::default(),
                places: Mutex::default(),
                handshakes_per_second: Arc::default(),
                probes: Arc::default(),
                ended: Event::new(),
            }),
        }
    }

    /// From now on, tells who comes and goes, of those apps that the core's configuration names.
    pub fn watch(&self, watcher: Arc<dyn Watch>) {
        self.lock().driven.watch(watcher);
    }

    /// From now on, links beyond these bounds are closed as soon as they are accepted. Those that
    /// are open stay.
    pub fn set_link_bounds(&self, bounds: LinkBounds) {
        let per_second = &self.inner.handshakes_per_second;
        per_second.store(bounds.handshakes_per_second, Ordering::Relaxed);
        self.inner.places().set_bounds(bounds);
    }

    /// Accepts links, which speak what `acceptor` says, and serves them until
    /// [`shutdown`](Self::shutdown), and then until all are closed. Dropping the future stops
    /// accepting; links that are open go on. There may be several listeners, of all kinds.
    ///
    /// Handshakes of TLS and WebSocket are part of a link: the core's login deadline and its bound
    /// on links that have not logged in hold for them.
    pub async fn serve(&self, listener: R::Listener, acceptor: Acceptor) {
        self.start_reactor();
        or(self.until(|| self.lock().is_shut_down), self.accept_all(&listener, &acceptor)).await;
        drop(listener);
        self.closed().await;
    }

    /// Closes all links, each with its own wish of when to come back, from zero to
    /// `retry_after_max`; makes [`serve`](Self::serve) return. Each link has a second for what is
    /// left to write.
    pub fn shutdown(&self, retry_after_max: Duration) {
        self.lock().is_shut_down = true;
        self.inner.ended.notify(usize::MAX);
        self.command(|server, now| server.shutdown(now, retry_after_max));
    }

    /// Waits until no link is left. Cancel safe. Without a [`shutdown`](Self::shutdown) new ones
    /// may come.
    pub async fn closed(&self) {
        self.until(|| self.inner.places().is_empty()).await;
    }

    /// Ready when the task of all links has ended by a panic, which is a bug. Its links are gone,
    /// and the next that is accepted begins a new task; a server that would rather end learns it
    /// here. Cancel safe.
    pub async fn failed(&self) {
        self.until(|| self.lock().has_failed).await;
    }

    /// Waits until the task of all links has made a turn, which means that messages are carried: for
    /// one who wants to know whether it hangs. Without a [`serve`](Self::serve) there is no such
    /// task. Cancel safe.
    pub async fn turned(&self) {
        let turned = self.inner.probes.next_turn();
        self.inner.bell.ring();
        turned.await;
    }

    /// The next connection from this address is closed as soon as it is accepted: it takes no place
    /// and waits for nobody. So a program can connect to its own listeners to see whether they
    /// accept.
    pub fn expect(&self, from: SocketAddr) -> Expected {
        self.inner.probes.expect(from)
    }

    /// What the shard holds now. Walks over all sessions and rooms.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.lock().driven.server.stats()
    }

    /// Whether a user can be reached.
    #[must_use]
    pub fn online_status(&self, app_id: &AppId, uid: &UserId) -> OnlineStatus {
        let state = self.lock();
        state.driven.server.online_status(self.inner.clock.now(), app_id, uid)
    }

    /// Lets the app's back end do something, such as [`RecordedServer::unicast`]: it is done when
    /// this returns. `command` runs under the shard's lock: it must be quick, and must not wait nor
    /// call the shard.
    pub fn command<T>(&self, command: impl FnOnce(&mut RecordedServer, Instant) -> T) -> T {
        let mut state = self.lock();
        let State { driven, orders, .. } = &mut *state;
        let now = self.inner.clock.now();
        let returned = command(&mut driven.server, now);
        let mut keep = |order| {
            orders.push(order);
            None
        };
        driven.drain(now, &mut keep);
        driven.end_burst(now, &mut keep);
        let has_new_posts = driven.has_new_posts();
        drop(state);
        self.inner.bell.ring();
        if has_new_posts {
            self.start_posts();
        }
        returned
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let ended = self.inner.ended.listen();
            if is_so() {
                return;
            }
            ended.await;
        }
    }

    async fn accept_all(&self, listener: &R::Listener, acceptor: &Acceptor) {
        let mut trouble = Seldom::default();
        loop {
            for _ in 0..ACCEPTED_AT_ONCE {
                let (stream, peer) = accept::<R>(listener, &mut trouble).await;
                self.link_accepted(stream, peer, acceptor);
            }
            R::yield_now().await;
        }
    }

    fn link_accepted(&self, stream: R::Stream, peer: SocketAddr, acceptor: &Acceptor) {
        if self.inner.probes.has_come(peer) {
            return;
        }
        let mut key = [0; 16];
        if let Err(error) = getrandom::fill(&mut key) {
            tracing::error!(%error, "no random numbers for a link: it is dropped");
            return;
        }
        let Some(counted) = Counted::new(&self.inner, peer, stream.descriptor()) else { return };
        let link = Link::new(stream, acceptor.layers());
        let mut state = self.lock();
        state.last_link += 1;
        let id = LinkId(state.last_link);
        tracing::debug!(link = %id, %peer, "accepted");
        state.arrivals.push(Arrival { id, key: ResumeKey(key), peer, link, counted });
        drop(state);
        self.inner.bell.ring();
        // The runtime that had the reactor may have ended, and this is another.
        self.start_reactor();
    }

    fn start_reactor(&self) {
        if !std::mem::replace(&mut self.lock().has_reactor, true) {
            let reactor = Reactor::new(&self.inner);
            R::spawn(reactor.run());
        }
    }

    /// Its reactor ends; what was accepted and not seen by it is given back, to be dropped without
    /// the lock.
    pub(crate) fn reactor_ended(&self) -> Vec<Arrival<R>> {
        let mut state = self.lock();
        state.has_reactor = false;
        state.has_failed |= std::thread::panicking();
        let arrivals = std::mem::take(&mut state.arrivals);
        drop(state);
        self.inner.ended.notify(usize::MAX);
        arrivals
    }

    pub(crate) fn turn_is_made(&self) {
        self.inner.probes.turn_is_made();
    }

    pub(crate) fn now(&self) -> Instant {
        self.inner.clock.now()
    }

    /// The core's deadline on the clock of the system.
    pub(crate) fn to_std(&self, deadline: Instant) -> Option<std::time::Instant> {
        self.inner.clock.to_std(deadline)
    }

    /// Starts the posts that the core asked for. Call it without the lock.
    pub(crate) fn start_posts(&self) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.is_starting_posts, true) {
            return;
        }
        let poster = state.driven.poster();
        drop(state);
        while let Some(post) = self.next_new_post() {
            post.start(Arc::downgrade(&self.inner), &*poster);
        }
    }

    /// `None` ends the starting: what comes later is started by whoever brings it about.
    fn next_new_post(&self) -> Option<NewPost> {
        let mut state = self.lock();
        let post = state.driven.next_new_post();
        state.is_starting_posts = post.is_some();
        post
    }

    pub(crate) fn post_progressed(&self, call: CallId, progress: PostProgress) {
        if progress != PostProgress::Begun {
            self.lock().driven.post_ended(call);
        }
        self.command(|server, now| {
            server.handle_input(now, Input::AppServerReplied(call, progress));
        });
    }

    pub(crate) fn upgrade(inner: &Weak<Inner<R>>) -> Option<Self> {
        inner.upgrade().map(|inner| Self { inner })
    }

    /// A panic under this lock is a bug of the core. Others go on with what it left.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State<R>> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Runtime> Clone for Shard<R> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<R: Runtime> fmt::Debug for Shard<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").finish_non_exhaustive()
    }
}

impl<R: Runtime> Drop for Inner<R> {
    fn drop(&mut self) {
        self.bell.ring();
    }
}

impl<R: Runtime> Inner<R> {
    /// Nothing that can panic runs under this lock, and no other is taken.
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A link that is not closed, with its place. It keeps the shard alive.
pub(crate) struct Counted<R: Runtime> {
    shard: Arc<Inner<R>>,
    place: Place,
}

impl<R: Runtime> Counted<R> {
    /// `None` when there is no place for it.
    fn new(shard: &Arc<Inner<R>>, peer: SocketAddr, descriptor: Option<usize>) -> Option<Self> {
        let place = shard.places().take(peer, descriptor, std::time::Instant::now())?;
        Some(Self { shard: Arc::clone(shard), place })
    }

    /// Whether the bounds of a network do not hold for it.
    pub(crate) fn is_exempt(&self) -> bool {
        self.place.is_exempt()
    }

    /// Where its handshake waits before it begins.
    pub(crate) fn lane(&self) -> Lane {
        self.place.lane()
    }

    /// Somebody has logged in over it.
    pub(crate) fn logged_in(&mut self) {
        self.shard.places().logged_in(&mut self.place);
    }
}

impl<R: Runtime> Drop for Counted<R> {
    fn drop(&mut self) {
        if self.shard.places().give_back(self.place, std::time::Instant::now()) {
            self.shard.ended.notify(usize::MAX);
        }
    }
}

#[cfg(test)]
mod tests;
