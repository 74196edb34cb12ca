//! A node with its listeners and background tasks.

use std::convert::Infallible;
use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rts_proto::server::{Observe, Placement, Server as Core, ShardId};
use rts_transport_tokio::Address;
use rts_transport_tokio::server::Node;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::app_server::AppServers;
use crate::certificates::Certificates;
use crate::cluster::ClusterClock;
use crate::listeners::{Bound, BoundListener, Listener};
use crate::member::{Member, MembershipEnded, join};
use crate::openapi::{self, Health};
use crate::state::State;
use crate::tasks::{TaskEnded, Tasks};
use crate::webhooks::Webhooks;
use crate::{Config, ServerError, TokenAuthenticator};

/// At a shutdown, clients reconnect spread over this time.
const SHUTDOWN_SPREAD: Duration = Duration::from_secs(5);

/// The time for links to close after a failure. It includes the second of each link.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    pub(crate) node: Node,
    listeners: Vec<Listener>,
    certificates: Certificates,
    pub(crate) openapi: Option<openapi::Listener>,
    webhooks: Webhooks,
    state: Arc<State>,
    member: Option<Member>,
}

impl Server {
    /// Checks the configuration, and begins to listen. A node of a cluster waits until it is a
    /// member, and then begins to listen. It logs what it waits for. Cancel safe.
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
        let clock = Arc::new(ClusterClock::default());
        let authenticator = TokenAuthenticator::with_state(config, state.clone(), clock.clone())?;
        let authenticator = Arc::new(authenticator);
        let run = random()?;
        let mut certificates = Certificates::default();
        let bound = config
            .listen
            .iter()
            .enumerate()
            .map(|(at, listen)| BoundListener::new(at, listen, &mut certificates));
        let bound = bound.collect::<Result<Vec<_>, _>>()?;
        let openapi = match &config.openapi {
            Some(openapi) => {
                let bound = Bound::new(openapi.listen)?;
                let address = bound.address();
                Some((openapi, bound.listen()?, address))
            }
            None => None,
        };
        let poster = Arc::new(AppServers::new(config)?);
        let webhooks = Webhooks::new(config, run)?;
        let link_limits = config.limits.link_limits(crate::config::descriptors());

