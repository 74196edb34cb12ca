//! Bans of joins, sends and logins, with their ends.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use super::ban::Ban;
use super::command_error::CommandError;
use super::deadlines::{Deadline, Deadlines, Due};
#[cfg(test)]
use crate::kept::Kept;
use crate::limits::{BAN_MAX, BANS_PER_APP_MAX};
use crate::planted::{Bug, planted};
use crate::{AppId, Instant, RoomId, RoomState, UserId};

/// An app has an entry while it has a ban.
#[derive(Debug, Default)]
pub(super) struct Bans {
    apps: BTreeMap<AppId, BTreeMap<Ban, Until>>,
    /// While this shard joins a cluster: what back ends have decided meanwhile.
    decided: BTreeSet<(AppId, Ban)>,
}

/// The end of a ban.
#[derive(Debug)]
enum Until {
    Deadline(Deadline),
    /// The ban lasts until it is lifted.
    Lifted,
}

impl Until {
    fn is_after(&self, now: Instant) -> bool {
        match self {
            Self::Deadline(deadline) => deadline.at() > now,
            Self::Lifted => true,
        }
    }

    /// The ban ends earlier, or gets another end: disarms its deadline.
    fn stop_waiting(self, deadlines: &mut Deadlines, app_id: &AppId, ban: &Ban) {
        if let Self::Deadline(deadline) = self {
            deadlines.disarm(deadline, Due::ban_expiry(app_id, ban));
        }
    }
}

/// A ban until this moment ends only when it is lifted.
const FOR_EVER: Instant = Instant::from_micros(u64::MAX);

impl Bans {
    /// Sets a ban. It replaces an earlier ban of the same kind and names. A ban for no time lifts
    /// it.
    pub(super) fn set(
        &mut self,
        deadlines: &mut Deadlines,
        now: Instant,
        app_id: &AppId,
        ban: &Ban,
        interval: Duration,
    ) -> Result<(), CommandError> {
        if interval.is_zero() {
            self.lift(deadlines, now, app_id, ban);
            return Ok(());
        }
        self.check(app_id, ban)?;
        let bans = self.apps.entry(app_id.clone()).or_default();
        if let Some(former) = bans.remove(ban) {
            former.stop_waiting(deadlines, app_id, ban);
        }
        let until = now + interval;
        let until = if planted(Bug::BanForEver) { until + 4 * BAN_MAX } else { until };
        let until = if until < FOR_EVER {
            Until::Deadline(deadlines.arm(until, Due::ban_expiry(app_id, ban)))
        } else {
            Until::Lifted
        };
        bans.insert(ban.clone(), until);
        Ok(())
    }

    /// A back end has set or lifted a ban while this shard joins a cluster.
    pub(super) fn decided(&mut self, app_id: &AppId, ban: &Ban) {
        self.decided.insert((app_id.clone(), ban.clone()));
    }

    /// Whether a back end has set or lifted a ban while this shard joins a cluster.
    pub(super) fn is_decided(&self, app_id: &AppId, ban: &Ban) -> bool {
        self.decided.contains(&(app_id.clone(), ban.clone()))
    }

    /// This shard serves: the others have told what they knew.
    pub(super) fn have_joined(&mut self) {
        self.decided.clear();
    }

    /// Whether the app may have this ban, in place of an earlier one or as one more.
    pub(super) fn check(&self, app_id: &AppId, ban: &Ban) -> Result<(), CommandError> {
        let Some(bans) = self.apps.get(app_id) else { return Ok(()) };
        match bans.len() < BANS_PER_APP_MAX || bans.contains_key(ban) {
            true => Ok(()),
            false => Err(CommandError::TooManyBans { max: BANS_PER_APP_MAX }),
        }
    }

    /// Lifts a ban. Returns whether it was in force.
    pub(super) fn lift(
        &mut self,
        deadlines: &mut Deadlines,
        now: Instant,
        app_id: &AppId,
        ban: &Ban,
    ) -> bool {
        let Some(until) = self.remove(app_id, ban) else { return false };
        let was_in_force = until.is_after(now);
        until.stop_waiting(deadlines, app_id, ban);
        was_in_force
    }

