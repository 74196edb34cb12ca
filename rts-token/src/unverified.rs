use alloc::vec::Vec;
use core::fmt;

use crate::envelope::{self, Envelope};
use crate::limits::SIGNATURE_BYTES;
use crate::{AppKey, Token, TokenError, msg};

/// Reads a token's fields without a key, to show them to a person.
///
/// Anyone can write a token that reads like this; servers use [`verify`](crate::verify).
///
/// # Errors
///
/// Any malformation of the text or the fields. Expiry and signature are not looked at.
pub fn inspect(token: &str) -> Result<Unverified, TokenError> {
    let envelope = Envelope::decode(envelope::split_text(token)?)?;
    let token = msg::unpack(envelope.app_id, &envelope.msg)?;
    Ok(Unverified { token, msg: envelope.msg, signature: envelope.signature })
}

/// A well-formed token whose signature nobody has checked yet.
#[derive(Clone)]
pub struct Unverified {
    token: Token,
    msg: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

impl Unverified {
    /// What the token claims, true or not.
    #[must_use]
    pub fn claims(&self) -> &Token {
        &self.token
    }

    /// Checks the signature over the received bytes, in constant time, and nothing else.
    ///
    /// The signature does not cover the app id, and expiry needs a time: a caller that acts on the
    /// result must compare [`Token::app_id`] with the key's app and ask [`Token::is_expired`].
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
    /// Leaves out the message and the signature, which together are a token to log in with.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unverified").field("claims", &self.token).finish_non_exhaustive()
    }
}
