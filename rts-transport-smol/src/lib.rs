#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod runtime;

pub use rts_driver::client::*;
pub use runtime::{Smol, Tcp};

/// What a program needs that serves links instead of making one.
pub mod server {
    pub use rts_driver::server::*;

    /// A server core with its links, on smol's global executor: see [`rts_driver::server::Shard`].
    pub type Shard = rts_driver::server::Shard<super::Smol>;
}

/// Makes an engine for the server at `address`: `rts://` is plain TCP, `rtss://` TLS, `ws://` and
/// `wss://` WebSocket, such as `rts://127.0.0.1:7600`. Nothing is connected before
/// [`Engine::login`].
///
/// The engine lives in a task on smol's global executor, which needs no setup and ends with the
/// process. So this can be called from anywhere. That executor has one thread, unless the
/// environment variable `SMOL_THREADS` says otherwise.
///
/// # Errors
///
/// An address or app id that cannot be used; no random numbers.
pub fn connect(address: &str, app_id: &str) -> Result<Engine, ConnectError> {
    let connector = Connector::new(address, ConnectOptions::default())?;
    connect_with(connector, AppId::new(app_id)?, EngineOptions::default())
}

/// The same with a [`Connector`], which knows of proxies and of certificates to trust, and with
/// [`EngineOptions`]. Engines made with clones of one connector share what it has read.
///
/// # Errors
///
/// No random numbers.
pub fn connect_with(
    connector: Connector,
    app_id: AppId,
    options: EngineOptions,
) -> Result<Engine, ConnectError> {
    rts_driver::client::connect::<Smol>(connector, app_id, options)
}
