#![no_std]
#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

extern crate alloc;

mod bytes;
mod envelope;
mod error;
mod key;
pub mod limits;
mod msg;
mod sign;
mod token;
mod unverified;

pub use error::TokenError;
pub use key::AppKey;
pub use token::{Expiry, Token, privilege};
pub use unverified::{Unverified, inspect};

use envelope::Envelope;

/// Checks everything for a login: that `token` is well formed, belongs to `app_id`, is signed with
/// `key`, names `uid`, and is not expired at `now` (Unix seconds).
///
/// The signature over the received bytes is checked before any field in them is parsed. So bytes
/// from an unknown peer reach no parser beyond the outer two lengths. The app id is not part of the
/// signed bytes, so it is compared here.
///
/// # Errors
///
/// The first cause found, in this order: form of the text, app id, base64, outer lengths,
/// signature, form of the signed fields, uid, expiry. A client gets the same refusal for all of
/// them; the cause is for logs.
pub fn verify(
    token: &str,
    app_id: &str,
    key: &AppKey,
    uid: &str,
    now: u64,
) -> Result<Token, TokenError> {
    let text = envelope::split_text(token)?;
    if text.app_id != app_id {
        return Err(TokenError::AppIdMismatch);
    }
    let envelope = Envelope::decode(text)?;
    key.check(&envelope.msg, &envelope.signature)?;

    let token = msg::unpack(envelope.app_id, &envelope.msg)?;
    if token.user_id() != uid {
        return Err(TokenError::UserIdMismatch);
    }
    if token.is_expired(now) {
        return Err(TokenError::Expired { expire_at: token.expire_at(), now });
    }
    Ok(token)
}
