//! What questions may cost: those of an app take turns, and a tenth of the time.
//!
//! To answer some, such as a page of users, the core looks at everybody of the app while messages
//! wait. What that takes grows with the app, so it is measured, and the next question of the same
//! app waits nine times as long.

use std::collections::BTreeMap;
use std::time::Duration;

use rts_openapi::{Error, ErrorCode};
use rts_proto::AppId;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until, timeout};

/// How many times as long as its answer took an app waits for the next one.
const PAUSE_SHARE: u32 = 9;
/// It waits no longer than this: whoever asks one question after the other is never refused.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Questions that are asked at once wait for each other so long, and are refused then.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(10);

/// When the next question of each app may be answered.
#[derive(Debug)]
pub(super) struct Turns {
    apps: BTreeMap<String, Mutex<Instant>>,
}

/// An app's turn: it has no other question answered meanwhile.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    next: MutexGuard<'a, Instant>,
    begun: Instant,
}

impl Turns {
    pub(super) fn new(apps: impl Iterator<Item = String>) -> Self {
        Self { apps: apps.map(|app_id| (app_id, Mutex::new(Instant::now()))).collect() }
    }

    pub(super) fn has(&self, app_id: &AppId) -> bool {
        self.apps.contains_key(app_id.as_str())
    }

    /// Waits for the app's turn. Nothing for an app that there is not.
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
    /// The answer is there.
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
        Turns::new(["a", "b"].into_iter().map(|id| app(id).to_string()))
    }

    /// How long this app waits for its turn.
    async fn waits(turns: &Turns, id: &str) -> Duration {
        let asked = Instant::now();
        let turn = turns.take(&app(id)).await.expect("not for so long").expect("there is this app");
        turn.end();
        asked.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn an_app_waits_nine_times_as_long_as_its_answer_took_and_others_do_not() {
        let turns = turns();
        for (took, wait) in [(1, 9), (100, 900), (555, 4_995), (556, 5_000), (60_000, 5_000)] {
            let turn = turns.take(&app("a")).await.expect("its turn").expect("there is this app");
            sleep(Duration::from_millis(took)).await;
            turn.end();
            assert_eq!(waits(&turns, "b").await, Duration::ZERO);
            let waited = waits(&turns, "a").await;
            assert_eq!(waited, Duration::from_millis(wait), "after {took} ms");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_behind_others_is_refused() {
        let turns = turns();
        for (held, is_answered) in [
            (WAIT_MAX - Duration::from_millis(1), true),
            (WAIT_MAX + Duration::from_millis(1), false),
        ] {
            let turn = turns.take(&app("a")).await.expect("its turn").expect("there is this app");
            let other = app("a");
            let ((), answer) = tokio::join!(
                async {
                    sleep(held).await;
                    // As one whose question was not answered.
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
