//! Bounds the cost of queries: those of an app take turns, and use a tenth of the time.
//!
//! Some queries, such as a page of users, iterate over all users of the app while messages wait.
//! The cost grows with the app, so it is measured. The next query of the same app waits nine times
//! as long.

use std::collections::BTreeMap;
use std::time::Duration;

use rts_openapi::{Error, ErrorCode};
use rts_proto::AppId;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until, timeout};

/// The wait of an app before its next query, as a multiple of the time of the last one.
const PAUSE_SHARE: u32 = 9;
/// Longest wait after a query. Sequential queries are therefore never refused.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Longest wait of concurrent queries for each other. After it they are refused.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(10);

/// When the next query of each app may be answered.
#[derive(Debug)]
pub(super) struct Turns {
    apps: BTreeMap<AppId, Mutex<Instant>>,
}

/// The turn of an app. No other query of the app is answered meanwhile.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    next: MutexGuard<'a, Instant>,
    begun: Instant,
}

impl Turns {
    pub(super) fn new(apps: impl Iterator<Item = AppId>) -> Self {
        Self { apps: apps.map(|app_id| (app_id, Mutex::new(Instant::now()))).collect() }
    }

    pub(super) fn apps(&self) -> impl Iterator<Item = &AppId> {
        self.apps.keys()
    }

    pub(super) fn has(&self, app_id: &AppId) -> bool {
        self.apps.contains_key(app_id.as_str())
    }

    /// Waits for the app's turn. Returns `None` if there is no such app.
    pub(super) async fn take(&self, app_id: &AppId) -> Result<Option<Turn<'_>>, Error> {
        let Some(next) = self.apps.get(app_id.as_str()) else { return Ok(None) };
        let wait = async {
            let next = next.lock().await;
            sleep_until(*next).await;
            Turn { next, begun: Instant::now() }
        };
        timeout(WAIT_MAX, wait).await.map(Some).map_err(|_| {
            let message =
                "the app's questions use their tenth of the server's time: send fewer at once";
            Error::new(ErrorCode::QpsOverLimit, message)
        })
    }
}

impl Turn<'_> {
    /// Ends the turn after the answer, and starts the wait.
    pub(super) fn end(mut self) {
        let now = Instant::now();
        *self.next = now + (PAUSE_SHARE * now.duration_since(self.begun)).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    fn app(id: &str) -> AppId {
        AppId::new(&id.repeat(24)).expect("well formed")
    }

    fn turns() -> Turns {
        Turns::new(["a", "b"].into_iter().map(app))
    }

    /// How long this app waits for its turn.
    async fn waits(turns: &Turns, id: &str) -> Duration {
        let asked = Instant::now();
        let turn = turns.take(&app(id)).await.expect("a turn in time").expect("a configured app");
        turn.end();
        asked.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn app_waits_nine_times_as_long_as_its_answer() {
        let turns = turns();
        for (took, wait) in [(1, 9), (100, 900), (555, 4_995), (556, 5_000), (60_000, 5_000)] {
            let turn = turns.take(&app("a")).await.expect("its turn").expect("a configured app");
            sleep(Duration::from_millis(took)).await;
            turn.end();
            assert_eq!(waits(&turns, "b").await, Duration::ZERO);
            let waited = waits(&turns, "a").await;
            assert_eq!(waited, Duration::from_millis(wait), "after {took} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn query_that_waits_too_long_is_refused() {
        let turns = turns();
        for (held, is_answered) in [
            (WAIT_MAX - Duration::from_millis(1), true),
            (WAIT_MAX + Duration::from_millis(1), false),
        ] {
            let turn = turns.take(&app("a")).await.expect("its turn").expect("a configured app");
            let other = app("a");
            let ((), answer) = tokio::join!(
                async {
                    sleep(held).await;
                    // A query that was not answered, such as a cancelled one.
                    drop(turn);
                },
                turns.take(&other)
            );
            assert_eq!(answer.is_ok(), is_answered, "{held:?}");
            if let Err(error) = answer {
                assert_eq!(error.code, ErrorCode::QpsOverLimit);
            }
        }
    }
}
