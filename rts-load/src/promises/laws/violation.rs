//! Laws, and what breaks them.

use std::fmt;

/// A law.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// Logins, returns and results come in time.
    Progress,
    /// A login has one result.
    OneLoginResult,
    /// A client that another login displaced is notified once, and others are not.
    Displaced,
    /// Nothing arrives without a login.
    NothingWithoutLogin,
    /// Ids are 1, 2, 3, ...
    Ids,
    /// A send has exactly one result.
    OneResult,
    /// What arrives was sent, by that sender and to that receiver.
    NothingInvented,
    /// No message arrives twice.
    NotDoubled,
    /// Messages of one sender arrive in order.
    NotReordered,
    /// What was refused never arrives.
    RefusedNotReceived,
    /// A message that succeeded was received.
    NotLost,
    /// A broadcast that succeeded was received by every member.
    BroadcastNotLost,
    /// A client that lost broadcasts with its server is notified.
    GapReported,
    /// All members see the broadcasts of a room in one order.
    RoomOrder,
    /// Each join and each leave has one answer.
    OneAnswer,
    /// In a room, a user's joins and leaves alternate.
    NoticesAlternate,
    /// Nobody notices that all nodes of a cluster are restarted, one after the other.
    NotNoticed,
}

/// A law that a history breaks, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The law.
    pub law: Law,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.law, self.what)
    }
}

pub(super) fn report(found: &mut Vec<Violation>, law: Law, what: String) {
    found.push(Violation { law, what });
}
