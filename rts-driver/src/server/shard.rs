//! [`Shard`]: the handle with which a program serves links and commands a server core.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_lite::future::or;
use rts_proto::server::{Server, Stats};
use rts_proto::wire::ResumeKey;
use rts_proto::{AppId, Instant, OnlineStatus, UserId};
use rts_stream::Acceptor;

use crate::link::Link;
use crate::runtime::{Runtime, Stream as _};
use crate::server::accept::accept;
use crate::server::admission::LinkLimits;
use crate::server::hooked_core::HookedCore;
use crate::server::hooks::{Authenticate, NoAppServers, PostToAppServer, Watch};
use crate::server::log::LogThrottle;
use crate::server::probes::ExpectedConnection;
use crate::server::reactor::Reactor;
use crate::server::shared::Shared;

/// Links that are accepted before other tasks get their turn. A flood of connections must not delay
/// messages.
const ACCEPTED_AT_ONCE: usize = 8;

/// A server core with its links. Clones are cheap. Open links keep it alive;
/// [`shutdown`](Self::shutdown) ends them.
pub struct Shard<R: Runtime> {
    shared: Arc<Shared<R>>,
}

impl<R: Runtime> Shard<R> {
    /// Creates a shard without links. It knows no app server, so clients cannot send to one.
    #[must_use]
    pub fn new(server: Server, authenticator: Arc<dyn Authenticate>) -> Self {
        Self::with_poster(server, authenticator, Arc::new(NoAppServers))
    }

    /// Creates a shard without links. `poster` posts clients' messages to their app servers.
    #[must_use]
    pub fn with_poster(
        server: Server,
        authenticator: Arc<dyn Authenticate>,
        poster: Arc<dyn PostToAppServer>,
    ) -> Self {
        let core = HookedCore::new(server, authenticator, poster);
        Self { shared: Arc::new(Shared::new(core)) }
    }

    /// From now on, `watcher` gets the reports of the apps that the core's configuration names.
    pub fn watch(&self, watcher: Arc<dyn Watch>) {
        self.shared.lock().core.watch(watcher);
    }

    /// Sets the limits for new links. Links beyond the limits are closed as soon as they are
    /// accepted. Open links stay.
    pub fn set_link_limits(&self, limits: LinkLimits) {
        let per_second = &self.shared.handshakes_per_second;
        per_second.store(limits.handshakes_per_second, Ordering::Relaxed);
        self.shared.gate.set_limits(limits);
    }

    /// Accepts links with the layers of `acceptor`, and serves them until
    /// [`shutdown`](Self::shutdown) and until all are closed. Dropping the future stops accepting.
    /// Open links continue. Several listeners, of all kinds, may run at a time.
    ///
    /// Handshakes of TLS and WebSocket are part of a link. The core's login deadline and its bound
    /// on links before login include them.
    pub async fn serve(&self, listener: R::Listener, acceptor: Acceptor) {
        self.start_reactor();
        or(self.shared.shut_down(), self.accept_all(&listener, &acceptor)).await;
        drop(listener);
        self.closed().await;
    }

    /// Closes all links, and makes [`serve`](Self::serve) return. Each link is asked to reconnect
    /// after its own random time between zero and `retry_after_max`. Each has one second to write
    /// its remaining bytes.
    pub fn shutdown(&self, retry_after_max: Duration) {
        self.shared.set_shut_down();
        self.command(|server, now| server.shutdown(now, retry_after_max));
    }

    /// Waits until no link is left. Cancel safe. Without a [`shutdown`](Self::shutdown), new links
    /// may arrive.
    pub async fn closed(&self) {
        self.shared.gate.emptied().await;
    }

    /// Ready when the reactor has ended by a panic, which is a bug. Its links are gone, and the
    /// next accepted link starts a new reactor. A server that prefers to exit learns of the panic
    /// here. Cancel safe.
    pub async fn failed(&self) {
        self.shared.failed().await;
    }

    /// Waits until the reactor has made a turn, which shows that messages are carried. This serves
    /// as a check whether the reactor hangs. Without a [`serve`](Self::serve) there is no reactor.
    /// Cancel safe.
    pub async fn next_turn(&self) {
        let turn = self.shared.probes.next_turn();
        self.shared.ready.notify();
        turn.await;
    }

    /// Expects a connection from this address. The next one is closed as soon as it is accepted,
    /// and counts for no limit. So a program can connect to its own listeners to check whether they
    /// accept.
    pub fn expect(&self, from: SocketAddr) -> ExpectedConnection {
        self.shared.probes.expect(from)
    }

    /// The present counts of the shard. Walks over all sessions and rooms.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.lock().core.server.stats()
    }

    /// Whether a user can be reached.
    #[must_use]
    pub fn online_status(&self, app_id: &AppId, uid: &UserId) -> OnlineStatus {
        let state = self.shared.lock();
        state.core.server.online_status(self.shared.now(), app_id, uid)
    }

    /// Runs a command of the app's back end, such as [`Server::unicast`]. Its effects are complete
    /// when this returns. `command` runs under the shard's lock: it must be quick, and must not
    /// block or call the shard.
    pub fn command<T>(&self, command: impl FnOnce(&mut Server, Instant) -> T) -> T {
        self.shared.command(command)
    }

    async fn accept_all(&self, listener: &R::Listener, acceptor: &Acceptor) {
        let mut throttle = LogThrottle::default();
        loop {
            for _ in 0..ACCEPTED_AT_ONCE {
                let (stream, peer) = accept::<R>(listener, &mut throttle).await;
                self.link_accepted(stream, peer, acceptor);
            }
            R::yield_now().await;
        }
    }

    fn link_accepted(&self, stream: R::Stream, peer: SocketAddr, acceptor: &Acceptor) {
        if self.shared.probes.take_expected(peer) {
            return;
        }
        let mut key = [0; 16];
        if let Err(error) = getrandom::fill(&mut key) {
            tracing::error!(%error, "no random numbers for a link: it is dropped");
            return;
        }
        let Some(guard) = self.shared.gate.admit(peer, stream.descriptor()) else { return };
        let link = Link::new(stream, acceptor.layers());
        self.shared.add_link(ResumeKey(key), peer, link, guard);
        // The runtime of the previous reactor may have ended, and this may be another runtime.
        self.start_reactor();
    }

    fn start_reactor(&self) {
        if self.shared.claim_reactor() {
            let reactor = Reactor::new(&self.shared);
            R::spawn(reactor.run());
        }
    }
}

impl<R: Runtime> Clone for Shard<R> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<R: Runtime> fmt::Debug for Shard<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
