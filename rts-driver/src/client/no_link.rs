//! [`NoLink`]: why an engine has no link to its server.

use std::error::Error;
use std::fmt;

use rts_stream::{Address, LinkError};

/// Why an engine has no link to its server: the error in
/// [`LinkFailure::NoLink`](super::LinkFailure::NoLink).
#[derive(Debug)]
pub struct NoLink {
    address: Address,
    error: LinkError,
}

impl NoLink {
    pub(super) fn new(address: Address, error: LinkError) -> Self {
        Self { address, error }
    }

    /// The address of the server.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The failed step: the connection, or a layer over it.
    #[must_use]
    pub fn error(&self) -> &LinkError {
        &self.error
    }
}

impl fmt::Display for NoLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no link to {}: {}", self.address, self.error)
    }
}

/// The message contains that of the [`error`](NoLink::error), so the source is the source of that
/// error.
impl Error for NoLink {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}
