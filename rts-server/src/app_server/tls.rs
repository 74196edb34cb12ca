//! TLS to app servers: the certificate authorities to trust.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::ConfigError;
use crate::causes::file_trouble;

/// Trusts the certificates of the system, or only those of a file.
pub(crate) fn client_config(
    app_id: &str,
    ca_file: Option<&Path>,
) -> Result<Arc<ClientConfig>, ConfigError> {
    let error = |what: String| ConfigError::Value {
        key: format!("apps.{app_id}.app_server.ca_file"),
        what,
    };
    let certificates = match ca_file {
        None => rustls_native_certs::load_native_certs().certs,
        Some(path) => {
            let file = std::fs::read(path).map_err(|e| {
                error(format!("{} cannot be read: {}", path.display(), file_trouble(&e)))
            })?;
            CertificateDer::pem_slice_iter(&file)
                .collect::<Result<_, _>>()
                // The errors of the parser would show the content of the file.
                .map_err(|_| error(format!("no PEM certificates in {}", path.display())))?
        }
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if ca_file.is_some() && added == 0 {
        return Err(error("there is no certificate in this file".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| error(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // No state of one connection is reused by another.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}
