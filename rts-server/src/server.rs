//! A node with its listeners and background tasks.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rts_proto::server::{Observe, Placement, Server as Core, ShardId};
use rts_transport_tokio::Address;
use rts_transport_tokio::server::{Acceptor, Node};
use tokio::net::{TcpListener, TcpSocket};

use crate::app_server::AppServers;
use crate::certificates::Certificates;
use crate::config::{Listen, place};
use crate::openapi::{self, Health, Listener};
use crate::state::State;
use crate::tasks::{TaskEnded, Tasks};
use crate::webhooks::Webhooks;
use crate::{Config, ServerError, TokenAuthenticator};

/// At a shutdown, clients reconnect spread over this time.
const SHUTDOWN_SPREAD: Duration = Duration::from_secs(5);

/// The time for links to close after a failure. It includes the second of each link.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Most connections that the system holds until they are accepted. After a restart all clients
/// connect at once, and a client that finds no place retries only a second later. The system may
/// have a lower bound of its own.
const BACKLOG: u32 = 4_096;

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    pub(crate) node: Node,
    listeners: Vec<Bound>,
    certificates: Certificates,
    pub(crate) openapi: Option<Listener>,
    webhooks: Webhooks,
}

/// A listener for clients.
#[derive(Debug)]
struct Bound {
    listener: TcpListener,
    acceptor: Acceptor,
    address: Address,
    at: SocketAddr,
}

impl Server {
    /// Checks the configuration, and begins to listen.
    pub async fn bind(config: &Config) -> Result<Self, ServerError> {
        Self::bind_with(config, |_| Ok::<_, Infallible>(None)).await
    }

