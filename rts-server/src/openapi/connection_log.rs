//! What is told of connections besides their requests.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rts_transport_tokio::server::LogRateLimiter;

use super::connection::Failed;

/// Lines have the target `rts::openapi`. They are thinned: strangers cause them.
#[derive(Default)]
pub(super) struct ConnectionLog {
    strangers: Mutex<LogRateLimiter>,
}

impl ConnectionLog {
    /// A connection was closed without a look at what it asks.
    pub(super) fn no_place(&self, peer: SocketAddr, why: &str) {
        let Some(left_out) = self.thin(peer) else { return };
        tracing::info!(target: "rts::openapi", address = %peer, why, left_out, "OpenAPI: no place");
    }

    pub(super) fn failed(&self, peer: SocketAddr, Failed { error, foreign }: &Failed) {
        if !error.is_parse() {
            tracing::debug!(target: "rts::openapi", address = %peer, %error, "OpenAPI: connection over");
            return;
        }
        let Some(left_out) = self.thin(peer) else { return };
        match foreign {
            Some(foreign) => tracing::info!(
                target: "rts::openapi",
                address = %peer, why = foreign.to_string(), left_out,
                "OpenAPI: not HTTP/1; TLS and headers of the PROXY protocol are not supported"
            ),
            None => tracing::info!(
                target: "rts::openapi",
                address = %peer, why = error.to_string(), left_out,
                "OpenAPI: a request that is not valid HTTP/1"
            ),
        }
    }

    /// How many lines were left out since the last one, if any; nothing when this one is, too.
    fn thin(&self, peer: SocketAddr) -> Option<Option<u64>> {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = strangers.allow(Some(peer.ip()), Instant::now())?;
        Some((left_out > 0).then_some(left_out))
    }
}
