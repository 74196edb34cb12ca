//! The targets of the lines about clients. An operator selects lines by them, as in
//! `RTS_LOG=info,rts::messages=debug`.

/// Links: accepted, refused, lost, closed.
pub(crate) const LINKS: &str = "rts::links";
/// Logins and sessions, and refusals for users.
pub(crate) const USERS: &str = "rts::users";
/// Joins of rooms, leaves, and refused joins.
pub(crate) const ROOMS: &str = "rts::rooms";
/// Messages, broadcasts and server params that did not have the usual result.
pub(crate) const MESSAGES: &str = "rts::messages";