        // A full or read-only disk is better known before the first ban.
        if let Err(error) = state.save().await {
            tracing::error!(%error, "state_dir cannot be written: new bans are lost on restart");
        }
        let member = match (&config.cluster, &config.state_dir) {
            (Some(cluster), Some(state_dir)) => {
                let (waits_for, seen) = watch::channel(String::new());
                let listener = openapi.as_ref().map(|(_, listener, _)| listener);
                tokio::select! {
                    member = join(cluster, state_dir, config.shards.get(), clock, &waits_for) => {
                        Some(member?)
                    }
                    never = answer_meanwhile(listener, seen) => match never {},
                }
            }
            _ => None,
        };
        let placements: Vec<_> = match &member {
            Some(member) => member.first().placements().collect(),
            None => Placement::of_node(config.shards.get(), random()?).collect(),
        };
        let mut cores = Vec::new();
        for placement in placements {
            let (mut core, seed) = (config.core(placement), random()?);
            if let Some(member) = &member {
                core.homes = Some(member.first().table().clone());
                core.joins_cluster = member.first().joins();
            }
            let observer =
                observe(placement).map_err(|error| ServerError::Observer(error.into()))?;
            cores.push(match observer {
                Some(observer) => Core::observed(core, seed, observer),
                None => Core::new(core, seed),
            });
        }
        let node = match &member {
            Some(member) => Node::in_cluster(cores, authenticator, poster.clone(), member.hook()),
            None => Node::with_poster(cores, authenticator, poster.clone()),
        };
        node.set_link_limits(link_limits);
        state.restore(&node);
        if let Some(watcher) = webhooks.watcher() {
            node.watch(watcher);
        }
        match &member {
            Some(member) => member.attach(node.clone(), state.clone(), webhooks.queues()),
            // Users of an earlier run are no longer logged in.
            None => webhooks.queues().server_started(),
        }
        let listeners =
            bound.into_iter().map(BoundListener::listen).collect::<Result<Vec<_>, _>>()?;
        let standing = member.as_ref().map(Member::standing);
        let health =
            Health::new(listeners.iter().map(Listener::named).collect(), node.clone(), standing);
        let openapi = openapi.map(|(openapi, listener, address)| {
            let (node, state) = (node.clone(), state.clone());
            openapi::Listener::new(listener, address, config, openapi, node, state, health)
        });
        let openapi = openapi.transpose()?;
        let ours = listeners.iter().map(Listener::at);
        poster.forbid_own(ours.chain(openapi.as_ref().map(openapi::Listener::address)));
        Ok(Self { node, listeners, certificates, openapi, webhooks, state, member })
    }

    /// The address of the first listener. With port 0 in the configuration it has the actual port.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.listeners.first().expect("a checked configuration has a listener").at()
    }

    /// The addresses and schemes of all listeners.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.listeners.iter().map(Listener::address)
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
        self.openapi.as_ref().map(openapi::Listener::address)
    }

    /// Replaces port 0 in the configuration of this server by the ports that it has. The next
    /// server of the configuration then listens at the same addresses.
    pub fn keep_ports(&self, config: &mut Config) {
        for (listen, listener) in config.listen.iter_mut().zip(&self.listeners) {
            listen.url.set_port(listener.at().port());
        }
        if let (Some(openapi), Some(at)) = (&mut config.openapi, self.openapi_addr()) {
            openapi.listen.set_port(at.port());
        }
    }

    /// The shards, for their statistics.
    #[must_use]
    pub fn node(&self) -> Node {
        self.node.clone()
    }

    /// Serves until `stop` is ready, then closes all links. Each link has a second to write its
    /// queued bytes. A node of a cluster drains before that, if there are other nodes: it closes
    /// its links at a rate, so that its users go on at the others.
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
        for listener in self.listeners {
            let address = listener.address().clone();
            tracing::info!(%address, "listening");
            tasks.spawn(format!("the listener {address}"), listener.serve(self.node.clone()));
        }
        if let Some(openapi) = self.openapi {
            tracing::info!(address = %format_args!("http://{}", openapi.address()), "listening");
            tasks.spawn("the OpenAPI's listener", openapi.serve());
        }
        let events = self.webhooks.queues();
        tasks.spawn("the task of webhooks", self.webhooks.run());
        let certificates = self.certificates;
        tasks.spawn("the task of certificates", async move {
            certificates.watch_files(|concern| tracing::warn!("{concern}")).await;
        });
        if let Some(member) = &self.member {
            tasks.spawn("the task of draining", member.drains(self.node.clone()));
            let takes_over = member.takes_over(self.node.clone(), self.state.clone());
            tasks.spawn("the task of bans", takes_over);
        }
        let mut member = self.member;
        let drained = member.as_ref().map(Member::empty_before_end);
        let stop = async {
            stop.await;
            let stopped = Instant::now();
            if let Some(drained) = drained {
                drained.await;
            }
            stopped
        };
        let mut outcome = tokio::select! {
            ended = tasks.ended() => Err(ended.into()),
            shard = self.node.failed() => Err(shard_ended(shard)),
            ended = ended(&mut member) => Err(ended.into()),
            stopped = stop => Ok(stopped),
        };
        match &outcome {
            Ok(_) => {}
            Err(ServerError::MembershipEnded(why)) => {
                tracing::warn!("{why}: all sessions of this node end");
            }
            Err(ended) => tracing::error!(error = %ended, "a task ended: stopping"),
        }
        self.node.shutdown(SHUTDOWN_SPREAD);
        if let Ok(stopped) = outcome {
            outcome = tokio::select! {
                () = self.node.closed() => Ok(stopped),
                shard = self.node.failed() => Err(shard_ended(shard)),
            };
        }
        // After a failure, a link may be left that nobody closes.
        if outcome.is_err()
            && tokio::time::timeout(CLOSE_PATIENCE, self.node.closed()).await.is_err()
        {
            tracing::error!(links = self.node.open_links(), "links are left open");
        }
        if let (Ok(stopped), Some(member)) = (&outcome, &member) {
            member.posts_events(&events, *stopped).await;
        }
        tasks.stop().await;
        if outcome.is_ok()
            && let Some(member) = member
        {
            member.leave().await;
        }
        // A link that nobody closes keeps the shards, and they keep the state.
        self.state.close();
        tracing::info!("stopped");
        outcome.map(drop)
    }
}

/// Answers questions for the health of a server that waits, if there is a listener for them.
async fn answer_meanwhile(
    listener: Option<&TcpListener>,
    waits_for: watch::Receiver<String>,
) -> Infallible {
    match listener {
        Some(listener) => openapi::serve_while_waiting(listener, waits_for).await,
        None => std::future::pending().await,
    }
}

/// Waits until the node is no member of its cluster any more, or forever without a cluster.
async fn ended(member: &mut Option<Member>) -> MembershipEnded {
    match member {
        Some(member) => member.ended().await,
        None => std::future::pending().await,
    }
}

fn shard_ended(shard: ShardId) -> ServerError {
    TaskEnded { task: format!("shard {}", shard.number()), by_panic: true }.into()
}

fn random() -> Result<u64, ServerError> {
    getrandom::u64().map_err(ServerError::Random)
}
