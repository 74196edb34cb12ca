//! State that a restart must not lose: bans and revoked tokens, as decided by back ends.

mod file;
mod table;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rts_proto::server::{Ban, Command, Request, Returned, Shards as _};
use rts_proto::{AppId, UserId};
use rts_transport_tokio::server::Node;

use file::File;
pub use file::StateError;
pub(crate) use table::TooManyRevoked;
use table::{Table, Until};

/// Bans and revocations of all apps, in memory and, if a directory is configured, in a file. The
/// core enforces the bans; this copy restores them after a restart. Revocations are enforced from
/// here.
///
/// Lock order: first the lock of a shard, then this one.
#[derive(Debug, Default)]
pub(crate) struct State {
    table: Mutex<Table>,
    /// Absent from the beginning without a directory, and later when it was closed.
    file: Option<Mutex<Option<File>>>,
}

impl State {
    /// Opens the state, with the content of the file in this directory if it exists. Without a
    /// directory the state is kept in memory only.
    pub(crate) fn open(directory: Option<&Path>) -> Result<Self, StateError> {
        let Some(directory) = directory else { return Ok(Self::default()) };
        let (file, mut table) = File::open(directory)?;
        table.forget_expired(unix_now());
        Ok(Self { table: Mutex::new(table), file: Some(Mutex::new(Some(file))) })
    }

    /// Restores all bans in the cores that are still in force.
    pub(crate) fn restore(&self, node: &Node) {
        // Copied, because the cores' locks come before this one.
        let bans = self.lock().bans.clone();
        let (mut commands, unix_now) = (node.commands(), unix_now());
        for ((app_id, ban), until) in &bans {
            let interval = match until {
                Until::Second(second) => Duration::from_secs(second.saturating_sub(unix_now)),
                Until::Lifted => Duration::MAX,
            };
            if let Returned::Result(Err(error)) =
                commands.command(Command::Ban { app_id, ban, interval })
            {
                tracing::error!(app = %app_id, %error, "an earlier ban could not be restored and is not in force");
            }
        }
    }

    /// What a node needs that joins the cluster: requests for all that is in force here.
    pub(crate) fn requests(&self) -> Vec<(AppId, Request)> {
        self.lock().requests(unix_now())
    }

    /// From now on, the nodes of a cluster tell this one what is in force. What it knew before
    /// holds until it [takes over](Self::take_over) what they have told.
    pub(crate) fn hear_others(&self) {
        self.lock().hear_others();
    }

    /// Forgets what the other nodes have not told, here, in the cores and in the file: it was
    /// lifted while this node was away.
    pub(crate) async fn take_over(self: &Arc<Self>, node: &Node) {
        let lifted = self.lock().take_over();
        for (app_id, ban) in &lifted {
            node.commands().command(Command::Unban { app_id, ban });
        }
        if !lifted.is_empty() {
            // A back end may have set one of them again in between.
            self.restore(node);
        }
        if let Err(error) = self.save().await {
            tracing::error!(%error, "bans that were lifted stay in state_dir");
        }
    }

    /// Records a ban that the core got. An interval of zero lifts it. Returns whether there was
    /// such a ban.
    pub(crate) fn ban(&self, app_id: &AppId, ban: &Ban, interval: Duration) -> bool {
        self.lock().ban(app_id, ban, interval, unix_now())
    }

    /// Records a ban that another node has told. While this node joins, what back ends have asked
    /// since is newer.
    pub(crate) fn told(&self, app_id: &AppId, ban: &Ban, interval: Duration) {
        self.lock().told(app_id, ban, interval, unix_now());
    }

    /// Revokes tokens of the user, or of all users, that were issued before this moment. An earlier
    /// moment than the one in force changes nothing. 0 withdraws a revocation, except the permanent
    /// one that stands for forgotten users. Returns the moment now in force.
    pub(crate) fn revoke(
        &self,
        app_id: &AppId,
        uid: Option<&UserId>,
        issued_before: u32,
    ) -> Result<u32, TooManyRevoked> {
        self.lock().revoke(app_id, uid, issued_before)
    }

    /// The moment before which issued tokens of the user are revoked. 0: none are.
    pub(crate) fn revoked_before(&self, app_id: &AppId, uid: &UserId) -> u32 {
        self.lock().revoked_before(app_id, uid)
    }

    /// Writes all changes into the file, if there is one. Changes made before the call are in the
    /// file when this returns. A change that cannot be written is in force nevertheless, and the
    /// next call writes it.
    pub(crate) async fn save(self: &Arc<Self>) -> Result<(), StateError> {
        if self.file.is_none() {
            return Ok(());
        }
        let state = Arc::clone(self);
        let written = tokio::task::spawn_blocking(move || state.write()).await;
        written.unwrap_or_else(|stopped| Err(StateError::Stopped(stopped.to_string())))
    }

    /// Lets another server use the directory. Later changes stay in memory. Waits for a write.
    pub(crate) fn close(&self) {
        if let Some(mut file) = self.file() {
            *file = None;
        }
    }

    fn file(&self) -> Option<MutexGuard<'_, Option<File>>> {
        Some(self.file.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes are serial. A caller that waited finds its change already written, or writes all that
    /// have accumulated.
    fn write(&self) -> Result<(), StateError> {
        let Some(mut file) = self.file() else { return Ok(()) };
        let Some(file) = &mut *file else { return Ok(()) };
        // The text is created from a copy, so that logins do not wait.
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
