//! What the back end of each app may still send (§8.3).

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use super::command_error::CommandError;
use super::deadlines::{Deadline, Due};
use super::shared::Shared;
use crate::AppId;
use crate::limits::BACKEND_BURST_MIN;
use crate::rate::TokenBucket;

/// An app is here as long as something is missing from its rate.
#[derive(Debug, Default)]
pub(super) struct BackEndRates {
    apps: BTreeMap<AppId, Used>,
}

#[derive(Debug)]
struct Used {
    sends: TokenBucket,
    /// When the app is looked at, since that was all that was left of it.
    forget_at: Option<Deadline>,
}

impl BackEndRates {
    pub(super) fn take(
        &mut self,
        shared: &Shared,
        app_id: &AppId,
        count: usize,
    ) -> Result<(), CommandError> {
        let (per_second, now) = (shared.config.backend_sends_per_second, shared.now);
        let used = self.apps.entry(app_id.clone()).or_insert_with(|| Used {
            sends: TokenBucket::with_burst(per_second, per_second.max(BACKEND_BURST_MIN), now),
            forget_at: None,
        });
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        match used.sends.take_many(count, now) {
            true => Ok(()),
            false => Err(CommandError::OverAppRate { per_second }),
        }
    }

    /// Nothing else is left of the app: it is forgotten as soon as nothing is missing.
    pub(super) fn forget_when_full(&mut self, shared: &mut Shared, app_id: &AppId) {
        let Some(used) = self.apps.get_mut(app_id) else { return };
        let full_at = used.sends.full_at();
        if full_at <= shared.now {
            if let Some(forget_at) = used.forget_at.take() {
                shared.deadlines.disarm(forget_at, Due::EmptyApp(Box::new(app_id.clone())));
            }
            self.apps.remove(app_id);
        } else if used.forget_at.is_none() {
            let due = Due::EmptyApp(Box::new(app_id.clone()));
            used.forget_at = Some(shared.deadlines.arm(full_at, due));
        }
    }

    /// The moment for which an app was armed has come.
    pub(super) fn has_come_due(&mut self, app_id: &AppId) {
        if let Some(used) = self.apps.get_mut(app_id) {
            used.forget_at = None;
        }
    }

    pub(super) fn app_ids(&self) -> impl Iterator<Item = &AppId> {
        self.apps.keys()
    }
}
