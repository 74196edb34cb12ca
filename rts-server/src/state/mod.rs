//! What apps' back ends decided and a restart must not forget: bans and revoked tokens.

mod file;
mod table;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rts_proto::server::Ban;
use rts_proto::{AppId, UserId};
use rts_transport_tokio::server::Shard;

use file::File;
pub use file::StateError;
pub(crate) use table::TooManyRevoked;
use table::{Table, Until};

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
                    tracing::error!(app = %app_id, %error, "an earlier ban could not be restored and is not in force");
                }
            }
        });
    }

    /// Notes what the core was told; an interval of zero lifts it. Whether there was such a ban.
    pub(crate) fn ban(&self, app_id: &AppId, ban: &Ban, interval: Duration) -> bool {
        self.lock().ban(app_id, ban, interval, unix_now())
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
        self.lock().revoke(app_id, uid, issued_before)
    }

    /// The moment before which the user's tokens must not have been issued; 0 when all are good.
    pub(crate) fn revoked_before(&self, app_id: &AppId, uid: &UserId) -> u32 {
        self.lock().revoked_before(app_id, uid)
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

pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
