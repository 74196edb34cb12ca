//! The setup that both sides of TLS share. The provider of the cryptography is always named.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The protocols inside of TLS (§12.4).
pub(super) fn alpn(has_web_socket: bool) -> Vec<Vec<u8>> {
    let name: &[u8] = if has_web_socket { b"http/1.1" } else { b"rts/1" };
    vec![name.to_vec()]
}

#[cfg(feature = "tls-aws-lc")]
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

#[cfg(not(feature = "tls-aws-lc"))]
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The keys of session tickets. They belong to this process, and rotate by themselves.
pub(super) fn ticketer() -> Result<Arc<dyn rustls::server::ProducesTickets>, rustls::Error> {
    #[cfg(feature = "tls-aws-lc")]
    return rustls::crypto::aws_lc_rs::Ticketer::new();
    #[cfg(not(feature = "tls-aws-lc"))]
    return rustls::crypto::ring::Ticketer::new();
}
