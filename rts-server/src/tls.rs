//! TLS to servers of others: the certificate authorities to trust, and a certificate to show.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::causes::file_trouble;

/// Trusts the certificates of the system, or only those of a file. Shows a certificate, if there is
/// one: the names of the files of its chain and of its key. The error is a text for people.
pub(crate) fn client_config(
    ca_file: Option<&Path>,
    identity: Option<(&Path, &Path)>,
) -> Result<ClientConfig, String> {
    let certificates = match ca_file {
        None => rustls_native_certs::load_native_certs().certs,
        Some(path) => certificates_of(path)?,
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(certificates);
    if ca_file.is_some() && added == 0 {
        return Err("there is no certificate in this file".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(certificates_of(certificate)?, private_key(key)?)
            .map_err(|e| format!("{} and {}: {e}", certificate.display(), key.display()))?,
    };
    // No state of one connection is reused by another.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

fn certificates_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    // The errors of the parser would show the content of the file.
    let certificates = certificates.ok().filter(|certificates| !certificates.is_empty());
    certificates.ok_or_else(|| format!("no PEM certificates in {}", path.display()))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(&read(path)?)
        .map_err(|_| format!("no PEM private key in {}", path.display()))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path)
        .map_err(|e| format!("{} cannot be read: {}", path.display(), file_trouble(&e)))
}
