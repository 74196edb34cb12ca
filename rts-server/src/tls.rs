//! TLS to servers of others: the certificate authorities to trust.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::causes::file_trouble;

/// Trusts the certificates of the system, or only those of a file. The error is a text for people.
pub(crate) fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, String> {
    let certificates = match ca_file {
        None => rustls_native_certs::load_native_certs().certs,
        Some(path) => {
            let file = std::fs::read(path)
                .map_err(|e| format!("{} cannot be read: {}", path.display(), file_trouble(&e)))?;
            CertificateDer::pem_slice_iter(&file)
                .collect::<Result<_, _>>()
                // The errors of the parser would show the content of the file.
                .map_err(|_| format!("no PEM certificates in {}", path.display()))?
        }
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if ca_file.is_some() && added == 0 {
        return Err("there is no certificate in this file".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // No state of one connection is reused by another.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}
