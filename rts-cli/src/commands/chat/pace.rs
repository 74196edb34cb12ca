//! The pace of messages, which stays below the rates of a server.

use std::time::{Duration, Instant};

use super::command::Command;

/// Pause between two messages of one input. It stays below the rates of users: 65 broadcasts per
/// second.
const MESSAGE_PAUSE: Duration = Duration::from_millis(20);
/// Pause for actions with lower rates: 20 joins and leaves, and 10 status queries, per second.
const JOIN_PAUSE: Duration = Duration::from_millis(60);
const STATUS_PAUSE: Duration = Duration::from_millis(120);
/// First pause before a message that was over the rate is sent again. It doubles each time. A
/// server may have lower rates, and the rate of a room is shared by its members.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(20);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);
/// Longest time of such retries for one message.
const RETRIES_MAX: Duration = Duration::from_secs(30);

/// The pause before the next command.
pub(super) fn pause_after(command: &Command) -> Duration {
    match command {
        Command::Say(_) | Command::Message(..) => MESSAGE_PAUSE,
        Command::Join(_) | Command::Leave(_) => JOIN_PAUSE,
        Command::Online(_) => STATUS_PAUSE,
        _ => Duration::ZERO,
    }
}

/// Retries of a message that was over the rate and not sent.
#[derive(Debug, Default)]
pub(super) struct Retries(Option<Retrying>);

#[derive(Debug)]
struct Retrying {
    since: Instant,
    /// The pause before the next attempt.
    pause: Duration,
}

impl Retries {
    /// The pause before the next attempt. `None` after the time for retries.
    pub(super) fn pause(&mut self, now: Instant) -> Option<Duration> {
        let first = Retrying { since: now, pause: RETRY_PAUSE_MIN };
        let retrying = self.0.get_or_insert(first);
        if now.saturating_duration_since(retrying.since) >= RETRIES_MAX {
            self.0 = None;
            return None;
        }
        let pause = retrying.pause;
        retrying.pause = (pause * 2).min(RETRY_PAUSE_MAX);
        Some(pause)
    }

    /// Records that the message is no longer over the rate.
    pub(super) fn end(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_pauses_double_up_to_a_second() {
        let now = Instant::now();
        let mut retries = Retries::default();
        let pauses: Vec<u128> =
            (0..8).map_while(|_| retries.pause(now)).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [20, 40, 80, 160, 320, 640, 1_000, 1_000]);
        retries.end();
        assert_eq!(retries.pause(now), Some(Duration::from_millis(20)), "another message");
    }

    #[test]
    fn retries_last_30_seconds() {
        let start = Instant::now();
        let mut retries = Retries::default();
        assert!(retries.pause(start).is_some());
        assert!(retries.pause(start + Duration::from_millis(29_999)).is_some());
        assert!(retries.pause(start + Duration::from_secs(30)).is_none());
        assert!(retries.pause(start + Duration::from_secs(31)).is_some(), "the next message");
    }
}
