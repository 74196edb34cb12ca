//! RTS tokens, version 001: mint them and verify them.
//!
//! What this crate does not do:
//!
//! - It reads no clock and no randomness and does no IO. The time is an argument, in Unix seconds,
//!   and the nonce is a number the caller picks.
//! - It keeps no state: it does not remember nonces, revoke tokens or rotate keys.
//! - It does not judge `issued_at`: a token from the future is as good as any other.
//! - It does not decide what a privilege or a room id allows. Login looks at neither.
//! - It does not encrypt. Anyone who holds a token can read its fields, and log in with it.
//!
//! ```text
//! "001"  app id   base64 ( standard, padded )
//! 3      24       +------------+-----+------------+----------------------+
//!                 | u16 length | msg | u16 length | HMAC-SHA256(key, msg) |
//!                 +------------+-----+------------+----------------------+
//! msg = nonce u32 | issued_at u32 | expire_at u32 | room id | user id
//!     | u16 count, then count times (privilege u16, expire_at u32)
//! ```
//!
//! Minted ones ascend; read ones may be in any order, since the signature is over the bytes as they
//! came. Integers are little-endian; an id is a u16 length and its bytes.
//!
//! ```
//! use rts_token::{AppKey, Expiry, Token, TokenError, verify};
//!
//! const APP_ID: &str = "123456781234567812345678";
//!
//! fn main() -> Result<(), TokenError> {
//!     let key = AppKey::new("app key")?;
//!
//!     // The app server mints...
//!     let token = Token::new(APP_ID, "alice", Expiry::At(1_700_086_400))?
//!         .with_nonce(12_345_678)
//!         .with_issued_at(1_700_000_000)
//!         .sign(&key);
//!
//!     // ...and the RTS server checks, at its own time, the uid that the client claims.
//!     assert!(verify(&token, APP_ID, &key, "alice", 1_700_086_400).is_ok());
//!     assert_eq!(
//!         verify(&token, APP_ID, &key, "bob", 1_700_086_400),
//!         Err(TokenError::UserIdMismatch),
//!     );
//!     Ok(())
//! }
//! ```

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

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

/// Checks everything a login needs: that `token` is well formed, belongs to `app_id`, is signed
/// with `key`, names `uid`, and is not expired at `now` (Unix seconds).
///
/// The signature is checked over the received bytes before any field in them is looked at, so
/// bytes from a stranger reach no parser beyond the outer two lengths. The app id stands outside
/// the signed bytes and is therefore compared here and not left to the signature.
///
/// # Errors
///
/// The first cause found, in this order: shape of the text, app id, base64, outer lengths,
/// signature, shape of the signed fields, uid, expiry. To a client they are all one refusal: the
/// difference is for logs.
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
