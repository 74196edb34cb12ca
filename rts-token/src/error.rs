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

    /// The app id is too short or holds other characters; also the error of a text cut inside it.
    #[error("malformed app id: it must be {APP_ID_BYTES} characters of A-Z a-z 0-9")]
    AppIdMalformed,

    /// A well-formed app id, but of another app.
    #[error("token of another app: it must be minted for the app id that is logging in")]
    AppIdMismatch,

    /// Not base64, or base64 that this token's bytes would never encode to.
    #[error("bad base64 after the app id: it must be standard, padded and canonical")]
    Base64,

    /// A length points behind the end of the bytes it lies in.
    #[error("a length runs past the end: each must fit in the bytes that follow it")]
    LengthOverrun,

    /// Bytes are left after the last field, inside or outside the signed part.
    #[error("bytes are left over after the last field: the token must end with it")]
    Rest,

    /// The signature is not a whole HMAC-SHA256.
    #[error("signature of {bytes} bytes: it must have {SIGNATURE_BYTES}")]
    SignatureLength {
        /// Length of the refused signature.
        bytes: usize,
    },

    /// The signature is not that of these bytes under this key.
    #[error(
        "the signature does not match: the token must be signed with this app's key, unchanged"
    )]
    SignatureMismatch,

    /// The user id is empty, too long, or holds other characters.
    #[error("malformed user id: it must be 1 to {MAX_USER_ID_BYTES} of A-Z a-z 0-9 _ @ - .")]
    UserIdMalformed,

    /// The token is another user's.
    #[error("token of another user: it must be minted for the user id that is logging in")]
    UserIdMismatch,

    /// The fields do not fit into one message, which only a room id can bring about.
    #[error(
        "fields of {bytes} bytes are too long: a token has {MAX_MSG_BYTES}, so shorten the room id"
    )]
    MessageTooLong {
        /// What all fields would take.
        bytes: usize,
    },

    /// One privilege twice.
    #[error("a privilege is listed twice: it would have two expiries")]
    PrivilegeTwice,

    /// More privileges than [`MAX_PRIVILEGES`].
    #[error("too many privileges: a token carries up to {MAX_PRIVILEGES}")]
    TooManyPrivileges,

    /// The token was good until `expire_at`, that second included.
    #[error("token expired: it was valid through {expire_at}, and now is {now} (Unix seconds)")]
    Expired {
        /// Last second in which the token was valid, in Unix seconds.
        expire_at: u32,
        /// The time it was checked at, in Unix seconds.
        now: u64,
    },

    /// [`Expiry::At`](crate::Expiry::At) zero, which the format reads as never.
    #[error("an expiry of 0 means never: request a token without an end by name")]
    ExpiryZero,

    /// An app key without a byte, with which anyone could sign.
    #[error("empty app key: it must have at least one byte")]
    AppKeyEmpty,
}
