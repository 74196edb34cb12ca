//! [`Node`]: the handle with which a program serves links and commands server cores.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_lite::future::or;
use rts_proto::server::{Command, Placement, Request, Response, Server, ShardId, Shards, Stats};
use rts_proto::wire::ResumeKey;
use rts_proto::{AppId, Instant, OnlineStatus, UserId};
use rts_stream::Acceptor;

use crate::link::Link;
use crate::runtime::{Runtime, Stream as _};
use crate::server::accept::accept;
use crate::server::admission::LinkLimits;
use crate::server::arrivals::Arriving;
use crate::server::hooked_core::HookedCore;
use crate::server::hooks::{Authenticate, NoAppServers, PostToAppServer, Watch};
use crate::server::log::LogThrottle;
use crate::server::mesh::Mesh;
use crate::server::probes::ExpectedConnection;
use crate::server::reactor::Reactor;
use crate::server::shared::{Common, NodeShards, Shared};
use crate::server::threads::ShardThreads;

/// Links that are accepted before other tasks get their turn. A flood of connections must not delay
/// messages.
const ACCEPTED_AT_ONCE: usize = 8;

/// Server cores with their links: the shards of a node. Clones are cheap. Open links keep it alive;
/// [`shutdown`](Self::shutdown) ends them.
///
/// The only shard of a node runs in a task of the present runtime. Several shards have a thread
/// each. The threads end with the runtime in which they were started, as its tasks do. A link
/// begins at the shard with the fewest links before login, and moves once, with its login, to the
/// shard of its user.
pub struct Node<R: Runtime> {
    inner: Arc<Inner<R>>,
}

struct Inner<R: Runtime> {
    /// In the order of their placement.
    shards: NodeShards<R>,
    /// Held by [`Commands`].
    commands: Mutex<()>,
    /// The shard of the next link, if no other one has fewer links before login.
    next: AtomicUsize,
}

impl<R: Runtime> Node<R> {
    /// Creates a node of one shard, without links. It knows no app server, so clients cannot send
    /// to one.
    #[must_use]
    pub fn new(server: Server, authenticator: Arc<dyn Authenticate>) -> Self {
        Self::with_poster(vec![server], authenticator, Arc::new(NoAppServers))
    }

    /// Creates a node without links. `poster` posts clients' messages to their app servers.
    ///
    /// # Panics
    ///
    /// If the placements of the cores are not those of all shards of a node, in their order.
    #[must_use]
    pub fn with_poster(
        servers: Vec<Server>,
        authenticator: Arc<dyn Authenticate>,
        poster: Arc<dyn PostToAppServer>,
    ) -> Self {
        Self::check_placements(&servers);
        let common = Common::new();
        let shard = |server| {
            let core = HookedCore::new(server, Arc::clone(&authenticator), Arc::clone(&poster));
            Arc::new(Shared::new(core, common.clone(), None))
        };
        Self::of(servers.into_iter().map(shard).collect())
    }

    fn check_placements(servers: &[Server]) {
        let count = servers.len();
        let node = |server: &Server| server.placement().own().node();
        let is_complete = servers.iter().enumerate().all(|(number, server)| {
            let placement = server.placement();
            placement.own().number() == number
                && placement.count() == count
                && node(server) == node(&servers[0])
        });
        assert!(count > 0 && is_complete, "the cores are not all shards of one node");
    }

    /// A node of these shards.
    fn of(shards: Vec<Arc<Shared<R>>>) -> Self {
        let shards = Arc::new(shards);
        let ready: Vec<_> = shards.iter().map(|shard| Arc::clone(&shard.ready)).collect();
        let node = shards[0].placement.own().node();
        let mesh = (shards.len() > 1).then(|| Arc::new(Mesh::new(node, &ready)));
        for shard in shards.iter() {
            shard.join_node(&shards, mesh.clone());
        }
        let inner = Inner { shards, commands: Mutex::default(), next: AtomicUsize::new(0) };
        Self { inner: Arc::new(inner) }
    }

    /// From now on, `watcher` gets the reports of the apps that the cores' configuration names.
    pub fn watch(&self, watcher: Arc<dyn Watch>) {
        for shard in self.inner.shards.iter() {
            shard.lock().core.watch(Arc::clone(&watcher));
        }
    }

    /// Sets the limits for new links. Links beyond the limits are closed as soon as they are
    /// accepted. Open links stay.
    pub fn set_link_limits(&self, limits: LinkLimits) {
        let shards = u32::try_from(self.inner.shards.len()).unwrap_or(u32::MAX);
        let per_shard = limits.handshakes_per_second.div_ceil(shards);
        let first = self.first();
        first.common.handshakes_per_second.store(per_shard, Ordering::Relaxed);
        first.common.gate.set_limits(limits);
    }

