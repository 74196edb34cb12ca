#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod acceptor;
mod address;
mod connector;
mod error;
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
pub use address::{Address, AddressError, Scheme};
pub use connector::{ConnectOptions, Connector};
pub use error::{ConnectorError, LayerError, LinkError, WebSocketError};
pub use layers::{CLOSE_TO_PROXIED, End, Layers};
pub use proxy::{Proxy, ProxyError};
#[cfg(any(feature = "tls-ring", feature = "tls-aws-lc"))]
pub use tls::{Identity, IdentityError, Roots, explain_tls};
#[cfg(feature = "websocket")]
pub use web_socket::{MESSAGE_BYTES_MAX, Origins, SUBPROTOCOL};
