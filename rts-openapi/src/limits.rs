//! Bounds on requests and answers.

/// The largest body of a request, in bytes: 65,536 bytes of text in their longest spelling, and
/// what is around them.
pub const BODY_BYTES_MAX: usize = 512 * 1_024;
/// Users that one question about their status may name.
pub const STATUS_USERS_MAX: usize = 600;
/// Entries of one page of users or rooms.
pub const LIST_ITEMS_MAX: usize = 1_000;
/// Entries of one page when nothing is said.
pub const LIST_ITEMS: usize = 100;
/// Seconds before and after the time that a signature says, in which it is taken.
pub const CLOCK_SKEW_SECONDS_MAX: u64 = 900;
