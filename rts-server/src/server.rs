//! A listener around one shard.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rts_trace::{RecordedServer, Recorder};
use rts_transport_tokio::{Acceptor, Shard};
use tokio::net::{TcpListener, TcpSocket};

use crate::app_server::AppServers;
use crate::openapi::Listener;
use crate::webhooks::Webhooks;
use crate::{Config, ConfigError, TokenAuthenticator};

/// Clients that are told of a shutdown come back spread over this time.
const SHUTDOWN_SPREAD: Duration = Duration::from_secs(5);

/// Links that the system may hold until they are accepted: when a server was started again, all its clients come
/// at once, and one that finds no place tries again only a second later. The system may have a lower bound of its own.
const BACKLOG: u32 = 4_096;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The system gave no random numbers.
    #[error("the system's random source failed: {0}")]
    Random(getrandom::Error),
}

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    shard: Shard,
    listener: TcpListener,
    address: SocketAddr,
    openapi: Option<Listener>,
    webhooks: Webhooks,
}

impl Server {
    /// Checks the configuration and begins to listen.
    pub async fn bind(config: &Config) -> Result<Self, ServerError> {
        Self::bind_recorded(config, None).await
    }

    /// The same with everything that the shard is told and asked written down, if there is a recorder, so that it can
    /// be run again. Whatever reaches the shard then waits for a write to the recorder.
    pub async fn bind_recorded(
        config: &Config,
        recorder: Option<Recorder>,
    ) -> Result<Self, ServerError> {
        config.check()?;
        let authenticator = Arc::new(TokenAuthenticator::new(config)?);
        let seed = getrandom::u64().map_err(ServerError::Random)?;
        let core = RecordedServer::new(config.core(), seed, recorder);
        let listen_error = |error| ServerError::Listen { address: config.listen, error };
        let listener = listen(config.listen).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let poster = Arc::new(AppServers::new(config)?);
        let shard = Shard::with_poster(core, authenticator, poster.clone());
        let openapi = match &config.openapi {
            Some(openapi) => Some(Listener::bind(config, openapi, shard.clone()).await?),
            None => None,
        };
        let run = getrandom::u64().map_err(ServerError::Random)?;
        let webhooks = Webhooks::new(config, run)?;
        if let Some(watcher) = webhooks.watcher() {
            shard.watch(watcher);
        }
        poster.keep_off([address].into_iter().chain(openapi.as_ref().map(Listener::address)));
        Ok(Self { shard, listener, address, openapi, webhooks })
    }

    /// Where it listens; with port 0 in the configuration, the port that it got.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where the OpenAPI listens, if it does.
    #[must_use]
    pub fn openapi_addr(&self) -> Option<SocketAddr> {
        self.openapi.as_ref().map(Listener::address)
    }

    /// The shard, for its figures.
    #[must_use]
    pub fn shard(&self) -> Shard {
        self.shard.clone()
    }

    /// Serves until `stop` is ready, then closes all links. Each has a second for what is left to write.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        tracing::info!(address = %self.address, "listening");
        let openapi = async {
            match self.openapi {
                Some(openapi) => openapi.serve().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.shard.serve(self.listener, Acceptor::plain()) => {}
            () = openapi => {}
            () = self.webhooks.run() => {}
            () = stop => {}
        }
        self.shard.shutdown(SHUTDOWN_SPREAD);
        self.shard.closed().await;
        tracing::info!("stopped");
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that is started again need not wait for the links of its predecessor.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
