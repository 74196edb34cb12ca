//! Why a job was not done.

use std::time::Duration;

/// Why a job was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Sockets, or waiting for them.
    #[error("{0}; does the server run, and may this process open enough files?")]
    Io(#[from] std::io::Error),
    /// A client lost its link.
    #[error("client {client} of {scheme}: {why}")]
    Lost {
        /// Which.
        client: usize,
        /// Of which protocol.
        scheme: &'static str,
        /// As the server or the system said.
        why: String,
    },
    /// Nothing happened any more.
    #[error("only {ready} of {clients} clients were ready after {}s without progress", STUCK_AFTER.as_secs())]
    Stuck {
        /// So many were.
        ready: usize,
        /// Of so many.
        clients: usize,
    },
    /// There must be somebody, and something to send.
    #[error("{0}")]
    Nothing(&'static str),
}

/// Clients that are not ready by then never will be.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(20);
