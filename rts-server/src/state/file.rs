//! The file of bans and revoked tokens, as JSON. A new version is written beside the file and then
//! renamed over it, so the file is complete at any moment.

use std::fs::{self, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rts_proto::server::Ban;
use rts_proto::{AppId, IdError, RoomId, UserId};
use serde::{Deserialize, Serialize};

use super::table::{Revoked, Table, Until};
use crate::causes::file_trouble;

const NAME: &str = "bans.json";
const NEW_NAME: &str = "bans.json.new";
const LOCK_NAME: &str = "bans.lock";
/// Read and write permission for the owner alone.
#[cfg(unix)]
const FILE_MODE: u32 = 0o600;
#[cfg(unix)]
const DIRECTORY_MODE: u32 = 0o700;
/// The version of the format. It is raised when an older reader would misunderstand a new file.
const VERSION: u32 = 1;

/// Errors of the file of bans and revoked tokens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The directory or a file in it cannot be used.
    #[error("{}: {}", path.display(), file_trouble(.error))]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// Another process uses the directory.
    #[error("{}: another server uses this directory; give each one its own", directory.display())]
    InUse {
        /// `state_dir`
        directory: PathBuf,
    },
    /// The file is not a valid list of bans and revoked tokens.
    #[error(
        "{}: this is not a list of bans and revoked tokens: {what}. Restore an older copy, or move the file away to start \
         without bans",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        what: String,
    },
    /// The file has another version of the format.
    #[error(
        "{}: the file has format version {found}, and this rts reads version {VERSION}: use the rts that wrote it",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version of the file.
        found: u32,
    },
    /// The server is being stopped.
    #[error("the file was not written: {0}")]
    Stopped(String),
}

/// The file and its lock. This process owns the file while this value lives.
#[derive(Debug)]
pub(super) struct File {
    directory: PathBuf,
    /// The number of changes that the file contains. `None` before the first write.
    changes: Option<u64>,
    /// A lock that the system releases when the process ends.
    _lock: fs::File,
}

/// The content of the file.
#[derive(Debug, Deserialize, Serialize)]
struct Saved {
    version: u32,
    bans: Vec<SavedBan>,
    revoked: Vec<SavedRevocation>,
}

