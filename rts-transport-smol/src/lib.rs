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
/// [`Engine::login`]. `parameters` is a JSON object, such as `{}`.
///
/// The engine lives in a task on smol's global executor, which needs no setup and ends with the
/// process. So this can be called from anywhere. That executor has one thread, unless the
/// environment variable `SMOL_THREADS` says otherwise.
///
/// # Errors
///
/// An address, app id or parameters that cannot be used; no random numbers.
pub fn connect(
    address: &str,
    app_id: &str,
    parameters: &str,
) -> Result<(Engine, Events), ConnectError> {
    let connector = Connector::new(address, ConnectOptions::default())?;
    connect_with(connector, app_id, parameters)
}

/// The same with a [`Connector`], which knows of proxies and of certificates to trust. Engines made
/// with clones of one share what it has read.
///
/// # Errors
///
/// As for [`connect`].
pub fn connect_with(
    connector: Connector,
    app_id: &str,
    parameters: &str,
) -> Result<(Engine, Events), ConnectError> {
    rts_driver::client::connect::<Smol>(connector, app_id, parameters)
}

/// Like [`connect_with`], with an observer of the engine's core, such as a recorder: see
/// [`Engine::observed`].
///
/// # Errors
///
/// See [`connect`].
pub fn connect_observed(
    connector: Connector,
    app_id: &str,
    parameters: &str,
    observer: Box<dyn Observe + Send>,
) -> Result<(Engine, Events), ConnectError> {
    rts_driver::client::connect_observed::<Smol>(connector, app_id, parameters, observer)
}
