//! Reports of silence to the application, and their times (contract: "Behaviour over time").

use crate::client::parameters::{Parameters, Timing};
use crate::planted::{Bug, planted};
use crate::{ConnectionState, Instant};

/// Silence, measured from the last byte received.
///
/// ```text
///            10 s             12 s            22 s
/// Nothing ---------> Reconnecting --> Disconnected --> Lost
///    ^                    |               |              |
///    +--------------------+---------------+--------------+   back: 5, or 3 the first time
/// ```
#[derive(Debug)]
pub(super) struct Timeline {
    heard: Instant,
    reported: Reported,
    connected_before: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reported {
    Nothing,
    Reconnecting,
    Disconnected,
    Lost,
}

impl Timeline {
    /// A login begins. Silence counts from `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self { heard: now, reported: Reported::Nothing, connected_before: false }
    }

    pub(super) fn hear(&mut self, now: Instant) {
        self.heard = now;
    }

    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    /// Whether the silence was reported to the application.
    pub(super) fn break_was_reported(&self) -> bool {
        self.reported != Reported::Nothing
    }

    /// The session is up. Returns the state to report, if there is one.
    pub(super) fn back(&mut self, now: Instant) -> Option<ConnectionState> {
        let first = !core::mem::replace(&mut self.connected_before, !planted(Bug::ConnectedTwice));
        let reported = core::mem::replace(&mut self.reported, Reported::Nothing);
        self.heard = now;
        match (first, reported) {
            (true, _) => Some(ConnectionState::Connected),
            (false, Reported::Nothing) if !planted(Bug::QuietReturnReported) => None,
            (false, _) => Some(ConnectionState::Reconnected),
        }
    }

    /// When the next mark of the silence is reached.
    pub(super) fn next_mark(&self, parameters: &Parameters) -> Option<Instant> {
        let after = match self.reported {
            Reported::Nothing => parameters.get(Timing::Reconnecting),
            Reported::Reconnecting if planted(Bug::SilenceMarkLate) => {
                parameters.get(Timing::Disconnected) + core::time::Duration::from_secs(1)
            }
            Reported::Reconnecting => parameters.get(Timing::Disconnected),
            Reported::Disconnected => parameters.get(Timing::Lost),
            Reported::Lost => return None,
        };
        Some(self.heard + after)
    }

    /// Moves to the next mark, and returns the state to report.
    pub(super) fn pass_mark(&mut self) -> ConnectionState {
        let (reported, state) = match self.reported {
            Reported::Nothing => (Reported::Reconnecting, ConnectionState::Reconnecting),
            Reported::Reconnecting => (Reported::Disconnected, ConnectionState::Disconnected),
            Reported::Disconnected | Reported::Lost => (Reported::Lost, ConnectionState::Lost),
        };
        self.reported = reported;
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    fn next(timeline: &Timeline) -> Option<Instant> {
        timeline.next_mark(&Parameters::default())
    }

    #[test]
    fn silence_has_three_marks() {
        let mut timeline = Timeline::new(at(0));
        let states = [
            (at(10), ConnectionState::Reconnecting),
            (at(12), ConnectionState::Disconnected),
            (at(22), ConnectionState::Lost),
        ];
        for (mark, state) in states {
            assert_eq!(next(&timeline), Some(mark));
            assert_eq!(timeline.pass_mark(), state);
        }
        assert_eq!(next(&timeline), None);
    }

    #[test]
    fn silence_counts_from_the_last_byte() {
        let mut timeline = Timeline::new(at(0));
        timeline.hear(at(7));
        assert_eq!((timeline.heard(), next(&timeline)), (at(7), Some(at(17))));
    }

    #[test]
    fn first_return_is_state_3_and_later_ones_follow_a_break() {
        let mut timeline = Timeline::new(at(0));
        assert_eq!(timeline.back(at(1)), Some(ConnectionState::Connected));
        assert_eq!(timeline.back(at(2)), None);
        timeline.pass_mark();
        assert!(timeline.break_was_reported());
        assert_eq!(timeline.back(at(3)), Some(ConnectionState::Reconnected));
        assert!(!timeline.break_was_reported());
        assert_eq!(next(&timeline), Some(at(13)));
    }
}
