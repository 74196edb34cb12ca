//! What lies between a TCP stream and the frames of RTS: TLS, WebSocket, proxies.
//!
//! What this crate does not do: it has no socket, task, thread or timer. [`Layers`] takes the bytes
//! that were read from a socket and gives the bytes that are to be written to one, so every
//! runtime, and a program without one, drives it in the same way. It reads no file but the system's
//! certificates.
//!
//! ```text
//!   Connector (client)  --layers-->  Layers  <--layers--  Acceptor (server)
//!
//!      rts://      rtss://     ws://       wss://
//!      frames      frames      frames      frames
//!        |           |         WebSocket   WebSocket
//!        |          TLS          |          TLS
//!       [proxy]    [proxy]     [proxy]     [proxy]     a client's only
//!       TCP         TCP         TCP         TCP
//! ```
//!
//! Section 12 of `docs/protocol.md` has the rules.
#![forbid(unsafe_code)]

mod acceptor;
mod address;
mod connector;
mod error;
mod http;
mod layer;
mod layers;
mod proxy;
mod sniff;
#[cfg(feature = "__tls")]
mod tls;
#[cfg(feature = "websocket")]
mod web_socket;

pub use acceptor::Acceptor;
pub use address::{Address, AddressError, Scheme};
pub use connector::{ConnectOptions, Connector};
pub use error::{ConnectorError, LayerError, LinkError, WebSocketError};
pub use layers::{CLOSE_TO_PROXIED, End, Layers};
pub use proxy::{Proxy, ProxyError};
#[cfg(feature = "__tls")]
pub use tls::{Identity, IdentityError, Roots, explain_tls};
#[cfg(feature = "websocket")]
pub use web_socket::{MESSAGE_BYTES_MAX, Origins, SUBPROTOCOL};
