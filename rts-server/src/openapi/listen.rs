//! The listener, with a bounded number of connections and bounded times.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header;
use axum::response::Html;
use axum::routing::{any, get};
use axum::{Extension, Router};
use rts_transport_tokio::server::{LogThrottle, Node};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::answer::{Answerer, Peer};
use super::connection::serve_connection;
use super::connection_log::ConnectionLog;
use super::health::Health;
use super::keys::Keys;
use super::orders;
use super::page::page;
use super::places::{CONNECTIONS_MAX, Places, Taken};
use super::polls::Polls;
use super::timed::Progress;
use super::waiting;
use crate::config::Config;
use crate::state::State;
use crate::{ServerError, config};

/// Pause before the next accept when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Content security policy: the page runs no scripts and loads no resources.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// The OpenAPI, ready to serve.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    pub(super) router: Router,
}

impl Listener {
    pub(crate) fn new(
        listener: TcpListener,
        address: SocketAddr,
        config: &Config,
        openapi: &config::OpenApi,
        node: Node,
        state: Arc<State>,
        health: Health,
    ) -> Result<Self, ServerError> {
        let mut pepper = [0; 32];
        getrandom::fill(&mut pepper).map_err(ServerError::Random)?;
        let answerer = Answerer::new(node, state, Keys::new(openapi, pepper), config);
        Ok(Self { listener, address, router: router(Arc::new(answerer), Arc::new(health)) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until this future is dropped, which aborts requests under way.
    pub(crate) async fn serve(self) {
        serve(&self.listener, self.router).await;
    }
}

/// Answers questions for the health of a server that waits to become a member of its cluster.
/// `waits_for` names what is missing. Dropping the future ends it.
pub(crate) async fn serve_while_waiting(
    listener: &TcpListener,
    waits_for: watch::Receiver<String>,
) -> Infallible {
    serve(listener, waiting::router(waits_for)).await
}

async fn serve(listener: &TcpListener, router: Router) -> Infallible {
    let descriptor_max = config::openapi_descriptor_max(config::descriptors());
    let mut connections = Connections::new(router);
    let mut throttle = LogThrottle::default();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if descriptor(&stream).is_some_and(|descriptor| descriptor > descriptor_max) {
                    connections.log.no_place(
                        peer,
                        "the files that this process may open are used up but for a few",
                    );
                    continue;
                }
                connections.serve(stream, peer).await;
            }
            Err(error) => {
                if let Some(left_out) = throttle.allow(std::time::Instant::now()) {
                    let left_out = (left_out > 0).then_some(left_out);
                    tracing::warn!(%error, left_out, "the OpenAPI cannot accept a connection; retrying");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The connections that are served. Dropping it aborts them.
pub(super) struct Connections {
    router: Router,
    places: Places,
    polls: Polls,
    log: Arc<ConnectionLog>,
    tasks: JoinSet<()>,
}

impl Connections {
    pub(super) fn new(router: Router) -> Self {
        let (places, polls) = (Places::default(), Polls::new());
        Self { router, places, polls, log: Arc::default(), tasks: JoinSet::new() }
    }

    /// Serves a connection, if there is a place for it. If another connection must end for it, this
    /// waits for the end of that connection's task, which holds the socket until then.
    pub(super) async fn serve<S>(&mut self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        while self.tasks.try_join_next().is_some() {}
        let progress = Arc::new(Progress::default());
        let place = match self.places.take(peer, Arc::clone(&progress)) {
            Taken::Free(place) => place,
            Taken::InsteadOf(ended, place) => {
                self.log.no_place(ended, "it waited longest, and another one came");
                place
            }
            Taken::Nothing => {
                self.log.no_place(peer, "all connections that there may be are answered");
                return;
            }
        };
        let router = self.router.clone().layer(Extension(Peer(peer)));
        let connection = serve_connection(stream, router, progress, self.polls.clone());
        let log = Arc::clone(&self.log);
        self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                log.failed(peer, &error);
            }
            drop(place);
        });
        while self.tasks.len() > CONNECTIONS_MAX {
            self.tasks.join_next().await;
        }
    }

    /// The number of open connections.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }
}

/// The file descriptor of the socket.
#[cfg(unix)]
fn descriptor(stream: &TcpStream) -> Option<usize> {
    use std::os::fd::AsRawFd as _;

    usize::try_from(stream.as_raw_fd()).ok()
}

#[cfg(not(unix))]
fn descriptor(_: &TcpStream) -> Option<usize> {
    None
}

fn router(answerer: Arc<Answerer>, health: Arc<Health>) -> Router {
    let document = serde_json::to_value(rts_openapi::document()).unwrap_or_default();
    let html = Bytes::from(page(&document));
    // Created once: anyone may request the document without a key.
    let document = Bytes::from(document.to_string());
    let orders = orders::router(&answerer, &health);
    let (ready, cluster) = (Arc::clone(&health), Arc::clone(&health));
    let json = [(header::CONTENT_TYPE, "application/json")];
    let answer = move |request| {
        let answerer = Arc::clone(&answerer);
        async move { answerer.answer(request).await }
    };
    let answer = any(answer);
    Router::new()
        .route("/", answer.clone())
        .route("/v1/{*path}", answer)
        .route("/health", get(async move || health.answer().await))
        .route("/ready", get(async move || ready.answer_ready().await))
        .route("/cluster", get(async move || cluster.answer_cluster().await))
        .merge(orders)
        .route("/openapi.json", get(async move || (json, document)))
        .route(
            "/docs",
            get(async || ([(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)], Html(html))),
        )
}
