//! The file of a recording. An older recording with the same name is renamed. No other file is
//! touched.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::format::{HEAD_BYTES, is_recording};

/// Older recordings that are kept: `FILE.1` is the last one, `FILE.2` the one before, and so on.
const FORMER_MAX: u32 = 3;

/// Why nothing can be recorded to a file. No file was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A file that is not a recording has this name, or the name for an older recording.
    #[error("{}: this file is not a recording and is left unchanged; choose another name", path.display())]
    NoRecording {
        /// The file.
        path: PathBuf,
    },
    /// Another process records to it.
    #[error("{}: another process records to this file; give each one its own", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read, renamed or created.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        error: io::Error,
    },
    /// The system's random source failed.
    #[error("the system's random source failed: {0}")]
    Random(getrandom::Error),
}

/// Creates the file, readable only by its owner, and locks it while it is open. An older recording
/// with this name gets the suffix `.1`, one with `.1` gets `.2`, and so on; the fourth is removed.
pub(crate) fn create(path: &Path) -> Result<File, RecordError> {
    // Follows a symbolic link, so that all recordings are kept in its target's folder.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    make_way(path)?;
    let mut options = File::options();
    options.append(true).create_new(true);
    // Even a scrubbed recording shows who talked to whom.
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
        // All files are checked before the first is renamed.
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

/// An older recording.
struct Former {
    file: File,
    /// The recording has no record, so it may be overwritten.
    is_empty: bool,
}

impl Former {
    /// The file with this name, if it is a recording.
    fn find(path: &Path) -> Result<Option<Self>, RecordError> {
        let is_file = match fs::metadata(path) {
            Ok(metadata) => metadata.is_file(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(path)(error)),
        };
        let no_recording = || RecordError::NoRecording { path: path.to_owned() };
        // Opening a pipe would wait for its other end.
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

/// Locks the file. The lock ends with the process. On systems without locks there is none.
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
