//! The listener: bounded in connections, and in how long they may take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header;
use axum::response::{Html, Json};
use axum::routing::{any, get};
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rts_transport_tokio::{Seldom, Shard};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::answer::{Answerer, Peer};
use super::keys::Keys;
use super::page::page;
use crate::config::Config;
use crate::{ServerError, config};

/// Connections at a moment. Further ones wait to be accepted.
pub(super) const CONNECTIONS_MAX: usize = 1_024;
/// A connection that has not sent the head of a request by then is closed.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1_024;
/// What to wait for when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The page runs nothing and loads nothing.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// The OpenAPI, listening.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    pub(super) router: Router,
}

impl Listener {
    pub(crate) async fn bind(
        config: &Config,
        openapi: &config::OpenApi,
        shard: Shard,
    ) -> Result<Self, ServerError> {
        let listen_error = |error| ServerError::Listen { address: openapi.listen, error };
        let listener = TcpListener::bind(openapi.listen).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let mut pepper = [0; 32];
        getrandom::fill(&mut pepper).map_err(ServerError::Random)?;
        let answerer = Answerer::new(shard, Keys::new(openapi, pepper), config);
        Ok(Self { listener, address, router: router(Arc::new(answerer)) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is dropped, which breaks off what is being answered.
    pub(crate) async fn serve(self) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        let mut trouble = Seldom::default();
        loop {
            let place = Arc::clone(&places).acquire_owned().await;
            while connections.try_join_next().is_some() {}
            match self.listener.accept().await {
                Ok((stream, peer)) => {
                    let router = self.router.clone().layer(Extension(Peer(peer)));
                    let connection = serve_connection(stream, router);
                    connections.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    if let Some(left_out) = trouble.happened(std::time::Instant::now()) {
                        tracing::warn!(%error, left_out, "the OpenAPI cannot accept a connection; trying on");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

pub(super) async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    router: Router,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection of the OpenAPI ended");
    }
}

fn router(answerer: Arc<Answerer>) -> Router {
    let document = rts_openapi::document();
    let html = page(&serde_json::to_value(&document).unwrap_or_default());
    let answer = move |request| {
        let answerer = Arc::clone(&answerer);
        async move { answerer.answer(request).await }
    };
    let answer = any(answer);
    Router::new()
        .route("/", answer.clone())
        .route("/v1/{*path}", answer)
        .route("/health", get(async || Json(serde_json::json!({"status": "ok"}))))
        .route("/openapi.json", get(async || Json(document)))
        .route(
            "/docs",
            get(async || ([(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)], Html(html))),
        )
}