    pub(super) fn expired(&mut self, app_id: &AppId, ban: &Ban) {
        self.remove(app_id, ban);
    }

    /// §3.10.
    pub(super) fn forbid_login(&self, now: Instant, app_id: &AppId, uid: &UserId) -> bool {
        let bans = self.apps.get(app_id);
        bans.is_some_and(|bans| is_in_force(bans, now, &Ban::Login(uid.clone())))
            && !planted(Bug::BannedLogsIn)
    }

    /// §5.3.
    #[inline]
    pub(super) fn forbid_sending(&self, now: Instant, app_id: &AppId, uid: &UserId) -> bool {
        let bans = self.apps.get(app_id);
        bans.is_some_and(|bans| is_in_force(bans, now, &Ban::User(uid.clone())))
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
        let bans = self.apps.get(app_id).filter(|_| !planted(Bug::BanIgnored))?;
        let is_banned = |ban: &Ban| is_in_force(bans, now, ban);
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

    pub(super) fn app_ids(&self) -> impl Iterator<Item = &AppId> {
        self.apps.keys()
    }

    pub(super) fn len(&self, app_id: &AppId) -> usize {
        self.apps.get(app_id).map_or(0, BTreeMap::len)
    }

    fn remove(&mut self, app_id: &AppId, ban: &Ban) -> Option<Until> {
        let bans = self.apps.get_mut(app_id)?;
        let removed = bans.remove(ban);
        if bans.is_empty() {
            self.apps.remove(app_id);
        }
        removed
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { apps, decided } = self;
        alloc::vec![("apps with bans", apps.len()), ("decided bans", decided.len())]
    }
}

fn is_in_force(bans: &BTreeMap<Ban, Until>, now: Instant, ban: &Ban) -> bool {
    bans.get(ban).is_some_and(|until| until.is_after(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::deadlines::Timer;
    use crate::server::testing::{app_id, before, other_app_id, room_id, uid};

    const NOW: Instant = Instant::from_millis(1);
    const MINUTE: Duration = Duration::from_secs(60);

    fn set(bans: &mut Bans, deadlines: &mut Deadlines, ban: &Ban, interval: Duration) {
        assert!(bans.set(deadlines, NOW, &app_id(), ban, interval).is_ok());
    }

    #[test]
    fn a_ban_is_in_force_until_its_end_and_not_at_it() {
        let (mut bans, mut deadlines) = (Bans::default(), Deadlines::default());
        set(&mut bans, &mut deadlines, &Ban::Login(uid("alice")), MINUTE);
        let end = NOW + MINUTE;
        assert!(bans.forbid_login(before(end), &app_id(), &uid("alice")));
        assert!(!bans.forbid_login(end, &app_id(), &uid("alice")));
        assert!(!bans.forbid_login(NOW, &app_id(), &uid("bob")));
        assert!(!bans.forbid_login(NOW, &other_app_id(), &uid("alice")));
        assert_eq!(deadlines.next_timer(), Some((end, Timer::BanExpiry)));
        bans.expired(&app_id(), &Ban::Login(uid("alice")));
        assert_eq!((bans.len(&app_id()), bans.app_ids().count()), (0, 0));
    }

    #[test]
    fn ban_beyond_the_last_moment_lasts_until_lifted() {
        let (mut bans, mut deadlines) = (Bans::default(), Deadlines::default());
        let ban = Ban::Login(uid("alice"));
        set(&mut bans, &mut deadlines, &ban, Duration::MAX);
        assert_eq!(deadlines.next_timer(), None);
        assert!(bans.forbid_login(Instant::from_micros(u64::MAX), &app_id(), &uid("alice")));
        assert!(bans.lift(&mut deadlines, NOW, &app_id(), &ban));
        assert!(!bans.forbid_login(NOW, &app_id(), &uid("alice")));
    }

    #[test]
    fn lifted_ban_leaves_no_deadline_and_no_app() {
        let (mut bans, mut deadlines) = (Bans::default(), Deadlines::default());
        let ban = Ban::Login(uid("alice"));
        set(&mut bans, &mut deadlines, &ban, MINUTE);
        assert!(bans.lift(&mut deadlines, NOW, &app_id(), &ban));
        assert!(!bans.lift(&mut deadlines, NOW, &app_id(), &ban));
        assert_eq!(deadlines.next_timer(), None);
        assert_eq!(bans.app_ids().count(), 0);
    }

    #[test]
    fn lifting_an_expired_ban_returns_false() {
        let (mut bans, mut deadlines) = (Bans::default(), Deadlines::default());
        let ban = Ban::Login(uid("alice"));
        set(&mut bans, &mut deadlines, &ban, MINUTE);
        assert!(!bans.lift(&mut deadlines, NOW + MINUTE, &app_id(), &ban));
    }

    #[test]
    fn later_ban_replaces_earlier_and_zero_time_lifts_it() {
        let (mut bans, mut deadlines) = (Bans::default(), Deadlines::default());
        let ban = Ban::Login(uid("alice"));
        set(&mut bans, &mut deadlines, &ban, MINUTE);
        set(&mut bans, &mut deadlines, &ban, 2 * MINUTE);
        let end = NOW + 2 * MINUTE;
        assert_eq!(deadlines.next_timer(), Some((end, Timer::BanExpiry)));
        assert_eq!(bans.len(&app_id()), 1);
        set(&mut bans, &mut deadlines, &ban, Duration::ZERO);
        assert_eq!((bans.len(&app_id()), deadlines.next_timer()), (0, None));
    }

    #[test]
    fn each_kind_of_ban_forbids_what_it_is_about() {
        let (room, alice, bob) = (room_id("lobby"), uid("alice"), uid("bob"));
        let forbids = |ban: Ban, user: &UserId| {
            let (mut bans, mut deadlines) = (Bans::default(), Deadlines::default());
            set(&mut bans, &mut deadlines, &ban, MINUTE);
            let join = bans.forbid_join(NOW, &app_id(), &room, user);
            let sending = bans.forbid_sending(NOW, &app_id(), user);
            (join, sending, bans.forbid_login(NOW, &app_id(), user))
        };
        let of_room = Ban::Room(room.clone());
        assert_eq!(forbids(of_room, &alice), (Some(RoomState::RoomBanned), false, false));
        let in_room = Ban::UserInRoom(room.clone(), alice.clone());
        assert_eq!(forbids(in_room.clone(), &alice), (Some(RoomState::UserBanned), false, false));
        assert_eq!(forbids(in_room, &bob), (None, false, false));
        let of_user = Ban::User(alice.clone());
        assert_eq!(forbids(of_user, &alice), (Some(RoomState::UserBanned), true, false));
        assert_eq!(forbids(Ban::Login(alice.clone()), &alice), (None, false, true));
    }

    #[test]
    fn accepts_as_many_bans_as_allowed_and_refuses_the_next() {
        let (mut bans, mut deadlines) = (Bans::default(), Deadlines::default());
        let ban = |place: usize| Ban::Login(uid(&alloc::format!("u{place}")));
        for place in 0..BANS_PER_APP_MAX {
            set(&mut bans, &mut deadlines, &ban(place), Duration::MAX);
        }
        let one_more = ban(BANS_PER_APP_MAX);
        let refused = Err(CommandError::TooManyBans { max: BANS_PER_APP_MAX });
        assert_eq!(bans.check(&app_id(), &one_more), refused);
        assert_eq!(bans.set(&mut deadlines, NOW, &app_id(), &one_more, MINUTE), refused);
        // A ban that exists already is not a new one, and other apps have their own.
        set(&mut bans, &mut deadlines, &ban(0), MINUTE);
        assert!(bans.set(&mut deadlines, NOW, &other_app_id(), &one_more, MINUTE).is_ok());
        assert!(bans.lift(&mut deadlines, NOW, &app_id(), &ban(1)));
        set(&mut bans, &mut deadlines, &one_more, MINUTE);
    }
}
