//! Bans and revocations of all apps, in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use rts_proto::server::Ban;
use rts_proto::{AppId, UserId};

/// Users of one app whose tokens are revoked, each with a moment of its own.
pub(super) const REVOKED_USERS_PER_APP_MAX: usize = 100_000;

/// With fewer bans nobody looks for those that are over.
pub(super) const BANS_FIRST_SWEEP: usize = 1_024;

#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) bans: BTreeMap<(AppId, Ban), Until>,
    pub(super) revoked: BTreeMap<AppId, Revoked>,
    /// How many changes there were.
    pub(super) changes: u64,
    /// The number of bans at which those that are over are forgotten.
    sweep_at: usize,
}

/// The moments of one app before which tokens must not have been issued, as Unix time in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Revoked {
    /// Of everybody.
    pub(super) all: u32,
    /// The same, and not to be taken back: it stands for those of users for whom there was no room.
    pub(super) lasting: u32,
    /// Of these users, also where that of everybody is later: it may be taken back.
    pub(super) users: BTreeMap<UserId, u32>,
}

/// When a ban ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Unix time in seconds.
    Second(u64),
    Lifted,
}

/// There are as many revocations of single users as there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the app has revoked tokens of {REVOKED_USERS_PER_APP_MAX} users one by one, the largest number: revoke those \
     of the whole app"
)]
pub(crate) struct TooManyRevoked;

impl Table {
    /// An interval of zero lifts it. Whether there was such a ban.
    pub(super) fn ban(
        &mut self,
        app_id: &AppId,
        ban: &Ban,
        interval: Duration,
        unix_now: u64,
    ) -> bool {
        self.changes += 1;
        let key = (app_id.clone(), ban.clone());
        self.sweep(unix_now);
        let former = match interval {
            Duration::ZERO => self.bans.remove(&key),
            // What does not end in anybody's time.
            interval => match unix_now.checked_add(ban.clamp(interval).as_secs()) {
                Some(second) => self.bans.insert(key, Until::Second(second)),
                None => self.bans.insert(key, Until::Lifted),
            },
        };
        former.is_some_and(|until| until.lasts(unix_now))
    }

    /// As [`State::revoke`](super::State::revoke) says.
    pub(super) fn revoke(
        &mut self,
        app_id: &AppId,
        uid: Option<&UserId>,
        issued_before: u32,
    ) -> Result<u32, TooManyRevoked> {
        let revoked = self.revoked.entry(app_id.clone()).or_default();
        match (uid, issued_before) {
            (None, 0) => revoked.all = 0,
            (None, moment) => revoked.all = revoked.all.max(moment),
            (Some(uid), 0) => drop(revoked.users.remove(uid)),
            (Some(uid), moment) => {
                let is_full = revoked.users.len() >= REVOKED_USERS_PER_APP_MAX;
                if is_full && !revoked.users.contains_key(uid) && !revoked.make_room() {
                    return Err(TooManyRevoked);
                }
                let kept = revoked.users.entry(uid.clone()).or_default();
                *kept = moment.max(*kept);
            }
        }
        let holds = uid.map_or_else(|| revoked.of_all(), |uid| revoked.of(uid));
        self.changes += 1;
        Ok(holds)
    }

    pub(super) fn revoked_before(&self, app_id: &AppId, uid: &UserId) -> u32 {
        self.revoked.get(app_id).map_or(0, |revoked| revoked.of(uid))
    }

    /// Forgets what is over, so seldom that it costs each ban little: without a file nothing else
    /// does.
    fn sweep(&mut self, unix_now: u64) {
        if self.bans.len() >= self.sweep_at.max(BANS_FIRST_SWEEP) {
            self.forget_expired(unix_now);
            self.sweep_at = 2 * self.bans.len();
        }
    }

    pub(super) fn forget_expired(&mut self, unix_now: u64) {
        self.bans.retain(|_, until| until.lasts(unix_now));
        self.revoked.retain(|_, revoked| *revoked != Revoked::default());
    }
}

impl Until {
    fn lasts(self, unix_now: u64) -> bool {
        match self {
            Self::Second(second) => second > unix_now,
            Self::Lifted => true,
        }
    }
}

impl Revoked {
    /// Forgets users for whom the moment of everybody is as late. The latest of theirs lasts in
    /// their place, so that taking back that of everybody makes no token good that was revoked.
    /// Returns whether there were any.
    fn make_room(&mut self) -> bool {
        let (all, before) = (self.of_all(), self.users.len());
        let mut lasting = self.lasting;
        self.users.retain(|_, moment| {
            let stays = *moment > all;
            lasting = if stays { lasting } else { lasting.max(*moment) };
            stays
        });
        self.lasting = lasting;
        self.users.len() < before
    }

    fn of_all(&self) -> u32 {
        self.all.max(self.lasting)
    }

    fn of(&self, uid: &UserId) -> u32 {
        self.users.get(uid).copied().unwrap_or_default().max(self.of_all())
    }
}
