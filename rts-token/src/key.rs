use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::TokenError;
use crate::limits::SIGNATURE_BYTES;

/// The secret that an app's tokens are signed with.
///
/// It cannot be read back, and prints as `AppKey(redacted)`. It is not wiped from memory when
/// dropped.
#[derive(Clone)]
pub struct AppKey {
    // The HMAC state after the key. So a login hashes only the message, and the bytes of the key
    // are not kept.
    keyed: Hmac<Sha256>,
}

impl AppKey {
    /// A key of at least one byte. HMAC gains nothing from more than 64 bytes.
    ///
    /// # Errors
    ///
    /// [`TokenError::AppKeyEmpty`]: HMAC would accept an empty key, but then anyone could sign.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, TokenError> {
        let bytes = bytes.as_ref();
        if bytes.is_empty() {
            return Err(TokenError::AppKeyEmpty);
        }
        let keyed = Hmac::new_from_slice(bytes).expect("HMAC takes a key of any length");
        Ok(Self { keyed })
    }

    pub(crate) fn sign(&self, msg: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.keyed.clone().chain_update(msg).finalize().into_bytes().into()
    }

    /// Constant time in the signature: the duration does not reveal how much of it was correct.
    pub(crate) fn check(
        &self,
        msg: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), TokenError> {
        self.keyed
            .clone()
            .chain_update(msg)
            .verify_slice(signature)
            .map_err(|_| TokenError::SignatureMismatch)
    }
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppKey(redacted)")
    }
}
