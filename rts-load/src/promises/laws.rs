//! The laws, checked over a whole history.
//!
//! ```text
//! logins     one result for each login; displaced clients are notified once
//! sends      one result for each message and broadcast
//! receipts   nothing doubled, reordered, invented, or received in spite of its result
//! delivery   what has the result of a success was received; gaps are reported
//! order      the broadcasts of a room are in one order for all members
//! members    one answer for each join and leave; joins and leaves of others alternate
//! violation  the laws by name
//! ```

mod delivery;
mod logins;
mod members;
mod order;
mod receipts;
mod sends;
#[cfg(test)]
mod tests;
mod violation;

pub use violation::{Law, Violation};

use super::history::History;
use sends::Sends;

/// Every violation of a law.
pub(super) fn violations(history: &History<'_>) -> Vec<Violation> {
    let mut found = Vec::new();
    logins::check(history, &mut found);
    let sends = Sends::read(history, &mut found);
    receipts::check(history, &sends, &mut found);
    delivery::check(history, &sends, &mut found);
    order::check(history, &mut found);
    members::check(history, &mut found);
    found.sort_by_key(|violation| violation.law);
    found
}
