//! Where messages for the app's server go.

use core::fmt;

use crate::Text;
use crate::limits::{SIGNATURE_BYTES_MAX, URL_BYTES_MAX};

/// A url and the signature that is shown there. Whether the url may be posted to is not known by
/// this.
///
/// `Debug` shows neither: the signature is a secret, and a url may hold one.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerParams {
    signature: Text,
    url: Text,
}

impl ServerParams {
    /// Checks lengths and characters (§11.3); `None` when they can be used by nobody.
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

    /// What the app's server is shown.
    #[must_use]
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// As the client wrote it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn len(&self) -> usize {
        self.signature.len() + self.url.len()
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
    fn the_longest_are_accepted_and_one_byte_more_is_refused() {
        assert!(accepts("s".repeat(1_024), "u".repeat(2_048)));
        assert!(!accepts("s".repeat(1_025), "u"));
        assert!(!accepts("s", "u".repeat(2_049)));
        assert!(!accepts("", "u") && !accepts("s", ""));
    }

    #[test]
    fn a_signature_is_text_without_control_characters_and_a_url_is_ascii() {
        assert!(accepts("signé ✓", "u"));
        for signature in ["a\nb".as_bytes(), b"a\0", b"\x7F", "\u{85}".as_bytes(), b"\xFF"] {
            assert!(!accepts(signature, "u"), "{signature:?}");
        }
        assert!(!accepts("s", "https://\u{e9}"));
    }
}
