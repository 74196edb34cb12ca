//! What apps' back ends decided and a restart must not forget: bans and revoked tokens.

mod file;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rts_proto::server::Ban;
use rts_proto::{AppId, UserId};
use rts_transport_tokio::server::Shard;

use file::File;
pub use file::StateError;

/// Users of one app whose tokens are revoked, each with a moment of its own.
const REVOKED_USERS_PER_APP_MAX: usize = 100_000;

/// With fewer bans nobody looks for those that are over.
const BANS_FIRST_SWEEP: usize = 1_024;

/// Bans and revocations of all apps, in memory and, if there is a place for it, in a file. The bans
/// that hold are the core's; here is what it is told after a restart. Revocations are judged from
/// here.
///
/// Its lock is taken under that of the shard, and never the other way round.
#[derive(Debug, Default)]
pub(crate) struct State {
    table: Mutex<Table>,
    file: Option<Mutex<File>>,
}

#[derive(Clone, Debug, Default)]
struct Table {
    bans: BTreeMap<(AppId, Ban), Until>,
    revoked: BTreeMap<AppId, Revoked>,
    /// How many changes there were.
    changes: u64,
    /// The number of bans at which those that are over are forgotten.
    sweep_at: usize,
}

/// The moments of one app before which tokens must not have been issued, as Unix time in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Revoked {
    /// Of everybody.
    all: u32,
    /// The same, and not to be taken back: it stands for those of users for whom there was no room.
    lasting: u32,
    /// Of these users, also where that of everybody is later: it may be taken back.
    users: BTreeMap<UserId, u32>,
}

/// When a ban ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// Unix time in seconds.
    Second(u64),
    Lifted,
}

/// There are as many revocations of single users as there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the app has revoked tokens of {REVOKED_USERS_PER_APP_MAX} users one by one, which is all that it can have: revoke those \
     of the whole app"
)]
pub(crate) struct TooManyRevoked;

impl State {
    /// With what the file in this directory has, if there is one; without a directory, in memory
    /// alone.
    pub(crate) fn open(directory: Option<&Path>) -> Result<Self, StateError> {
        let Some(directory) = directory else { return Ok(Self::default()) };
        let (file, mut table) = File::open(directory)?;
        table.forget_expired(unix_now());
        Ok(Self { table: Mutex::new(table), file: Some(Mutex::new(file)) })
    }

    /// Tells the core of all bans that last.
    pub(crate) fn restore(&self, shard: &Shard) {
        shard.command(|server, now| {
            let unix_now = unix_now();
            for ((app_id, ban), until) in &self.lock().bans {
                let rest = match until {
                    Until::Second(second) => Duration::from_secs(second.saturating_sub(unix_now)),
                    Until::Lifted => Duration::MAX,
                };
                if let Err(error) = server.ban(now, app_id, ban, rest) {
                    tracing::error!(app = %app_id, %error, "a ban of before is not in force");
                }
            }
        });
    }

    /// Notes what the core was told; an interval of zero lifts it. Whether there was such a ban.
    pub(crate) fn ban(&self, app_id: &AppId, ban: &Ban, interval: Duration) -> bool {
        let mut table = self.lock();
        table.changes += 1;
        let key = (app_id.clone(), ban.clone());
        let unix_now = unix_now();
        table.sweep(unix_now);
        let former = match interval {
            Duration::ZERO => table.bans.remove(&key),
            // What does not end in anybody's time.
            interval => match unix_now.checked_add(ban.clamp(interval).as_secs()) {
                Some(second) => table.bans.insert(key, Until::Second(second)),
                None => table.bans.insert(key, Until::Lifted),
            },
        };
        former.is_some_and(|until| until.lasts(unix_now))
    }

    /// From now on, tokens of the user, or of everybody, are good only if they were issued at this
    /// moment or later. An earlier moment than before changes nothing, but 0 takes back, down to
    /// what stands for users whose own moments were forgotten. The moment that holds for them now.
    pub(crate) fn revoke(
        &self,
        app_id: &AppId,
        uid: Option<&UserId>,
        issued_before: u32,
    ) -> Result<u32, TooManyRevoked> {
        let mut table = self.lock();
        let revoked = table.revoked.entry(app_id.clone()).or_default();
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
        table.changes += 1;
        Ok(holds)
    }

    /// The moment before which the user's tokens must not have been issued; 0 when all are good.
    pub(crate) fn revoked_before(&self, app_id: &AppId, uid: &UserId) -> u32 {
        self.lock().revoked.get(app_id).map_or(0, |revoked| revoked.of(uid))
    }

    /// Writes what was decided into the file, if there is one. All that was decided before the call
    /// is in it when this returns; what cannot be written is in force all the same, and the next
    /// call tries again.
    pub(crate) async fn save(self: &Arc<Self>) -> Result<(), StateError> {
        if self.file.is_none() {
            return Ok(());
        }
        let state = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || state.write()).await;
        written.unwrap_or_else(|stopped| Err(StateError::Stopped(stopped.to_string())))
    }

    /// One at a time; who waited for it finds that its own is written already, or writes what has
    /// come together.
    fn write(&self) -> Result<(), StateError> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        // The text is made of a copy: logins do not wait for it.
        let table = {
            let mut table = self.lock();
            if file.has(table.changes) {
                return Ok(());
            }
            table.forget_expired(unix_now());
            table.clone()
        };
        file.replace(table.changes, &table.to_json())
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Forgets what is over, so seldom that it costs each ban little: without a file nothing else
    /// does.
    fn sweep(&mut self, unix_now: u64) {
        if self.bans.len() >= self.sweep_at.max(BANS_FIRST_SWEEP) {
            self.forget_expired(unix_now);
            self.sweep_at = 2 * self.bans.len();
        }
    }

    fn forget_expired(&mut self, unix_now: u64) {
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

pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
