//! Every limit of the format, and how they hang together.

/// An app id has exactly this many characters of `A-Z a-z 0-9`.
pub const APP_ID_BYTES: usize = 24;

/// Longest user id, in bytes of `A-Z a-z 0-9 _ @ - .`; the shortest is 1.
pub const MAX_USER_ID_BYTES: usize = 128;

/// Longest room id, in bytes of `A-Z a-z 0-9 _ @ - .`; it may be empty.
pub const MAX_ROOM_ID_BYTES: usize = 128;

/// Most privileges in one token. Five have a meaning today; the rest is room for later ones.
pub const MAX_PRIVILEGES: usize = 64;

/// Length of the signature, an HMAC-SHA256, in bytes. Never truncated.
pub const SIGNATURE_BYTES: usize = 32;

/// Longest token text, in bytes. Anything longer is refused before a byte of it is decoded.
///
/// It is exactly the length of the largest token that can be minted, so it refuses nothing else.
pub const MAX_TOKEN_BYTES: usize =
    VERSION.len() + APP_ID_BYTES + base64_bytes(2 + MAX_MSG_BYTES + 2 + SIGNATURE_BYTES);

/// The only version there is. It stands in front of the app id.
pub(crate) const VERSION: &str = "001";

/// Nonce, issue time and expiry; two ids with their lengths; the privileges with their count.
pub(crate) const MAX_MSG_BYTES: usize =
    3 * 4 + (2 + MAX_ROOM_ID_BYTES) + (2 + MAX_USER_ID_BYTES) + (2 + MAX_PRIVILEGES * (2 + 4));

// Minting writes these as u16; each is the largest of its kind, so no `sign` can overflow one.
const _: () = assert!(MAX_MSG_BYTES <= u16::MAX as usize);
const _: () = assert!(MAX_PRIVILEGES <= u16::MAX as usize);
const _: () = assert!(MAX_ROOM_ID_BYTES <= u16::MAX as usize);
const _: () = assert!(MAX_USER_ID_BYTES <= u16::MAX as usize);

const fn base64_bytes(raw: usize) -> usize {
    raw.div_ceil(3) * 4
}
