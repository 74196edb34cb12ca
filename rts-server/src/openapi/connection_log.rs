//! Log lines about connections, apart from their requests.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rts_transport_tokio::server::LogRateLimiter;

use super::connection::Failed;

/// Log lines with the target `rts::openapi`, at a bounded rate, because strangers cause them.
#[derive(Default)]
pub(super) struct ConnectionLog {
    strangers: Mutex<LogRateLimiter>,
}

impl ConnectionLog {
    /// Logs a connection that was closed before its request was read.
    pub(super) fn no_place(&self, peer: SocketAddr, why: &str) {
        let Some(left_out) = self.thin(peer) else { return };
        tracing::info!(
            target: "rts::openapi", address = %peer, why, left_out,
            "OpenAPI: connection refused, limit reached"
        );
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

    /// The number of lines left out since the last one, if any. `None`: leave this line out too.
    fn thin(&self, peer: SocketAddr) -> Option<Option<u64>> {
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = strangers.allow(Some(peer.ip()), Instant::now())?;
        Some((left_out > 0).then_some(left_out))
    }
}
