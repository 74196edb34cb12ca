//! The timers of an engine.

use crate::Instant;

/// Why an engine has a deadline. Deadlines are computed from the state each time, so that none of
/// an earlier state can remain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A burst of input is over: acknowledge it.
    Flush,
    /// A frame may go out that was held back for the server's rate or for its receiver.
    Pace,
    /// A send, broadcast or query has waited for its result long enough.
    Answer,
    /// Nothing was sent for a while, or nothing confirms that sent frames arrive.
    Heartbeat,
    /// The server has not answered a frame in time. The link is dead, even if other bytes arrive.
    Unanswered,
    /// The link has not been confirmed since the network changed.
    Probe,
    /// The attempt to connect takes too long.
    Connect,
    /// The answer to a login takes too long.
    Login,
    /// The wait before the next attempt is over.
    Backoff,
    /// Silence is to be reported. At the first mark, the link is dead.
    Silence,
}

/// A moment, and the timer that is due then.
pub(super) type Deadline = (Instant, Timer);

/// The first deadline. Of equal moments, the timer that [`Timer`] lists first.
pub(super) fn earliest<const N: usize>(deadlines: [Option<Deadline>; N]) -> Option<Deadline> {
    deadlines.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_deadlines_fire_in_the_order_of_timers() {
        let at = |millis, timer| Some((Instant::from_millis(millis), timer));
        let deadlines = [at(2, Timer::Flush), None, at(1, Timer::Silence), at(1, Timer::Heartbeat)];
        assert_eq!(earliest(deadlines), at(1, Timer::Heartbeat));
        assert_eq!(earliest([None, None]), None);
    }
}
