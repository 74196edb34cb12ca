//! Why a job failed.

use std::time::Duration;

/// Why a job failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A socket failed, or a wait for sockets.
    #[error("{0}; does the server run, and may this process open enough files?")]
    Io(#[from] std::io::Error),
    /// A client lost its link.
    #[error("client {client} of {scheme}: {why}")]
    Lost {
        /// The number of the client.
        client: usize,
        /// The scheme of the protocol.
        scheme: &'static str,
        /// The reason that the server or the system gave.
        why: String,
    },
    /// No further client became ready in time.
    #[error("only {ready} of {clients} clients were ready after {}s without progress", STUCK_AFTER.as_secs())]
    Stuck {
        /// The number of ready clients.
        ready: usize,
        /// The number of all clients.
        clients: usize,
    },
    /// The job has no clients or nothing to send, or the protocol cannot do it.
    #[error("{0}")]
    Nothing(&'static str),
}

/// The time without progress after which clients count as stuck.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(20);
