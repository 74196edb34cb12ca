use alloc::vec::Vec;
use core::fmt;

use crate::envelope::{self, Envelope};
use crate::limits::SIGNATURE_BYTES;
use crate::{AppKey, Token, TokenError, msg};

/// Reads a token's fields without a key, to show them to a person.
///
/// Anyone can write a token with any fields. Servers use [`verify`](crate::verify).
///
/// # Errors
///
/// The text or a field is malformed. Expiry and signature are not checked.
pub fn inspect(token: &str) -> Result<Unverified, TokenError> {
    let envelope = Envelope::decode(envelope::split_text(token)?)?;
    let token = msg::unpack(envelope.app_id, &envelope.msg)?;
    Ok(Unverified { token, msg: envelope.msg, signature: envelope.signature })
}

/// A well-formed token whose signature is not checked yet.
#[derive(Clone)]
pub struct Unverified {
    token: Token,
    msg: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

impl Unverified {
    /// The fields of the token, which may be forged.
    #[must_use]
    pub fn claims(&self) -> &Token {
        &self.token
    }

    /// Checks only the signature over the received bytes, in constant time.
    ///
    /// The signature does not cover the app id, and an expiry needs a time. So a caller that relies
    /// on the result must compare [`Token::app_id`] with the key's app, and check
    /// [`Token::is_expired`].
    ///
    /// # Errors
    ///
    /// [`SignatureMismatch`](TokenError::SignatureMismatch).
    pub fn verify(&self, key: &AppKey) -> Result<Token, TokenError> {
        key.check(&self.msg, &self.signature)?;
        Ok(self.token.clone())
    }
}

impl fmt::Debug for Unverified {
    /// Omits the message and the signature, which together are a token for a login.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("claims", &self.token).finish_non_exhaustive()
    }
}
