//! Why a link does not come up, or breaks, in messages that say what to change.

use std::io;

use crate::address::AddressError;

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
    /// The WebSocket could not be opened (§12.5).
    #[error("no WebSocket: {0}")]
    Upgrade(String),
    /// The peer violated WebSocket or §12.
    #[error("the other side broke a rule of WebSocket: {0}")]
    WebSocket(#[from] WebSocketError),
    /// The proxy did not make the connection.
    #[error("the proxy {0}")]
    Proxy(String),
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

/// A violation of WebSocket, or of §12 about it. Each has a close code, which is sent to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// RFC 6455, 5.2: no extension was agreed on.
    #[error("a reserved bit is set, without an extension")]
    ReservedBit,
    /// RFC 6455, 5.2.
    #[error("an unknown kind of frame")]
    UnknownOpcode,
    /// RFC 6455, 5.2.
    #[error("a length that is not in its shortest form, or over 2^63")]
    BadLength,
    /// RFC 6455, 5.1: frames of a client are masked, those of a server are not.
    #[error("a client's frame without a mask, or a server's frame with one")]
    BadMask,
    /// RFC 6455, 5.5.
    #[error("a control frame that is fragmented or longer than 125 bytes")]
    BadControl,
    /// RFC 6455, 5.4.
    #[error("a continuation without a beginning, or a new message within a fragmented one")]
    BadFragment,
    /// RFC 6455, 5.5.1 and 7.4.
    #[error("a close frame with half a code, or a code that must not be sent")]
    BadClose,
    /// RFC 6455, 5.5.1 and 8.1.
    #[error("a close frame with a reason that is not UTF-8")]
    BadCloseReason,
    /// §12.6.
    #[error("a text message; only binary messages are allowed (§12.6)")]
    Text,
    /// §12.7.
    #[error("a message over the limit (§12.7)")]
    TooLong,
}

impl WebSocketError {
    /// The close code for this violation: RFC 6455, 7.4.1.
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::ReservedBit
            | Self::UnknownOpcode
            | Self::BadLength
            | Self::BadMask
            | Self::BadControl
            | Self::BadFragment
            | Self::BadClose => 1002,
            Self::Text => 1003,
            Self::BadCloseReason => 1007,
            Self::TooLong => 1009,
        }
    }
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
        address: String,
        /// The feature of the crate that supports it.
        feature: &'static str,
    },
    /// An additional trusted certificate is invalid.
    #[error("the certificate to trust: {0}")]
    Roots(String),
    /// No authority is trusted.
    #[error(
        "no trusted authority: the system has no certificates (on Debian, install the package \
         ca-certificates), and none were given"
    )]
    NoRoots,
    /// The host cannot be the name of a certificate.
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
        /// `host:port`, and whether it is a proxy.
        at: String,
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
