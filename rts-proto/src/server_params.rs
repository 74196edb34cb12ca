//! The app server's URL, to which messages of users are posted.

use core::fmt;

use crate::Text;
use crate::limits::{SIGNATURE_BYTES_MAX, URL_BYTES_MAX};

/// A URL and the signature that is sent to it. A value can hold a URL that the operator does not
/// allow.
///
/// `Debug` shows neither: the signature is a secret, and a URL may contain one.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Unchecked"))]
pub struct ServerParams {
    signature: Text,
    url: Text,
}

impl ServerParams {
    /// Checks lengths and characters (§11.3). `None` when they are invalid.
    #[must_use]
    pub fn new(signature: &[u8], url: &[u8]) -> Option<Self> {
        let signature = core::str::from_utf8(signature).ok()?;
        let url = core::str::from_utf8(url).ok()?;
        let is_good = (1..=SIGNATURE_BYTES_MAX).contains(&signature.len())
            && !signature.chars().any(char::is_control)
            && (1..=URL_BYTES_MAX).contains(&url.len())
            && url.is_ascii();
        is_good.then(|| Self { signature: signature.into(), url: url.into() })
    }

    /// The text that is sent to the app server.
    #[must_use]
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// The URL as the client wrote it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn len(&self) -> usize {
        self.signature.len() + self.url.len()
    }
}

/// Params from elsewhere.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Unchecked {
    signature: Text,
    url: Text,
}

#[cfg(feature = "serde")]
impl TryFrom<Unchecked> for ServerParams {
    type Error = &'static str;

    fn try_from(params: Unchecked) -> Result<Self, Self::Error> {
        let Unchecked { signature, url } = params;
        Self::new(signature.as_bytes(), url.as_bytes()).ok_or("invalid params for the app server")
    }
}

impl fmt::Debug for ServerParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerParams(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(signature: impl AsRef<[u8]>, url: impl AsRef<[u8]>) -> bool {
        ServerParams::new(signature.as_ref(), url.as_ref()).is_some()
    }

    #[test]
    fn accepts_longest_params_and_refuses_one_byte_more() {
        assert!(accepts("s".repeat(1_024), "u".repeat(2_048)));
        assert!(!accepts("s".repeat(1_025), "u"));
        assert!(!accepts("s", "u".repeat(2_049)));
        assert!(!accepts("", "u") && !accepts("s", ""));
    }

    #[test]
    fn refuses_control_characters_and_non_ascii_urls() {
        assert!(accepts("signé ✓", "u"));
        for signature in ["a\nb".as_bytes(), b"a\0", b"\x7F", "\u{85}".as_bytes(), b"\xFF"] {
            assert!(!accepts(signature, "u"), "{signature:?}");
        }
        assert!(!accepts("s", "https://\u{e9}"));
    }
}
