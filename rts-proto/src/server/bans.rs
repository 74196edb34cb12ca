//! Bans: who may not join what, send, or log in, and until when.

use alloc::collections::BTreeMap;
use core::time::Duration;

use super::ban::Ban;
use super::command_error::CommandError;
use super::deadlines::{Deadline, Due};
use super::shared::Shared;
use crate::limits::{BAN_MAX, BANS_PER_APP_MAX};
use crate::planted::{Bug, planted};
use crate::{AppId, Instant, RoomId, RoomState, UserId};

/// An app is here as long as it has a ban.
#[derive(Debug, Default)]
pub(super) struct Bans {
    apps: BTreeMap<AppId, BTreeMap<Ban, Until>>,
}

/// When a ban ends.
#[derive(Debug)]
enum Until {
    Deadline(Deadline),
    /// When it is lifted.
    Lifted,
}

impl Until {
    fn is_after(&self, now: Instant) -> bool {
        match self {
            Self::Deadline(deadline) => deadline.at() > now,
            Self::Lifted => true,
        }
    }
}

/// A ban until then ends only when it is lifted.
const FOR_EVER: Instant = Instant::from_micros(u64::MAX);

impl Bans {
    /// A later ban of the same takes the place of the earlier; one for no time lifts it.
    pub(super) fn set(
        &mut self,
        shared: &mut Shared,
        app_id: &AppId,
        ban: &Ban,
        interval: Duration,
    ) -> Result<(), CommandError> {
        let bans = self.apps.get(app_id);
        let is_new = !interval.is_zero() && bans.is_none_or(|bans| !bans.contains_key(ban));
        if is_new && self.len(app_id) >= BANS_PER_APP_MAX {
            return Err(CommandError::TooManyBans { max: BANS_PER_APP_MAX });
        }
        self.lift(shared, app_id, ban);
        if !interval.is_zero() {
            let until = shared.now + ban.clamp(interval);
            let until = if planted(Bug::BanForEver) { until + 4 * BAN_MAX } else { until };
            let until = if until < FOR_EVER {
                Until::Deadline(shared.deadlines.arm(until, Due::ban_expiry(app_id, ban)))
            } else {
                Until::Lifted
            };
            self.apps.entry(app_id.clone()).or_default().insert(ban.clone(), until);
        }
        Ok(())
    }

    /// Whether it was in force.
    pub(super) fn lift(&mut self, shared: &mut Shared, app_id: &AppId, ban: &Ban) -> bool {
        let Some(until) = self.remove(app_id, ban) else { return false };
        let was_in_force = until.is_after(shared.now);
        if let Until::Deadline(deadline) = until {
            shared.deadlines.disarm(deadline, Due::ban_expiry(app_id, ban));
        }
        was_in_force
    }

    pub(super) fn expired(&mut self, app_id: &AppId, ban: &Ban) {
        self.remove(app_id, ban);
    }

    /// §3.10.
    pub(super) fn forbid_login(&self, now: Instant, app_id: &AppId, uid: &UserId) -> bool {
        self.has_any(app_id)
            && self.is_banned(now, app_id, &Ban::Login(uid.clone()))
            && !planted(Bug::BannedLogsIn)
    }

    /// §5.3.
    #[inline]
    pub(super) fn forbid_sending(&self, now: Instant, app_id: &AppId, uid: &UserId) -> bool {
        self.has_any(app_id)
            && self.is_banned(now, app_id, &Ban::User(uid.clone()))
            && !planted(Bug::BannedSends)
    }

    /// The state with which a join is refused (§6.2).
    pub(super) fn forbid_join(
        &self,
        now: Instant,
        app_id: &AppId,
        room_id: &RoomId,
        uid: &UserId,
    ) -> Option<RoomState> {
        if !self.has_any(app_id) || planted(Bug::BanIgnored) {
            return None;
        }
        let is_banned = |ban: &Ban| self.is_banned(now, app_id, ban);
        if is_banned(&Ban::Room(room_id.clone())) {
            Some(RoomState::RoomBanned)
        } else if is_banned(&Ban::UserInRoom(room_id.clone(), uid.clone()))
            || is_banned(&Ban::User(uid.clone()))
        {
            Some(RoomState::UserBanned)
        } else {
            None
        }
    }

    #[inline]
    fn has_any(&self, app_id: &AppId) -> bool {
        !self.apps.is_empty() && self.apps.contains_key(app_id)
    }

    pub(super) fn app_ids(&self) -> impl Iterator<Item = &AppId> {
        self.apps.keys()
    }

    pub(super) fn len(&self, app_id: &AppId) -> usize {
        self.apps.get(app_id).map_or(0, BTreeMap::len)
    }

    fn is_banned(&self, now: Instant, app_id: &AppId, ban: &Ban) -> bool {
        let until = self.apps.get(app_id).and_then(|bans| bans.get(ban));
        until.is_some_and(|until| until.is_after(now))
    }

    fn remove(&mut self, app_id: &AppId, ban: &Ban) -> Option<Until> {
        let bans = self.apps.get_mut(app_id)?;
        let removed = bans.remove(ban);
        if bans.is_empty() {
            self.apps.remove(app_id);
        }
        removed
    }
}
