//! Every limit of the format, and the relations between them.

/// An app id has exactly this many characters of `A-Z a-z 0-9`.
pub const APP_ID_BYTES: usize = 24;

/// Longest user id, in bytes of `A-Z a-z 0-9 _ @ - .`; the shortest is 1.
pub const MAX_USER_ID_BYTES: usize = 128;

/// Longest signed message, in bytes: its length is a u16. A room id has no other limit.
pub const MAX_MSG_BYTES: usize = u16::MAX as usize;

/// Most privileges in one token. Five have a meaning today; the others are reserved.
pub const MAX_PRIVILEGES: usize = 64;

/// Length of the signature, an HMAC-SHA256, in bytes. Never truncated.
pub const SIGNATURE_BYTES: usize = 32;

/// Longest token text, in bytes. Longer texts are refused before any decoding.
///
/// This is exactly the length of the largest token of the format, so it refuses no valid token. A
/// login has a lower limit, which is part of the wire protocol.
pub const MAX_TOKEN_BYTES: usize =
    VERSION.len() + APP_ID_BYTES + base64_bytes(2 + MAX_MSG_BYTES + 2 + SIGNATURE_BYTES);

/// The only version. It comes before the app id.
pub(crate) const VERSION: &str = "001";

/// Nonce, issue time and expiry; the lengths of two ids; the count of the privileges.
pub(crate) const MSG_HEAD_BYTES: usize = 3 * 4 + 2 + 2 + 2;
/// A privilege's number and expiry.
pub(crate) const PRIVILEGE_BYTES: usize = 2 + 4;

// Minting writes lengths as u16. Only a room id can make a message too long.
const _: () =
    assert!(MSG_HEAD_BYTES + MAX_USER_ID_BYTES + MAX_PRIVILEGES * PRIVILEGE_BYTES <= MAX_MSG_BYTES);

const fn base64_bytes(raw: usize) -> usize {
    raw.div_ceil(3) * 4
}
