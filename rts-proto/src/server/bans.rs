//! Bans: who may not join what, or not log in, and until when.

use core::time::Duration;

use super::timers::Due;
use super::{CommandError, Server};
use crate::limits::{BAN_MAX, BAN_MIN, BANS_PER_APP_MAX};
use crate::planted::{Bug, planted};
use crate::server::rooms::App;
use crate::{AppId, Instant, RoomId, RoomState, UserId};

/// What a ban is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ban {
    /// Nobody may join this room.
    Room(RoomId),
    /// This user may not join this room.
    UserInRoom(RoomId, UserId),
    /// This user may join no room, and send to no user (§5.3).
    User(UserId),
    /// This user may not log in (§3.10).
    Login(UserId),
}

/// A ban until then ends only when it is lifted.
const FOR_EVER: Instant = Instant::from_micros(u64::MAX);

impl Ban {
    /// How long such a ban lasts when this is asked for, which is not zero: of rooms at least 10 s
    /// and at most 7 days.
    #[must_use]
    pub fn clamp(&self, interval: Duration) -> Duration {
        match self {
            Self::Room(_) | Self::UserInRoom(..) | Self::User(_) => {
                interval.clamp(BAN_MIN, BAN_MAX)
            }
            Self::Login(_) => interval,
        }
    }
}

impl Server {
    /// §3.10.
    pub(super) fn may_not_log_in(&self, now: Instant, app_id: &AppId, uid: &UserId) -> bool {
        let app = self.apps.get(app_id).filter(|app| !app.bans.is_empty());
        app.is_some_and(|app| app.is_banned(now, &Ban::Login(uid.clone())))
            && !planted(Bug::BannedLogsIn)
    }

    pub(super) fn set_ban(
        &mut self,
        now: Instant,
        app_id: &AppId,
        ban: &Ban,
        interval: Duration,
    ) -> Result<(), CommandError> {
        let app = self.apps.entry(app_id.clone()).or_insert_with(|| App::new(self.seed));
        let is_new = !interval.is_zero() && !app.bans.contains_key(ban);
        if is_new && app.bans.len() >= BANS_PER_APP_MAX {
            return Err(CommandError::TooManyBans { max: BANS_PER_APP_MAX });
        }
        self.lift_ban(now, app_id, ban);
        let Some(app) = self.apps.get_mut(app_id) else { return Ok(()) };
        if !interval.is_zero() {
            let until = now + ban.clamp(interval);
            let until = if planted(Bug::BanForEver) { until + 4 * BAN_MAX } else { until };
            app.bans.insert(ban.clone(), until);
            if until < FOR_EVER {
                self.due.insert((until, Due::ban_expiry(app_id, ban)));
            }
        }
        Ok(())
    }

    /// Whether it was in force.
    pub(super) fn lift_ban(&mut self, now: Instant, app_id: &AppId, ban: &Ban) -> bool {
        let lifted = self.apps.get_mut(app_id).and_then(|app| app.bans.remove(ban));
        let Some(until) = lifted else { return false };
        self.due.remove(&(until, Due::ban_expiry(app_id, ban)));
        until > now
    }

    pub(super) fn ban_expired(&mut self, app_id: &AppId, ban: &Ban) {
        if let Some(app) = self.apps.get_mut(app_id) {
            app.bans.remove(ban);
            self.forget_empty_app(app_id);
        }
    }
}

impl App {
    /// The state with which a join is refused (§6.2).
    pub(super) fn ban_of(&self, now: Instant, room_id: &RoomId, uid: &UserId) -> Option<RoomState> {
        if self.bans.is_empty() || planted(Bug::BanIgnored) {
            return None;
        }
        if self.is_banned(now, &Ban::Room(room_id.clone())) {
            Some(RoomState::RoomBanned)
        } else if self.is_banned(now, &Ban::UserInRoom(room_id.clone(), uid.clone()))
            || self.is_banned(now, &Ban::User(uid.clone()))
        {
            Some(RoomState::UserBanned)
        } else {
            None
        }
    }

    /// §5.3.
    pub(super) fn may_not_send(&self, now: Instant, uid: &UserId) -> bool {
        !self.bans.is_empty()
            && self.is_banned(now, &Ban::User(uid.clone()))
            && !planted(Bug::BannedSends)
    }

    fn is_banned(&self, now: Instant, ban: &Ban) -> bool {
        self.bans.get(ban).is_some_and(|until| *until > now)
    }
}
