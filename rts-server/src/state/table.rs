//! Bans and revocations of all apps, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::server::{Ban, Request};
use rts_proto::{AppId, UserId};

/// Most users of one app with a revocation of their own.
pub(super) const REVOKED_USERS_PER_APP_MAX: usize = 100_000;

/// Below this number of bans, expired bans are not searched for.
pub(super) const BANS_FIRST_SWEEP: usize = 1_024;

#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) bans: BTreeMap<(AppId, Ban), Until>,
    pub(super) revoked: BTreeMap<AppId, Revoked>,
    /// The number of changes so far.
    pub(super) changes: u64,
    /// The number of bans at which expired bans are removed.
    sweep_at: usize,
    /// While others tell what is in force: what they have told, and what has changed since.
    heard: Option<Box<Heard>>,
}

/// What is in force by what others tell a node that joins.
#[derive(Clone, Debug, Default)]
struct Heard {
    table: Table,
    /// The bans that back ends have set or lifted meanwhile. What others tell of them is older.
    decided: BTreeSet<(AppId, Ban)>,
}

/// For one app, the moments before which issued tokens are revoked, as Unix time in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Revoked {
    /// For all users.
    pub(super) all: u32,
    /// For all users, and permanent. It stands for revocations of single users that were forgotten.
    pub(super) lasting: u32,
    /// For single users. An entry is kept while `all` is later, because `all` may be withdrawn.
    pub(super) users: BTreeMap<UserId, u32>,
}

/// When a ban ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Unix time in seconds.
    Second(u64),
    Lifted,
}

/// The bound of revocations for single users is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the app has revoked tokens of {REVOKED_USERS_PER_APP_MAX} users one by one, the largest number: revoke those \
     of the whole app"
)]
pub(crate) struct TooManyRevoked;

impl Table {
    /// Records a ban. An interval of zero lifts it. Returns whether there was such a ban.
    pub(super) fn ban(
        &mut self,
        app_id: &AppId,
        ban: &Ban,
        interval: Duration,
        unix_now: u64,
    ) -> bool {
        if let Some(heard) = &mut self.heard {
            heard.decided.insert((app_id.clone(), ban.clone()));
        }
        self.put(app_id, ban, interval, unix_now)
    }

    /// See [`State::told`](super::State::told).
    pub(super) fn told(&mut self, app_id: &AppId, ban: &Ban, interval: Duration, unix_now: u64) {
        let key = (app_id.clone(), ban.clone());
        if self.heard.as_ref().is_none_or(|heard| !heard.decided.contains(&key)) {
            self.put(app_id, ban, interval, unix_now);
        }
    }

    fn put(&mut self, app_id: &AppId, ban: &Ban, interval: Duration, unix_now: u64) -> bool {
        if let Some(heard) = &mut self.heard {
            heard.table.put(app_id, ban, interval, unix_now);
        }
        self.changes += 1;
        let key = (app_id.clone(), ban.clone());
        self.sweep(unix_now);
        let former = match interval {
            Duration::ZERO => self.bans.remove(&key),
            // A ban whose end does not fit into Unix time lasts until it is lifted.
            interval => match unix_now.checked_add(interval.as_secs()) {
                Some(second) => self.bans.insert(key, Until::Second(second)),
                None => self.bans.insert(key, Until::Lifted),
            },
        };
        former.is_some_and(|until| until.lasts(unix_now))
    }

    /// See [`State::revoke`](super::State::revoke).
    pub(super) fn revoke(
        &mut self,
        app_id: &AppId,
        uid: Option<&UserId>,
        issued_before: u32,
    ) -> Result<u32, TooManyRevoked> {
        if let Some(heard) = &mut self.heard {
            heard.table.revoke(app_id, uid, issued_before)?;
        }
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

    /// From now on, others tell what is in force.
    pub(super) fn hear_others(&mut self) {
        self.heard = Some(Box::default());
    }

    /// Replaces all by what the others have told. Returns the bans that they have not told.
    pub(super) fn take_over(&mut self) -> Vec<(AppId, Ban)> {
        let Some(heard) = self.heard.take() else { return Vec::new() };
        let former = std::mem::replace(&mut self.bans, heard.table.bans);
        self.revoked = heard.table.revoked;
        self.changes += 1;
        former.into_keys().filter(|ban| !self.bans.contains_key(ban)).collect()
    }

    /// All that is in force, as what a back end would ask for.
    pub(super) fn requests(&self, unix_now: u64) -> Vec<(AppId, Request)> {
        let bans = self.bans.iter().filter(|(_, until)| until.lasts(unix_now));
        let ban = |((app_id, ban), until): (&(AppId, Ban), &Until)| {
            let interval = match until {
                Until::Second(second) => Duration::from_secs(second.saturating_sub(unix_now)),
                Until::Lifted => Duration::MAX,
            };
            (app_id.clone(), Request::Ban { ban: ban.clone(), interval })
        };
        let of_app = |(app_id, revoked): (&AppId, &Revoked)| {
            let all = Some((None, revoked.of_all())).filter(|(_, moment)| *moment > 0);
            let users = revoked.users.iter().map(|(uid, moment)| (Some(uid.clone()), *moment));
            let revocations = all.into_iter().chain(users).map(|(uid, issued_before)| {
                (app_id.clone(), Request::Revoke { uid, issued_before })
            });
            revocations.collect::<Vec<_>>()
        };
        bans.map(ban).chain(self.revoked.iter().flat_map(of_app)).collect()
    }

    pub(super) fn revoked_before(&self, app_id: &AppId, uid: &UserId) -> u32 {
        self.revoked.get(app_id).map_or(0, |revoked| revoked.of(uid))
    }

    /// Removes expired bans, at intervals that keep the cost per ban low. Without a file nothing
    /// else removes them.
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
    /// Forgets users whose own moment is not later than the moment of all users. The latest
    /// forgotten moment becomes permanent for all users. A withdrawal of `all` therefore makes no
    /// revoked token valid again. Returns whether a user was forgotten.
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