    /// Accepts links with the layers of `acceptor`, and serves them until
    /// [`shutdown`](Self::shutdown) and until all are closed. Dropping the future stops accepting.
    /// Open links continue. Several listeners, of all kinds, may run at a time.
    ///
    /// Handshakes of TLS and WebSocket are part of a link. The core's login deadline and its bound
    /// on links before login include them.
    ///
    /// # Errors
    ///
    /// The system cannot start a thread for each shard. The error names the shard.
    pub async fn serve(&self, listener: R::Listener, acceptor: Acceptor) -> io::Result<()> {
        self.start_reactors()?;
        or(self.first().shut_down(), self.accept_all(&listener, &acceptor)).await;
        drop(listener);
        self.closed().await;
        Ok(())
    }

    /// Closes all links, and makes [`serve`](Self::serve) return. Each link is asked to reconnect
    /// after its own random time between zero and `retry_after_max`. Each has one second to write
    /// its remaining bytes.
    pub fn shutdown(&self, retry_after_max: Duration) {
        for shard in self.inner.shards.iter() {
            shard.set_shut_down();
        }
        let mut commands = self.commands();
        for shard in self.inner.shards.iter() {
            // One that has failed for good has no links, and its core may panic again.
            if shard.arrivals.may_have_reactor() {
                let own = shard.placement.own();
                commands.command_to(own, Command::Shutdown { retry_after_max });
            }
        }
        drop(commands);
        // Also a frozen node closes its links: no session can use them any more.
        self.first().common.clock.release();
        self.wake_all();
    }

    /// Waits until no link is left. Cancel safe. Without a [`shutdown`](Self::shutdown), new links
    /// may arrive.
    pub async fn closed(&self) {
        self.first().common.gate.emptied().await;
    }

    /// The number of links that are not closed. It is counted without the shards, so this is safe
    /// to call after one of them has [failed](Self::failed).
    #[must_use]
    pub fn open_links(&self) -> usize {
        self.first().common.gate.links()
    }

    /// Ready when a shard has ended by a panic, which is a bug. Returns the shard, whose links are
    /// gone or about to be dropped. Cancel safe.
    ///
    /// A panic of a command ends its shard too, if there are others, and goes on to the caller.
    ///
    /// If it is the only shard, the next accepted link starts a new reactor. If there are others,
    /// this node cannot go on, because they have sent the shard what is lost. Links of its users
    /// are dropped, so these cannot log in. [Commands](Self::commands) still call its core, which
    /// has the state that the panic left, and may panic again. The program has to [shut
    /// down](Self::shutdown), and to wait for [`closed`](Self::closed) for a bounded time.
    pub async fn failed(&self) -> ShardId {
        Shared::any_failed(&self.inner.shards).await
    }

    /// Waits until each reactor has made a turn, which shows that messages are carried. This serves
    /// as a check whether a reactor hangs. Without a [`serve`](Self::serve) there is no reactor.
    /// Cancel safe.
    pub async fn next_turn(&self) {
        let next_turn = |shard: &Arc<Shared<R>>| {
            let turn = shard.probes.next_turn();
            shard.ready.notify();
            turn
        };
        let turns: Vec<_> = self.inner.shards.iter().map(next_turn).collect();
        for turn in turns {
            turn.await;
        }
    }

    /// Expects a connection from this address. The next one is closed as soon as it is accepted,
    /// and counts for no limit. So a program can connect to its own listeners to check whether they
    /// accept.
    pub fn expect(&self, from: SocketAddr) -> ExpectedConnection {
        self.first().probes.expect(from)
    }