    /// Like [`bind`](Self::bind), with an observer of each shard, such as the recorder of
    /// `rts-trace`. `observe` creates it, and is called last, after everything else has succeeded.
    /// A server that cannot start therefore begins no recording. A shard calls its observer, and
    /// waits for it, at each input, command and output.
    ///
    /// # Errors
    ///
    /// [`ServerError::Observer`] with the error of `observe`.
    pub async fn bind_observed<E>(
        config: &Config,
        mut observe: impl FnMut(Placement) -> Result<Box<dyn Observe + Send>, E>,
    ) -> Result<Self, ServerError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self::bind_with(config, |placement| observe(placement).map(Some)).await
    }

    async fn bind_with<E>(
        config: &Config,
        mut observe: impl FnMut(Placement) -> Result<Option<Box<dyn Observe + Send>>, E>,
    ) -> Result<Self, ServerError>
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        config.check()?;
        let state = Arc::new(State::open(config.state_dir.as_deref())?);
        let authenticator = Arc::new(TokenAuthenticator::with_state(config, state.clone())?);
        let (placement_seed, run) = random().and_then(|seed| Ok((seed, random()?)))?;
        let mut certificates = Certificates::default();
        let bound = config
            .listen
            .iter()
            .enumerate()
            .map(|(at, listen)| Bound::new(at, listen, &mut certificates));
        let listeners = bound.collect::<Result<Vec<_>, _>>()?;
        let openapi = match &config.openapi {
            Some(openapi) => Some((openapi, openapi::Bound::new(openapi).await?)),
            None => None,
        };
        let poster = Arc::new(AppServers::new(config)?);
        let webhooks = Webhooks::new(config, run)?;
        let link_limits = config.limits.link_limits(crate::config::descriptors());

        // A full or read-only disk is better known before the first ban.
        if let Err(error) = state.save().await {
            tracing::error!(%error, "state_dir cannot be written: new bans are lost on restart");
        }
        let mut cores = Vec::new();
        for placement in Placement::of_node(config.shards.get(), placement_seed) {
            let (core, seed) = (config.core(placement), random()?);
            let observer =
                observe(placement).map_err(|error| ServerError::Observer(error.into()))?;
            cores.push(match observer {
                Some(observer) => Core::observed(core, seed, observer),
                None => Core::new(core, seed),
            });
        }
        let node = Node::with_poster(cores, authenticator, poster.clone());
        node.set_link_limits(link_limits);
        state.restore(&node);
        if let Some(watcher) = webhooks.watcher() {
            node.watch(watcher);
        }
        let health = Health::new(listeners.iter().map(Bound::named).collect(), node.clone());
        let openapi = openapi.map(|(openapi, bound)| {
            Listener::new(bound, config, openapi, node.clone(), state, health)
        });
        let openapi = openapi.transpose()?;
        let ours = listeners.iter().map(|bound| bound.at);
        poster.forbid_own(ours.chain(openapi.as_ref().map(Listener::address)));
        Ok(Self { node, listeners, certificates, openapi, webhooks })
    }

    /// The address of the first listener. With port 0 in the configuration it has the actual port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.listeners.first().expect("a checked configuration has a listener").at
    }

    /// The addresses and schemes of all listeners.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.listeners.iter().map(|bound| &bound.address)
    }

    /// The certificates of the listeners, for reloading them at once. The server also reloads them
    /// by itself, about once a minute.
    #[must_use]
    pub fn certificates(&self) -> Certificates {
        self.certificates.clone()
    }

    /// The address of the OpenAPI, if it is configured.
    #[must_use]
    pub fn openapi_addr(&self) -> Option<SocketAddr> {
        self.openapi.as_ref().map(Listener::address)
    }

    /// The shards, for their statistics.
    #[must_use]
    pub fn node(&self) -> Node {
        self.node.clone()
    }

    /// Serves until `stop` is ready, then closes all links. Each link has a second to write its
    /// queued bytes.
    ///
    /// Dropping the future stops accepting. Open links are served until the runtime ends, and the
    /// threads of shards end with it.
    ///
    /// # Errors
    ///
    /// Returns an error if a shard, a listener or another task of the server has ended by itself,
    /// which is a bug. The error names it. The links are closed before this returns, if that takes
    /// no longer than five seconds.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        // The tasks are dropped with this future. Then no more connections are accepted.
        let mut tasks = Tasks::default();
        for Bound { listener, acceptor, address, .. } in self.listeners {
            tracing::info!(%address, "listening");
            let node = self.node.clone();
            let serving = async move {
                if let Err(error) = node.serve(listener, acceptor).await {
                    tracing::error!(%error, "cannot start a thread for each shard");
                }
            };
            tasks.spawn(format!("the listener {address}"), serving);
        }
        if let Some(openapi) = self.openapi {
            tracing::info!(address = %format_args!("http://{}", openapi.address()), "listening");
            tasks.spawn("the OpenAPI's listener", openapi.serve());
        }
        tasks.spawn("the task of webhooks", self.webhooks.run());
        let certificates = self.certificates;
        tasks.spawn("the task of certificates", async move {
            certificates.watch_files(|concern| tracing::warn!("{concern}")).await;
        });
        let mut outcome = tokio::select! {
            ended = tasks.ended() => Err(ended),
            shard = self.node.failed() => Err(shard_ended(shard)),
            () = stop => Ok(()),
        };
        if let Err(ended) = &outcome {
            tracing::error!(error = %ended, "a task ended: stopping");
        }
        self.node.shutdown(SHUTDOWN_SPREAD);
        if outcome.is_ok() {
            outcome = tokio::select! {
                () = self.node.closed() => Ok(()),
                shard = self.node.failed() => Err(shard_ended(shard)),
            };
        }
        // After a failure, a link may be left that nobody closes.
        if outcome.is_err()
            && tokio::time::timeout(CLOSE_PATIENCE, self.node.closed()).await.is_err()
        {
            tracing::error!(links = self.node.open_links(), "links are left open");
        }
        tracing::info!("stopped");
        Ok(outcome?)
    }
}

fn shard_ended(shard: ShardId) -> TaskEnded {
    TaskEnded { task: format!("shard {}", shard.number()), by_panic: true }
}

impl Bound {
    /// The name and address of the listener.
    fn named(&self) -> (String, SocketAddr) {
        (self.address.to_string(), self.at)
    }

    fn new(
        at: usize,
        listen: &Listen,
        certificates: &mut Certificates,
    ) -> Result<Self, ServerError> {
        let acceptor = certificates.acceptor(listen, &place(at))?;
        let address = listen.url.socket_addr();
        let listen_error = |error| ServerError::Listen { address, error };
        let listener = bind(address).map_err(listen_error)?;
        let at = listener.local_addr().map_err(listen_error)?;
        Ok(Self {
            listener,
            acceptor,
            address: listen.url.address().clone().with_port(at.port()),
            at,
        })
    }
}

fn random() -> Result<u64, ServerError> {
    getrandom::u64().map_err(ServerError::Random)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restarted server can bind while connections of its predecessor linger.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
