#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod runtime;

pub use rts_driver::client::*;
pub use runtime::{Tcp, Tokio};

/// The types for programs that serve links.
pub mod server {
    pub use rts_driver::server::*;

    /// Server cores with their links, on tokio: see [`rts_driver::server::Node`].
    pub type Node = rts_driver::server::Node<super::Tokio>;

    /// The shards of a [`Node`], for commands and questions.
    pub type Commands<'a> = rts_driver::server::Commands<'a, super::Tokio>;
}

/// Makes an engine for the server at `address`, such as `rts://127.0.0.1:7600`. The schemes are
/// `rts` (plain TCP), `rtss` (TLS), `ws` and `wss` (WebSocket). Nothing is connected before
/// [`Engine::login`].
///
/// The engine lives in a task on the current runtime. When the runtime shuts down, the engine is
/// destroyed: every [`Sent`] completes and [`Events`] ends.
///
/// # Errors
///
/// Invalid address or app id; no runtime; the random source failed.
pub fn connect(address: &str, app_id: &str) -> Result<Engine, ConnectError> {
    let connector = Connector::new(address, ConnectOptions::default())?;
    connect_with(connector, AppId::new(app_id)?, EngineOptions::default())
}

/// Like [`connect`], with a [`Connector`], which has a proxy and trusted certificates, and with
/// [`EngineOptions`]. Engines with clones of one connector share the certificates that it has read.
///
/// # Errors
///
/// No runtime; the random source failed.
pub fn connect_with(
    connector: Connector,
    app_id: AppId,
    options: EngineOptions,
) -> Result<Engine, ConnectError> {
    rts_driver::client::connect::<Tokio>(connector, app_id, options)
}
