//! The targets of the lines about clients: what an operator chooses them by, such as
//! `RTS_LOG=info,rts::messages=debug`.

/// Links: accepted, refused a place, lost, closed.
pub(crate) const LINKS: &str = "rts::links";
/// Logins and sessions, and what users are refused.
pub(crate) const USERS: &str = "rts::users";
/// Who enters and leaves rooms, and who may not enter.
pub(crate) const ROOMS: &str = "rts::rooms";
/// Messages, broadcasts and server params that did not have the usual result.
pub(crate) const MESSAGES: &str = "rts::messages";
