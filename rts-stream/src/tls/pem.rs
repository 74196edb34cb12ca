//! Why a file in PEM form cannot be used.

use rustls::pki_types::pem;

use super::explain::explain_content;

/// Why a text in PEM form cannot be used. The message never repeats the text, which may contain a
/// key.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// The text has no section with a certificate.
    #[error("it has no certificate in PEM form")]
    NoCertificate,
    /// The text has no section with a private key.
    #[error("it has no private key in PEM form")]
    NoKey,
    /// A section has no end. A key whose line ends were lost is one line.
    #[error("a section has no -----END line; were the ends of lines lost?")]
    NoSectionEnd,
    /// The first line of a section is malformed.
    #[error("a -----BEGIN line does not end with -----; were the ends of lines lost?")]
    BadSectionStart,
    /// The content of a section is not base64.
    #[error("what is in a section is not base64")]
    NotBase64,
    /// The text violates PEM in another way.
    #[error("it is not in PEM form")]
    NotPem,
    /// The content of a section is not a valid certificate, or not a key of a supported kind.
    #[error("{}", explain_content(.0))]
    Content(#[source] rustls::Error),
}

impl PemError {
    /// The cause, or `missing` if there is no section of the kind that is needed.
    pub(super) fn of(error: &pem::Error, missing: Self) -> Self {
        match error {
            pem::Error::NoItemsFound => missing,
            pem::Error::MissingSectionEnd { .. } => Self::NoSectionEnd,
            pem::Error::IllegalSectionStart { .. } => Self::BadSectionStart,
            pem::Error::Base64Decode(_) => Self::NotBase64,
            _ => Self::NotPem,
        }
    }
}
