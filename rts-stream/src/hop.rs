//! [`Hop`]: what a client connects to first.

use std::fmt;

/// The first hop of a link, as `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hop {
    /// The server itself.
    Server(String),
    /// The proxy on the way.
    Proxy(String),
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(authority) => f.write_str(authority),
            Self::Proxy(authority) => write!(f, "the proxy {authority}"),
        }
    }
}