/// The only field that is read before the version is checked.
#[derive(Deserialize)]
struct OnlyVersion {
    version: u32,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct SavedBan {
    app: String,
    from: KeptFrom,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    room: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    /// Unix time in seconds. Absent: until the ban is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
}

/// What a ban excludes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum KeptFrom {
    Room,
    AllRooms,
    Login,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct SavedRevocation {
    app: String,
    /// The user. Absent: all users of the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    issued_before: u32,
    /// For all users, and permanent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    lasting: bool,
}

impl File {
    /// Creates the directory if it is missing, and reads the file if it exists.
    pub(super) fn open(directory: &Path) -> Result<(Self, Table), StateError> {
        make_directory(directory).map_err(at(directory))?;
        let path = directory.join(LOCK_NAME);
        let lock = private_file().create(true).append(true).open(&path).map_err(at(&path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StateError::InUse { directory: directory.to_owned() },
            TryLockError::Error(error) => at(&path)(error),
        })?;
        let path = directory.join(NAME);
        let table = match fs::read(&path) {
            Ok(bytes) => Table::from_json(&path, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Table::default(),
            Err(error) => return Err(at(&path)(error)),
        };
        Ok((Self { directory: directory.to_owned(), changes: None, _lock: lock }, table))
    }

    /// Whether the file contains the changes up to this number.
    pub(super) fn has(&self, changes: u64) -> bool {
        self.changes == Some(changes)
    }

    /// Replaces the content of the file with this text.
    pub(super) fn replace(&mut self, changes: u64, text: &str) -> Result<(), StateError> {
        let (new, path) = (self.directory.join(NEW_NAME), self.directory.join(NAME));
        let write = || {
            // A leftover file is not reused: its permissions may admit other users.
            let _ = fs::remove_file(&new);
            let mut file = private_file().create_new(true).write(true).open(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(at(&new))?;
        fs::rename(&new, &path).map_err(at(&path))?;
        // The rename is durable once the directory is synchronised.
        let directory = fs::File::open(&self.directory).and_then(|directory| directory.sync_all());
        directory.map_err(at(&self.directory))?;
        self.changes = Some(changes);
        Ok(())
    }
}

impl Table {
    pub(super) fn to_json(&self) -> String {
        let bans = self.bans.iter().map(|((app, ban), until)| {
            let (from, room, user) = match ban {
                Ban::Room(room) => (KeptFrom::Room, Some(room), None),
                Ban::UserInRoom(room, uid) => (KeptFrom::Room, Some(room), Some(uid)),
                Ban::User(uid) => (KeptFrom::AllRooms, None, Some(uid)),
                Ban::Login(uid) => (KeptFrom::Login, None, Some(uid)),
            };
            let until = match until {
                Until::Second(second) => Some(*second),
                Until::Lifted => None,
            };
            let (room, user) = (room.map(ToString::to_string), user.map(ToString::to_string));
            SavedBan { app: app.to_string(), from, room, user, until }
        });
        let revoked = self.revoked.iter().flat_map(|(app, revoked)| {
            let one = |user: Option<&UserId>, issued_before, lasting| SavedRevocation {
                app: app.to_string(),
                user: user.map(ToString::to_string),
                issued_before,
                lasting,
            };
            let of_all = [(revoked.all, false), (revoked.lasting, true)];
            let of_all = of_all.into_iter().filter(|(moment, _)| *moment > 0);
            let of_all = of_all.map(move |(moment, lasting)| one(None, moment, lasting));
            of_all.chain(revoked.users.iter().map(move |(uid, at)| one(Some(uid), *at, false)))
        });
        let saved = Saved { version: VERSION, bans: bans.collect(), revoked: revoked.collect() };
        serde_json::to_string(&saved).expect("texts and numbers")
    }

    fn from_json(path: &Path, bytes: &[u8]) -> Result<Self, StateError> {
        let damaged = |what: String| StateError::Damaged { path: path.to_owned(), what };
        let no_json = |error: serde_json::Error| damaged(error.to_string());
        let OnlyVersion { version } = serde_json::from_slice(bytes).map_err(no_json)?;
        if version != VERSION {
            return Err(StateError::Version { path: path.to_owned(), found: version });
        }
        let saved: Saved = serde_json::from_slice(bytes).map_err(no_json)?;
        let mut table = Self::default();
        for (number, ban) in saved.bans.into_iter().enumerate() {
            let until = ban.until.map_or(Until::Lifted, Until::Second);
            let ban = ban.checked().map_err(|what| damaged(format!("ban {}: {what}", number + 1)));
            table.bans.insert(ban?, until);
        }
        for (number, revocation) in saved.revoked.into_iter().enumerate() {
            let lasting = revocation.lasting;
            let checked = revocation.checked();
            let wrong = |error| damaged(format!("revocation {}: {error}", number + 1));
            let (app, user, moment) = checked.map_err(wrong)?;
            let revoked: &mut Revoked = table.revoked.entry(app).or_default();
            match user {
                Some(uid) => drop(revoked.users.insert(uid, moment)),
                None if lasting => revoked.lasting = moment,
                None => revoked.all = moment,
            }
        }
        Ok(table)
    }
}

impl SavedBan {
    fn checked(self) -> Result<(AppId, Ban), String> {
        let wrong = |error: IdError| error.to_string();
        let app = AppId::new(&self.app).map_err(wrong)?;
        let room = self.room.as_deref().map(RoomId::new).transpose().map_err(wrong)?;
        let user = self.user.as_deref().map(UserId::new).transpose().map_err(wrong)?;
        let ban = match (self.from, room, user) {
            (KeptFrom::Room, Some(room), None) => Ban::Room(room),
            (KeptFrom::Room, Some(room), Some(uid)) => Ban::UserInRoom(room, uid),
            (KeptFrom::AllRooms, None, Some(uid)) => Ban::User(uid),
            (KeptFrom::Login, None, Some(uid)) => Ban::Login(uid),
            _ => return Err("room and user do not go with what it is from".to_owned()),
        };
        Ok((app, ban))
    }
}

impl SavedRevocation {
    fn checked(self) -> Result<(AppId, Option<UserId>, u32), IdError> {
        let user = self.user.as_deref().map(UserId::new).transpose()?;
        Ok((AppId::new(&self.app)?, user, self.issued_before))
    }
}

/// Options for a file that only its owner can read and change.
fn private_file() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, FILE_MODE);
    options
}

/// Creates the directory. An existing one keeps the permissions that the operator set.
fn make_directory(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, DIRECTORY_MODE);
    builder.recursive(true).create(directory)
}

fn at(path: &Path) -> impl Fn(io::Error) -> StateError {
    let path = path.to_owned();
    move |error| StateError::Io { path: path.clone(), error }
}
