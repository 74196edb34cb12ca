use crate::limits::{
    APP_ID_BYTES, MAX_MSG_BYTES, MAX_PRIVILEGES, MAX_TOKEN_BYTES, MAX_USER_ID_BYTES,
    SIGNATURE_BYTES,
};

/// Why a token, a field of one, or a key was refused.
///
/// No variant holds text from the token or bytes of a key, so an error may be logged as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The text is over [`MAX_TOKEN_BYTES`]; nothing of it was decoded.
    #[error("token of {bytes} bytes is too long: the largest has {MAX_TOKEN_BYTES}")]
    TooLong {
        /// Length of the refused text.
        bytes: usize,
    },

    /// The text does not begin with the one known version.
    #[error("token of an unknown version: it must begin with 001")]
    Version,

    /// The app id is too short or has other characters. Also the error of a text that ends inside
    /// it.
    #[error("malformed app id: it must be {APP_ID_BYTES} characters of A-Z a-z 0-9")]
    AppIdMalformed,

    /// The app id is well formed, but belongs to another app.
    #[error("token of another app: it must be minted for the app id that is logging in")]
    AppIdMismatch,

    /// Not base64, or base64 that no encoder would make of this token's bytes.
    #[error("bad base64 after the app id: it must be standard, padded and canonical")]
    Base64,

    /// A length exceeds the bytes that contain it.
    #[error("a length runs past the end: each must fit in the bytes that follow it")]
    LengthOverrun,

    /// Bytes are left after the last field, inside or outside the signed part.
    #[error("bytes are left over after the last field: the token must end with it")]
    Rest,

    /// The signature is not a complete HMAC-SHA256.
    #[error("signature of {bytes} bytes: it must have {SIGNATURE_BYTES}")]
    SignatureLength {
        /// Length of the refused signature.
        bytes: usize,
    },

    /// The signature does not match these bytes under this key.
    #[error(
        "the signature does not match: the token must be signed with this app's key, unchanged"
    )]
    SignatureMismatch,

    /// The user id is empty, too long, or holds other characters.
    #[error("malformed user id: it must be 1 to {MAX_USER_ID_BYTES} of A-Z a-z 0-9 _ @ - .")]
    UserIdMalformed,

    /// The token belongs to another user.
    #[error("token of another user: it must be minted for the user id that is logging in")]
    UserIdMismatch,

    /// The fields do not fit into one message. Only a long room id causes this.
    #[error(
        "fields of {bytes} bytes are too long: a token has {MAX_MSG_BYTES}, so shorten the room id"
    )]
    MessageTooLong {
        /// The length of all fields.
        bytes: usize,
    },

    /// A privilege is listed twice.
    #[error("a privilege is listed twice: it would have two expiries")]
    PrivilegeTwice,

    /// More privileges than [`MAX_PRIVILEGES`].
    #[error("too many privileges: a token carries up to {MAX_PRIVILEGES}")]
    TooManyPrivileges,

    /// The token was valid until `expire_at`, including that second.
    #[error("token expired: it was valid through {expire_at}, and now is {now} (Unix seconds)")]
    Expired {
        /// Last second in which the token was valid, in Unix seconds.
        expire_at: u32,
        /// The time of the check, in Unix seconds.
        now: u64,
    },

    /// [`Expiry::At`](crate::Expiry::At) zero, which the format reads as never.
    #[error("an expiry of 0 means never: request a token without an end by name")]
    ExpiryZero,

    /// The app key is empty, so anyone could sign with it.
    #[error("empty app key: it must have at least one byte")]
    AppKeyEmpty,
}
