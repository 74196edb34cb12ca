//! Bounds the log lines about failures of app servers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often one cause is logged while it lasts.
const EVERY: Duration = Duration::from_secs(60);
/// Most causes that are distinguished within that time. Further ones count as one cause.
const CAUSES_MAX: usize = 16;
const FURTHER_CAUSES: &str = "";

/// The failures of one server of an app. Each cause is logged at once, and then once a minute while
/// it lasts. The end of the outage is logged if its beginning was.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    logged: BTreeMap<String, Instant>,
    /// Failures without a line, since the last line.
    left_out: u64,
    /// The outage under way, whose end will be logged.
    under_way: Option<UnderWay>,
}

#[derive(Debug)]
struct UnderWay {
    since: Instant,
    failures: u64,
}

/// The end of an outage.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Over {
    /// The number of failures.
    pub(crate) failures: u64,
    /// The time since the first failure.
    pub(crate) lasted: Duration,
}

impl Outage {
    /// Records a failure. `Some` if it should be logged, with the number of failures left out since
    /// the last line.
    pub(crate) fn failed(&mut self, cause: &str, now: Instant) -> Option<u64> {
        if let Some(under_way) = &mut self.under_way {
            under_way.failures += 1;
        }
        let is_old = |logged: Instant| now.saturating_duration_since(logged) >= EVERY;
        let mut cause = cause;
        if !self.logged.contains_key(cause) && self.logged.len() >= CAUSES_MAX {
            self.logged.retain(|_, logged| !is_old(*logged));
            if self.logged.len() >= CAUSES_MAX {
                cause = FURTHER_CAUSES;
            }
        }
        if self.logged.get(cause).is_some_and(|logged| !is_old(*logged)) {
            self.left_out += 1;
            return None;
        }
        self.logged.insert(cause.to_owned(), now);
        self.under_way.get_or_insert(UnderWay { since: now, failures: 1 });
        Some(std::mem::take(&mut self.left_out))
    }

    /// Records a post that was not attempted, because earlier ones failed.
    pub(crate) fn left_alone(&mut self) {
        self.left_out += 1;
        if let Some(under_way) = &mut self.under_way {
            under_way.failures += 1;
        }
    }

    /// Records a success. `Some` if the end of an outage should be logged.
    pub(crate) fn worked(&mut self, now: Instant) -> Option<Over> {
        let UnderWay { since, failures } = self.under_way.take()?;
        Some(Over { failures, lasted: now.saturating_duration_since(since) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_cause_is_logged_at_once_then_every_minute() {
        let (mut outage, start) = (Outage::default(), Instant::now());
        assert_eq!(outage.failed("refused", start), Some(0));
        assert_eq!(outage.failed("refused", start + SECOND), None);
        assert_eq!(outage.failed("status 500", start + SECOND), Some(1));
        assert_eq!(outage.failed("refused", start + EVERY - SECOND), None);
        outage.left_alone();
        assert_eq!(outage.failed("refused", start + EVERY), Some(2));
    }

    #[test]
    fn end_is_logged_once_with_duration_and_count() {
        let (mut outage, start) = (Outage::default(), Instant::now());
        assert_eq!(outage.worked(start), None, "nothing was wrong");
        outage.failed("refused", start);
        outage.failed("refused", start + SECOND);
        outage.left_alone();
        let over = Over { failures: 3, lasted: 2 * SECOND };
        assert_eq!(outage.worked(start + 2 * SECOND), Some(over));
        assert_eq!(outage.worked(start + 3 * SECOND), None);
    }

    #[test]
    fn flapping_server_does_not_fill_the_log() {
        let (mut outage, start) = (Outage::default(), Instant::now());
        let mut lines = 0;
        for millis in 0..59_000 {
            let now = start + Duration::from_millis(millis);
            lines += usize::from(outage.failed("status 404", now).is_some());
            lines += usize::from(outage.worked(now).is_some());
        }
        assert_eq!(lines, 2);
    }

    #[test]
    fn further_causes_count_as_one() {
        let (mut outage, start) = (Outage::default(), Instant::now());
        let logged = |outage: &mut Outage, now, from: u32| {
            let causes = (from..from + 1_000).map(|number| format!("cause {number}"));
            causes.filter(|cause| outage.failed(cause, now).is_some()).count()
        };
        assert_eq!(logged(&mut outage, start, 0), CAUSES_MAX + 1);
        assert_eq!(
            logged(&mut outage, start + EVERY, 1_000),
            CAUSES_MAX + 1,
            "the old are forgotten"
        );
        assert!(outage.logged.len() <= CAUSES_MAX + 1);
    }
}
