//! The authorities that a client trusts.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::pem::PemError;
use super::provider::{alpn, provider};
use crate::error::ConnectorError;

/// The authorities that a client trusts, before additional ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roots {
    /// The system's authorities.
    #[default]
    System,
    /// Mozilla's authorities, as of the build.
    Bundled,
    /// No authorities.
    None,
}

/// A configuration for the roots, and the additional ones in `pem`.
pub(crate) fn client_config(
    roots: Roots,
    pem: Option<&[u8]>,
    has_web_socket: bool,
) -> Result<Arc<ClientConfig>, ConnectorError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Roots::Bundled => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::None => {}
    }
    for certificate in CertificateDer::pem_slice_iter(pem.unwrap_or_default()) {
        let certificate = certificate.map_err(|error| {
            ConnectorError::Roots(PemError::of(&error, PemError::NoCertificate))
        })?;
        store.add(certificate).map_err(|error| ConnectorError::Roots(PemError::Content(error)))?;
    }
    if pem.is_some_and(|pem| CertificateDer::pem_slice_iter(pem).next().is_none()) {
        return Err(ConnectorError::Roots(PemError::NoCertificate));
    }
    if store.is_empty() {
        return Err(ConnectorError::NoRoots);
    }
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(ConnectorError::Tls)?
        .with_root_certificates(store)
        .with_no_client_auth();
    config.alpn_protocols = alpn(has_web_socket);
    Ok(Arc::new(config))
}

/// The application's own configuration, with the protocols inside of TLS if it has none.
pub(crate) fn with_alpn(config: Arc<ClientConfig>, has_web_socket: bool) -> Arc<ClientConfig> {
    if config.alpn_protocols.is_empty() {
        let mut config = ClientConfig::clone(&config);
        config.alpn_protocols = alpn(has_web_socket);
        Arc::new(config)
    } else {
        config
    }
}
