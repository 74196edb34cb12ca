//! A link that moves from one shard to another.

use core::fmt;

use bytes::Bytes;

use crate::Instant;
use crate::wire::ResumeKey;

/// The state of a link whose login belongs to another shard. There is no session yet, so nothing
/// else moves with the link.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The resume key for the session that the link will carry.
    pub key: ResumeKey,
    /// When the link has to be logged in, on the clock that all shards of a node share.
    pub login_deadline: Instant,
    /// The `Login` frame, and the bytes that came behind it.
    pub bytes: Bytes,
}

/// Shows no token and no key.
impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("login_deadline", &self.login_deadline)
            .field("bytes_len", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
