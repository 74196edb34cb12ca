//! The rates of the back ends of all apps (§8.3).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::time::Duration;

use super::command_error::CommandError;
use super::deadlines::Due;
use super::shared::Shared;
use crate::AppId;
#[cfg(test)]
use crate::kept::Kept;
use crate::limits::BACKEND_BURST_MIN;
use crate::rate::TokenBucket;

/// The shortest time between two checks of an app. An app can be forgotten late, while the rate of
/// a back end that sends now and then is full again after milliseconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// An app has an entry and a deadline while its rate is not full.
#[derive(Debug, Default)]
pub(super) struct BackEndRates {
    apps: BTreeMap<AppId, TokenBucket>,
}

impl BackEndRates {
    /// Takes the worth of this number of messages. Takes nothing and fails when less is left.
    pub(super) fn take(
        &mut self,
        shared: &mut Shared,
        app_id: &AppId,
        count: usize,
    ) -> Result<(), CommandError> {
        let (per_second, now) = (shared.config.backend_sends_per_second, shared.now());
        let is_new = !self.apps.contains_key(app_id);
        let sends = self.apps.entry(app_id.clone()).or_insert_with(|| {
            TokenBucket::with_burst(per_second, per_second.max(BACKEND_BURST_MIN), now)
        });
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let has_enough = sends.take_many(count, now);
        if is_new {
            self.look_at(shared, app_id);
        }
        match has_enough {
            true => Ok(()),
            false => Err(CommandError::OverAppRate { per_second }),
        }
    }

    /// Forgets an app whose rate is full, and arms the next check of another one.
    pub(super) fn look_at(&mut self, shared: &mut Shared, app_id: &AppId) {
        let Some(sends) = self.apps.get(app_id) else { return };
        let full_at = sends.full_at();
        if full_at <= shared.now() {
            self.apps.remove(app_id);
        } else {
            let due = Due::BackEndRate(Box::new(app_id.clone()));
            shared.deadlines.arm_for_good(full_at.max(shared.now() + LOOK_EVERY), due);
        }
    }

    pub(super) fn app_ids(&self) -> impl Iterator<Item = &AppId> {
        self.apps.keys()
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { apps } = self;
        alloc::vec![("apps over a rate", apps.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Instant;
    use crate::server::Config;
    use crate::server::testing::{self, app_id, pass_time};

    #[test]
    fn app_is_forgotten_when_its_rate_is_full() {
        let config = Config { backend_sends_per_second: 1_000, ..Config::default() };
        let mut shared = Shared::new(config);
        let mut rates = BackEndRates::default();
        let app_id = app_id();
        assert!(rates.take(&mut shared, &app_id, 1_000).is_ok());
        assert!(rates.take(&mut shared, &app_id, 1).is_err());
        pass_time(&mut shared, Instant::from_millis(500));
        assert!(rates.take(&mut shared, &app_id, 500).is_ok());
        pass_time(&mut shared, Instant::from_millis(1_000));
        assert!(shared.deadlines.pop_due(shared.now()).is_some());
        rates.look_at(&mut shared, &app_id);
        assert_eq!(rates.app_ids().count(), 1);
        pass_time(&mut shared, Instant::from_millis(2_000));
        assert!(shared.deadlines.pop_due(shared.now()).is_some());
        rates.look_at(&mut shared, &app_id);
        assert_eq!(rates.app_ids().count(), 0);
        assert!(shared.deadlines.next_timer().is_none());
    }

    #[test]
    fn unlimited_rate_keeps_no_entry() {
        let config = Config { backend_sends_per_second: 0, ..Config::default() };
        let mut shared = Shared::new(config);
        let mut rates = BackEndRates::default();
        let app_id = app_id();
        assert!((0..10_000).all(|_| rates.take(&mut shared, &app_id, 100).is_ok()));
        assert_eq!(rates.app_ids().count(), 0);
    }

    #[test]
    fn app_of_a_busy_back_end_is_checked_once_a_second() {
        let mut shared = testing::shared();
        let mut rates = BackEndRates::default();
        let mut looks = 0;
        for millis in (0..10_000).step_by(100) {
            pass_time(&mut shared, Instant::from_millis(millis));
            while shared.deadlines.pop_due(shared.now()).is_some() {
                rates.look_at(&mut shared, &app_id());
                looks += 1;
            }
            assert!(rates.take(&mut shared, &app_id(), 1).is_ok());
        }
        assert_eq!(looks, 9);
    }
}