    /// The present counts. Walks over all sessions and rooms.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.commands().stats()
    }

    /// Whether a user can be reached.
    #[must_use]
    pub fn online_status(&self, app_id: &AppId, uid: &UserId) -> OnlineStatus {
        self.commands().online_status(app_id, uid)
    }

    /// For commands of apps' back ends and questions about the node. Others that ask for this wait
    /// while it is held.
    ///
    /// When a command returns, the shards that it concerns have carried it out. What they then send
    /// each other may still be on its way. An example is the end of a membership, if the room
    /// belongs to another shard than the user whose login has ended.
    #[must_use]
    pub fn commands(&self) -> Commands<'_, R> {
        // No code under this lock leaves anything half done.
        let guard = self.inner.commands.lock().unwrap_or_else(PoisonError::into_inner);
        Commands { shards: &self.inner.shards, _guard: guard }
    }

    /// Asks the shards that a request concerns, on all nodes of a cluster. `answer` gets the
    /// response, once, and is dropped if the shard ends before. It is called under the lock of a
    /// shard: it must be quick, and must not block or call the node.
    pub fn ask(
        &self,
        app_id: AppId,
        request: Request,
        answer: impl FnOnce(Response) + Send + 'static,
    ) {
        let shard = self.first().placement.of_app(&app_id).number();
        self.inner.shards[shard].ask(app_id, request, Box::new(answer));
    }

    fn wake_all(&self) {
        for shard in self.inner.shards.iter() {
            shard.ready.notify();
        }
    }

    fn first(&self) -> &Arc<Shared<R>> {
        &self.inner.shards[0]
    }

    async fn accept_all(&self, listener: &R::Listener, acceptor: &Acceptor) {
        let mut throttle = LogThrottle::default();
        loop {
            for _ in 0..ACCEPTED_AT_ONCE {
                let (stream, peer) = accept::<R>(listener, &mut throttle).await;
                if let Err(error) = self.link_accepted(stream, peer, acceptor) {
                    tracing::error!(%error, "an accepted link is dropped");
                }
            }
            R::yield_now().await;
        }
    }

    fn link_accepted(
        &self,
        stream: R::Stream,
        peer: SocketAddr,
        acceptor: &Acceptor,
    ) -> io::Result<()> {
        if self.first().probes.take_expected(peer) {
            return Ok(());
        }
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|_| io::Error::other("no random numbers"))?;
        let shards = &self.inner.shards;
        let shard = self.next_shard();
        let gate = &shard.common.gate;
        let Some(guard) = gate.admit(peer, stream.descriptor()) else { return Ok(()) };
        let link = Link::new(stream, acceptor.layers());
        let link = match shards.len() {
            1 => Arriving::Here(link),
            _ => Arriving::Detached(link.try_map(R::detach)?),
        };
        shard.add_accepted(ResumeKey(key), peer, link, guard);
        // The runtime of the previous reactor may have ended, and this may be another runtime.
        self.start_reactors()
    }

    /// The shard with the fewest links before login. Of several, each has its turn. One that has
    /// failed for good gets links only if all have.
    fn next_shard(&self) -> &Arc<Shared<R>> {
        let shards = &self.inner.shards;
        let next = self.inner.next.fetch_add(1, Ordering::Relaxed) % shards.len();
        let (before, from_next) = shards.split_at(next);
        let in_turn = from_next.iter().chain(before);
        let key =
            |shard: &&Arc<Shared<R>>| (!shard.arrivals.may_have_reactor(), shard.openings.len());
        in_turn.min_by_key(key).expect("one at least")
    }

    /// Starts the reactors of shards that have none.
    fn start_reactors(&self) -> io::Result<()> {
        let shards = &self.inner.shards;
        if shards.iter().all(|shard| shard.arrivals.has_reactor()) {
            return Ok(());
        }
        let mut threads = ShardThreads::new(&self.first().common.ended);
        for (number, shard) in shards.iter().enumerate() {
            let Some(claimed) = shard.arrivals.claim_reactor() else { continue };
            let reactor = Reactor::new(shard, shards.len());
            if shards.len() == 1 {
                R::spawn(reactor.run());
            } else {
                let thread = R::start_task_thread(&format!("rts-shard-{number}"), reactor.run());
                // An error ends the threads that were started.
                threads.add(shard, claimed, thread.map_err(|error| of_shard(number, &error))?);
            }
        }
        threads.end_with_runtime();
        Ok(())
    }
}

fn of_shard(number: usize, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("shard {number} has no thread: {error}"))
}

/// The shards of a [`Node`], for commands and questions.
pub struct Commands<'a, R: Runtime> {
    shards: &'a [Arc<Shared<R>>],
    _guard: MutexGuard<'a, ()>,
}

impl<R: Runtime> Shards for Commands<'_, R> {
    fn placement(&self) -> Placement {
        self.shards[0].placement
    }

    /// `call` runs under the shard's lock: it must be quick, and must not block or call the node.
    fn shard<T>(&mut self, shard: ShardId, call: impl FnOnce(&mut Server, Instant) -> T) -> T {
        self.shards[shard.number()].command(call)
    }
}

impl<R: Runtime> Clone for Node<R> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<R: Runtime> fmt::Debug for Node<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("shards", &self.inner.shards.len()).finish_non_exhaustive()
    }
}

impl<R: Runtime> fmt::Debug for Commands<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands").finish_non_exhaustive()
    }
}

mod cluster;
#[cfg(test)]
mod tests;
