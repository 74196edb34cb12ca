//! [`CreateError`]: why no engine was made.

use rts_proto::client::ParametersError;
use rts_transport_tokio::{ConnectError, ConnectorError, IdError};

/// Why no engine was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The address of the server is invalid.
    #[error(transparent)]
    Address(#[from] ConnectorError),
    /// The app id is malformed.
    #[error(transparent)]
    AppId(#[from] IdError),
    /// The parameters are not a JSON object.
    #[error("parameters: {0}")]
    Parameters(#[source] ParametersError),
    /// The thread of the engines cannot be started, or the system's random source failed.
    #[error("the engine cannot be started: {0}")]
    System(String),
}

impl From<ConnectError> for CreateError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Connector(error) => Self::Address(error),
            ConnectError::AppId(error) => Self::AppId(error),
            error => Self::System(error.to_string()),
        }
    }
}
