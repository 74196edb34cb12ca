#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod acceptor;
mod address;
mod connector;
mod error;
mod hop;
mod http;
mod layer;
mod layers;
mod proxy;
mod sniff;
#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
mod tls;
#[cfg(feature = "websocket")]
mod web_socket;

pub use acceptor::Acceptor;
pub use address::{Address, AddressError, AddressProblem, Scheme};
pub use connector::{ConnectOptions, Connector};
pub use error::{
    ConnectorError, LayerError, LinkError, ProxyFailure, Socks5Reply, UpgradeError, UpgradeRefusal,
    WebSocketError,
};
pub use hop::Hop;
pub use layers::{CLOSE_TO_PROXIED, End, Layers};
pub use proxy::{Proxy, ProxyError, ProxyProblem};
#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
pub use tls::{Identity, IdentityError, PemError, Roots, explain_tls};
#[cfg(feature = "websocket")]
pub use web_socket::{MESSAGE_BYTES_MAX, Origins, SUBPROTOCOL};
