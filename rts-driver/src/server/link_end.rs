//! Why a link ended that the core did not close, for the log.

use std::fmt;
use std::io;

use rts_stream::LayerError;

/// Why a link ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LinkEnd {
    /// The client closed the link.
    Closed,
    /// The link broke.
    Broken(io::ErrorKind),
    /// The client violated the protocol of TLS or WebSocket, or spoke another protocol.
    Layer(LayerError),
    /// The server gave the link up.
    GivenUp(Fault),
}

/// Why the server gives a link up without a `Close`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// More bytes wait to be written than the bound allows.
    NotRead,
    /// A bug of the server.
    Panicked,
}

impl LinkEnd {
    pub(crate) fn of_stream(how: Option<io::ErrorKind>) -> Self {
        how.map_or(Self::Closed, Self::Broken)
    }

    pub(crate) fn of_layers(error: Option<LayerError>) -> Self {
        error.map_or(Self::Closed, Self::Layer)
    }
}

impl fmt::Display for LinkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed by the client"),
            Self::Broken(how) => write!(f, "broken: {how}"),
            Self::Layer(error) => write!(f, "{error}"),
            Self::GivenUp(Fault::NotRead) => {
                f.write_str("given up: the client does not read what it is sent")
            }
            Self::GivenUp(Fault::Panicked) => {
                f.write_str("given up after a bug of the server, which the log has as a panic")
            }
        }
    }
}
