//! The file of a recording. Recordings of before that have its name make way, and nothing else
//! does.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::format::{HEAD_BYTES, is_recording};

/// Recordings of before that are kept: `FILE.1` is the last one, `FILE.2` the one before, and so
/// on.
const FORMER_MAX: u32 = 3;

/// Why nothing can be recorded to a file. None was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A file that is no recording has its name, or the name that a former recording would get.
    #[error("{}: this file is not a recording and is left unchanged; choose another name", path.display())]
    NoRecording {
        /// Which.
        path: PathBuf,
    },
    /// Another process records to it.
    #[error("{}: another process records to this file; give each one its own", path.display())]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// It cannot be read, moved or made.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The system gave no random numbers.
    #[error("the system's random source failed: {0}")]
    Random(getrandom::Error),
}

/// A new file of this name, which only its owner can read, and which is locked as long as it is
/// open. A recording that has the name gets the name with `.1` behind it, one that has that gets
/// `.2`, and so on; the fourth is removed.
pub(crate) fn create(path: &Path) -> Result<File, RecordError> {
    // Where a link leads: all of them are kept there.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    make_way(path)?;
    let mut options = File::options();
    options.append(true).create_new(true);
    // Even what is scrubbed says who talked to whom.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(at(path))?;
    lock(&file, path)?;
    Ok(file)
}

fn make_way(path: &Path) -> Result<(), RecordError> {
    let Some(former) = Former::find(path)? else { return Ok(()) };
    lock(&former.file, path)?;
    if former.is_empty {
        return fs::remove_file(path).map_err(at(path));
    }
    let mut places = vec![path.to_owned()];
    for number in 1..=FORMER_MAX {
        let mut place = path.to_owned().into_os_string();
        place.push(format!(".{number}"));
        places.push(place.into());
        // All are looked at before the first is moved.
        if Former::find(&places[places.len() - 1])?.is_none() {
            break;
        }
    }
    for pair in places.windows(2).rev() {
        let [from, to] = pair else { continue };
        fs::rename(from, to).map_err(at(from))?;
    }
    Ok(())
}

/// A recording of before.
struct Former {
    file: File,
    /// It has no record: nothing is lost with it.
    is_empty: bool,
}

impl Former {
    /// What has this name, if that is a recording.
    fn find(path: &Path) -> Result<Option<Self>, RecordError> {
        let is_file = match fs::metadata(path) {
            Ok(metadata) => metadata.is_file(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(path)(error)),
        };
        let no_recording = || RecordError::NoRecording { path: path.to_owned() };
        // To open a pipe would be to wait for its other end.
        if !is_file {
            return Err(no_recording());
        }
        let file = File::open(path).map_err(at(path))?;
        let mut begin = Vec::new();
        (&file).take(HEAD_BYTES as u64 + 1).read_to_end(&mut begin).map_err(at(path))?;
        if !begin.is_empty() && !is_recording(&begin) {
            return Err(no_recording());
        }
        Ok(Some(Self { file, is_empty: begin.len() <= HEAD_BYTES }))
    }
}

/// It ends with the process, however that ends. Where the system has no locks, there is none.
fn lock(file: &File, path: &Path) -> Result<(), RecordError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(RecordError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(_)) | Ok(()) => Ok(()),
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> RecordError {
    let path = path.to_owned();
    move |error| RecordError::Io { path: path.clone(), error }
}
