//! Why a link does not come up, or breaks, in messages that say what to change.

mod proxy;
mod upgrade;
mod web_socket;

use std::io;

use crate::address::{Address, AddressError};
use crate::hop::Hop;
#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
use crate::tls::PemError;
pub use proxy::{ProxyFailure, Socks5Reply};
pub use upgrade::{UpgradeError, UpgradeRefusal};
pub use web_socket::WebSocketError;

/// Why a stream cannot continue. An answer to the peer, if there is one, is among the bytes that
/// are left to write.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// HTTP arrived where frames or TLS should have (§12.3).
    #[error(
        "the other side speaks HTTP, not RTS: for a WebSocket the address must begin with \
         ws:// or wss://, and otherwise the port is wrong"
    )]
    SpeaksHttp,
    /// TLS arrived where frames should have (§12.3).
    #[error(
        "the other side speaks TLS: the address must begin with rtss:// instead of rts://, or \
         wss:// instead of ws://"
    )]
    SpeaksTls,
    /// A header of the PROXY protocol arrived first (§12.3).
    #[error(
        "a header of the PROXY protocol came first, which RTS does not support: switch it off at the \
         proxy or load balancer in between"
    )]
    SpeaksProxyProtocol,
    /// Something that is not TLS arrived where TLS should have.
    #[error(
        "the other side does not speak TLS: the address must begin with rts:// instead of \
         rtss://, or ws:// instead of wss://, or the port is wrong"
    )]
    NotTls,
    /// TLS failed: certificates, versions, alerts.
    #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
    #[error("{}", crate::tls::explain(.0))]
    Tls(#[source] rustls::Error),
    /// The server, or a proxy in between, opened no WebSocket (§12.5).
    #[error("no WebSocket: {0}")]
    Upgrade(#[from] UpgradeError),
    /// A client's request opened no WebSocket (§12.5).
    #[error("no WebSocket: {0}")]
    UpgradeRefused(#[from] UpgradeRefusal),
    /// The peer violated WebSocket or §12.
    #[error("the other side broke a rule of WebSocket: {0}")]
    WebSocket(#[from] WebSocketError),
    /// The proxy did not make the connection.
    #[error("{0}")]
    Proxy(#[from] ProxyFailure),
    /// More bytes than any handshake needs.
    #[error("more than {max} bytes, and the handshake is not complete")]
    HandshakeTooLong {
        /// The allowed bytes.
        max: usize,
    },
    /// The peer's input needs answers, but the peer does not read them.
    #[error("the other side does not read its answers")]
    DoesNotRead,
    /// The system's random source failed.
    #[error("the system's random source failed")]
    Random,
}

/// Why a connector cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectorError {
    /// The address is invalid.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// This build does not support the scheme.
    #[error("{address} cannot be used: this program was built without the feature {feature}")]
    NotBuiltIn {
        /// The address.
        address: Address,
        /// The feature of the crate that supports it.
        feature: &'static str,
    },
    /// An additional trusted certificate is invalid.
    #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
    #[error("the certificate to trust: {0}")]
    Roots(#[source] PemError),
    /// No authority is trusted.
    #[error(
        "no trusted authority: the system has no certificates (on Debian, install the package \
         ca-certificates), and none were given"
    )]
    NoRoots,
    /// The host of the address, of at most 253 bytes, cannot be the name of a certificate.
    #[error("{0:?} is not a valid name for a certificate")]
    ServerName(String),
    /// TLS cannot be set up.
    #[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] rustls::Error),
}

/// Why a client has no link.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The name is unknown, the connection was refused, or the network is unreachable.
    #[error("cannot connect to {at}: {}", explain(.error))]
    Connect {
        /// The server or the proxy.
        at: Hop,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// A handshake failed, or the peer violated a protocol.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// The connection was closed, or broke, during a handshake.
    #[error("the connection was closed during the handshake{}", because(.0))]
    Closed(#[source] Option<io::Error>),
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "the connection was refused: nothing listens there".to_owned()
        }
        _ => error.to_string(),
    }
}

fn because(error: &Option<io::Error>) -> String {
    error.as_ref().map_or_else(String::new, |error| format!(": {error}"))
}
