//! The certificate of a server, which can be replaced while links are open.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::pem::PemError;
use super::provider::{alpn, provider, ticketer};

/// A server's certificate and private key. Clones share one identity: after
/// [`replace`](Self::replace), all new links of all listeners get the new certificate. Open links
/// continue.
#[derive(Clone)]
pub struct Identity {
    shown: Arc<Shown>,
}

#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

/// Why a certificate and a key are not an identity.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The certificates are invalid.
    #[error("the certificate file: {0}")]
    Certificate(#[source] PemError),
    /// The private key is invalid.
    #[error("the key file: {0}")]
    Key(#[source] PemError),
    /// Both are valid, but do not belong together.
    #[error("the private key does not belong to the first certificate of the file")]
    Mismatch,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[source] rustls::Error),
}

impl Identity {
    /// Reads a chain of certificates, the server's own first, and its private key, both in PEM
    /// form.
    ///
    /// # Errors
    ///
    /// Not PEM, no certificate or key in it, or a key that does not belong to the certificate.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let shown = Shown(RwLock::new(read(chain, key)?));
        Ok(Self { shown: Arc::new(shown) })
    }

    /// Replaces the certificate for new links.
    ///
    /// # Errors
    ///
    /// As for [`from_pem`](Self::from_pem). After an error, the present certificate stays.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), IdentityError> {
        let read = read(chain, key)?;
        *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    pub(crate) fn server_config(
        &self,
        has_web_socket: bool,
    ) -> Result<Arc<ServerConfig>, IdentityError> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(&self.shown) as _;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(IdentityError::Tls)?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = alpn(has_web_socket);
        // Returning clients present their sessions in tickets, so many of them cost no memory here.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = ticketer().map_err(IdentityError::Tls)?;
        Ok(Arc::new(config))
    }
}

fn read(chain: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, IdentityError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.map_err(|error| {
        IdentityError::Certificate(PemError::of(&error, PemError::NoCertificate))
    })?;
    if chain.is_empty() {
        return Err(IdentityError::Certificate(PemError::NoCertificate));
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| IdentityError::Key(PemError::of(&error, PemError::NoKey)))?;
    let key = provider()
        .key_provider
        .load_private_key(key)
        .map_err(|error| IdentityError::Key(PemError::Content(error)))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(Arc::new(certified))
        }
        Err(rustls::Error::InconsistentKeys(_)) => Err(IdentityError::Mismatch),
        Err(error) => Err(IdentityError::Certificate(PemError::Content(error))),
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Shows no key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}
