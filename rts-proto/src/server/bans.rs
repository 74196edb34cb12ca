//! Bans: who may not join what, and until when.

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
    /// This user may join no room.
    User(UserId),
}

impl Server {
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
        if let Some(until) = app.bans.remove(ban) {
            self.due.remove(&(until, Due::ban_expiry(app_id, ban)));
        }
        if !interval.is_zero() {
            let until = now + interval.clamp(BAN_MIN, BAN_MAX);
            let until = if planted(Bug::BanForEver) { until + 4 * BAN_MAX } else { until };
            app.bans.insert(ban.clone(), until);
            self.due.insert((until, Due::ban_expiry(app_id, ban)));
        }
        Ok(())
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
        let lasts = |ban: &Ban| self.bans.get(ban).is_some_and(|until| *until > now);
        if lasts(&Ban::Room(room_id.clone())) {
            Some(RoomState::RoomBanned)
        } else if lasts(&Ban::UserInRoom(room_id.clone(), uid.clone()))
            || lasts(&Ban::User(uid.clone()))
        {
            Some(RoomState::UserBanned)
        } else {
            None
        }
    }
}
