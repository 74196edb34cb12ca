//! Why an engine wants to be woken.

use crate::Instant;

/// Why an engine wants to be woken. Deadlines are worked out from the state each time, so none can
/// be left over from an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A burst of input is over: acknowledge it.
    Flush,
    /// A frame that was held back, for the server's rate or for its receiver, may go out.
    Pace,
    /// A send, broadcast or query has waited long enough.
    Answer,
    /// Nothing was sent for a while, or nothing shows that what was sent arrives.
    Heartbeat,
    /// The server has not answered what was sent: the link is dead, whatever arrives.
    Unanswered,
    /// The changed network has not shown that it carries the link.
    Probe,
    /// Connecting takes too long.
    Connect,
    /// The answer to a login takes too long.
    Login,
    /// The wait before the next attempt is over.
    Backoff,
    /// Silence is to be reported; the first time, the link is dead.
    Silence,
}

/// A moment, and what is due then.
pub(super) type Deadline = (Instant, Timer);

/// Of those that fall together, the one that [`Timer`] lists first.
pub(super) fn earliest<const N: usize>(deadlines: [Option<Deadline>; N]) -> Option<Deadline> {
    deadlines.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_deadlines_that_fall_together_the_first_timer_is_due() {
        let at = |millis, timer| Some((Instant::from_millis(millis), timer));
        let deadlines = [at(2, Timer::Flush), None, at(1, Timer::Silence), at(1, Timer::Heartbeat)];
        assert_eq!(earliest(deadlines), at(1, Timer::Heartbeat));
        assert_eq!(earliest([None, None]), None);
    }
}
