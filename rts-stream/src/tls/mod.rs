//! TLS, by rustls. The provider of the cryptography is always named.

mod client;
mod explain;
mod identity;
mod session;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use client::Roots;
pub(crate) use client::{client_config, with_alpn};
pub use explain::explain_tls;
pub use identity::{Identity, IdentityError};
pub(crate) use session::Tls;

/// What is spoken inside of TLS (§12.4).
fn alpn(has_web_socket: bool) -> Vec<Vec<u8>> {
    let name: &[u8] = if has_web_socket { b"http/1.1" } else { b"rts/1" };
    vec![name.to_vec()]
}

#[cfg(feature = "tls-aws-lc")]
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

#[cfg(not(feature = "tls-aws-lc"))]
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// For session tickets: keys of this process, which change by themselves.
fn ticketer() -> Result<Arc<dyn rustls::server::ProducesTickets>, rustls::Error> {
    #[cfg(feature = "tls-aws-lc")]
    return rustls::crypto::aws_lc_rs::Ticketer::new();
    #[cfg(not(feature = "tls-aws-lc"))]
    return rustls::crypto::ring::Ticketer::new();
}
