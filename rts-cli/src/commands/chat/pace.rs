//! How fast lines go: a server refuses more than its rates allow.

use std::time::{Duration, Instant};

use super::command::Command;

/// Between two messages of one input: less than the rates of users, 65 a second for broadcasts.
const MESSAGE_PAUSE: Duration = Duration::from_millis(20);
/// The same for what has lower rates: 20 joins and leaves, and 10 questions for a status.
const JOIN_PAUSE: Duration = Duration::from_millis(60);
const STATUS_PAUSE: Duration = Duration::from_millis(120);
/// A server may have lower rates, and a room is there for all. A message that was over the rate is
/// sent again after this, then after twice as long, ...
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(20);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);
/// ... until this has passed.
const RETRIES_MAX: Duration = Duration::from_secs(30);

/// How long to wait before the command that comes next.
pub(super) fn pause_after(command: &Command) -> Duration {
    match command {
        Command::Say(_) | Command::Message(..) => MESSAGE_PAUSE,
        Command::Join(_) | Command::Leave(_) => JOIN_PAUSE,
        Command::Online(_) => STATUS_PAUSE,
        _ => Duration::ZERO,
    }
}

/// A message that is over the rate, and went nowhere.
#[derive(Debug, Default)]
pub(super) struct Retries(Option<Retrying>);

#[derive(Debug)]
struct Retrying {
    since: Instant,
    /// Before the next time.
    pause: Duration,
}

impl Retries {
    /// How long to wait before it is sent again; `None` when that was tried for long enough.
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

    /// It is no longer over the rate.
    pub(super) fn end(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_the_rate_is_tried_again_ever_more_seldom() {
        let now = Instant::now();
        let mut retries = Retries::default();
        let pauses: Vec<u128> =
            (0..8).map_while(|_| retries.pause(now)).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [20, 40, 80, 160, 320, 640, 1_000, 1_000]);
        retries.end();
        assert_eq!(retries.pause(now), Some(Duration::from_millis(20)), "another message");
    }

    #[test]
    fn it_is_tried_for_30_seconds_and_not_longer() {
        let start = Instant::now();
        let mut retries = Retries::default();
        assert!(retries.pause(start).is_some());
        assert!(retries.pause(start + Duration::from_millis(29_999)).is_some());
        assert!(retries.pause(start + Duration::from_secs(30)).is_none());
        assert!(retries.pause(start + Duration::from_secs(31)).is_some(), "the next message");
    }
}
