//! Errors of a server that does not start or stops, with their remedies.

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use crate::ConfigError;
use crate::cluster::{LifeError, NatsError};
use crate::member::MembershipEnded;
use crate::state::StateError;
use crate::tasks::TaskEnded;

/// Why a server does not start, or stops by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", explain(*.address, .error))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        error: io::Error,
    },
    /// The store of bans and revoked tokens cannot be used.
    #[error("state_dir: {0}")]
    State(#[from] StateError),
    /// The system gave no random numbers.
    #[error("the system's random source failed: {0}")]
    Random(getrandom::Error),
    /// The caller's observer of the shard could not be created ([`Server::bind_observed`]).
    ///
    /// [`Server::bind_observed`]: crate::Server::bind_observed
    #[error(transparent)]
    Observer(Box<dyn Error + Send + Sync>),
    /// The files of a node of a cluster cannot be used.
    #[error("state_dir: {0}")]
    Life(#[from] LifeError),
    /// NATS cannot be used.
    #[error("cluster: {0}")]
    Nats(#[from] NatsError),
    /// The server is no member of its cluster any more. A new one of the same configuration joins
    /// again.
    #[error(transparent)]
    MembershipEnded(#[from] MembershipEnded),
    /// A task of the server ended while it was serving.
    #[error("the server stops: {0}")]
    Ended(#[from] TaskEnded),
}

/// Why the address cannot be listened on, and the remedy.
fn explain(address: SocketAddr, error: &io::Error) -> String {
    let port = address.port();
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "the port is in use (`ss -ltnp 'sport = :{port}'` shows the process); \
             stop it, or choose another address"
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "this machine does not have this address (`ip address` lists its addresses); \
             {} is all of them",
            if address.is_ipv4() { "0.0.0.0" } else { "[::]" }
        ),
        io::ErrorKind::PermissionDenied => format!(
            "this user may not listen on port {port}, as a rule because it is below 1024; give the \
             program the right to (`setcap cap_net_bind_service=+ep FILE`, or with systemd \
             AmbientCapabilities=CAP_NET_BIND_SERVICE), or choose a higher port and let a proxy or \
             the firewall lead there"
        ),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_errors_have_a_remedy() {
        for (kind, at, helps) in [
            (io::ErrorKind::AddrInUse, "127.0.0.1:7600", "'sport = :7600'"),
            (io::ErrorKind::AddrNotAvailable, "192.0.2.1:1", "0.0.0.0 is all"),
            (io::ErrorKind::AddrNotAvailable, "[2001:db8::1]:1", "[::] is all"),
            (io::ErrorKind::PermissionDenied, "0.0.0.0:443", "cap_net_bind_service"),
        ] {
            let address = at.parse().expect("an address");
            let said = ServerError::Listen { address, error: kind.into() }.to_string();
            assert!(said.starts_with(&format!("cannot listen on {at}: ")), "{said}");
            assert!(said.contains(helps), "{said}");
        }
    }
}
