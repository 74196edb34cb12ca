//! TLS, by rustls.

mod client;
mod explain;
mod identity;
mod pem;
mod provider;
mod session;

pub use client::Roots;
pub(crate) use client::{client_config, with_alpn};
pub(crate) use explain::explain;
pub use explain::explain_tls;
pub use identity::{Identity, IdentityError};
pub use pem::PemError;
pub(crate) use session::Tls;
