//! Bounds on requests and answers.

/// The largest body of a request, in bytes. It suffices for 65,536 bytes of text in their longest
/// JSON encoding, and the other fields.
pub const BODY_BYTES_MAX: usize = 512 * 1_024;
/// Most users of one status query.
pub const STATUS_USERS_MAX: usize = 600;
/// Most entries of one page of users or rooms.
pub const LIST_ITEMS_MAX: usize = 1_000;
/// Entries of one page by default.
pub const LIST_ITEMS: usize = 100;
/// Most seconds between the time of a signature and the time of the server.
pub const CLOCK_SKEW_SECONDS_MAX: u64 = 900;
