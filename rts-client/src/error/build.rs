//! Engines that were not made.

use rts_driver::client::{ConnectError, ConnectorError, IdError, TimingError};

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The server's address, or what is needed for TLS or a proxy, cannot be used.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// [`Builder::connect_options`](crate::Builder::connect_options) was called for a connector,
    /// which has options of its own.
    #[error("a connector has options of its own: give them to it")]
    OptionsOfConnector,
    /// The app id is malformed.
    #[error(transparent)]
    AppId(#[from] IdError),
    /// A time is shorter than 10 ms or longer than an hour.
    #[error(transparent)]
    Timing(#[from] TimingError),
    /// No runtime, or no random numbers.
    #[error(transparent)]
    Connect(#[from] ConnectError),
}
