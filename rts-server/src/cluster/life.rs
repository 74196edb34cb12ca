//! The incarnation of a node, and the proof that its earlier ones have ended.

use std::fs::{self, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rts_cluster::view::Incarnation;

use crate::causes::file_trouble;

const NAME: &str = "incarnation";
const NEW_NAME: &str = "incarnation.new";
const LOCK_NAME: &str = "incarnation.lock";
/// Earlier incarnations that a file keeps: the last starts of the node. The register may name any
/// of them as a member, if an older copy of it was put back.
pub const EARLIER_MAX: usize = 4_096;

/// Errors of the file of incarnations.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LifeError {
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
    #[error("{}: another node uses this directory; give each node its own", directory.display())]
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// The file is not a list of incarnations.
    #[error(
        "{}: line {line} is not an incarnation, which has 16 hexadecimal digits. Move the file away \
         when no process of this node runs any more; the others then wait a few seconds for it",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
    },
    /// The incarnation of a [`StaticSet`](super::StaticSet) was used before.
    #[error(
        "{}: this node was a member of this fixed set before, and cannot come back: stop all nodes, \
         and start them with a set of a greater generation",
        path.display()
    )]
    Used {
        /// The file.
        path: PathBuf,
    },
    /// The system gave no random numbers.
    #[error("the system's random source failed: {0}")]
    Random(getrandom::Error),
}

/// The life of a node, as long as this value exists. It holds a lock of the state directory, which
/// the system releases when the process ends. So the process with the lock knows that all earlier
/// incarnations of this node have ended.
///
/// A copy of the directory has another lock, and must not be used at the same time.
#[derive(Debug)]
pub struct Life {
    directory: PathBuf,
    own: Incarnation,
    earlier: Vec<Incarnation>,
    _lock: fs::File,
}

impl Life {
    /// Begins a life in this directory, which is made if it is missing. Blocks for a write to disk.
    ///
    /// # Errors
    ///
    /// Another process lives there, or its files cannot be used.
    pub fn begin(directory: &Path) -> Result<Self, LifeError> {
        // 0 is no incarnation.
        let own = Incarnation(getrandom::u64().map_err(LifeError::Random)?.max(1));
        Self::begin_as(directory, own)
    }

    /// Like [`begin`](Self::begin), with an incarnation that was not used before.
    ///
    /// # Errors
    ///
    /// Also if it was used before.
    pub fn begin_as(directory: &Path, own: Incarnation) -> Result<Self, LifeError> {
        fs::create_dir_all(directory).map_err(at(directory))?;
        let path = directory.join(LOCK_NAME);
        let lock =
            fs::OpenOptions::new().create(true).append(true).open(&path).map_err(at(&path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => LifeError::InUse { directory: directory.to_owned() },
            TryLockError::Error(error) => at(&path)(error),
        })?;
        let path = directory.join(NAME);
        let mut earlier = read(&path)?;
        if earlier.contains(&own) {
            return Err(LifeError::Used { path });
        }
        earlier.drain(..earlier.len().saturating_sub(EARLIER_MAX));
        let life = Self { directory: directory.to_owned(), own, earlier, _lock: lock };
        life.write()?;
        Ok(life)
    }

    /// The incarnation of this life.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.own
    }

    /// Earlier incarnations of this node, which have ended for certain, the oldest first.
    #[must_use]
    pub fn earlier(&self) -> &[Incarnation] {
        &self.earlier
    }

    /// Replaces the file. It is complete at any moment.
    fn write(&self) -> Result<(), LifeError> {
        let (new, path) = (self.directory.join(NEW_NAME), self.directory.join(NAME));
        let all = self.earlier.iter().chain([&self.own]);
        let text: String = all.map(|incarnation| format!("{:016x}\n", incarnation.0)).collect();
        let write = || {
            let mut file = fs::File::create(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(at(&new))?;
        fs::rename(&new, &path).map_err(at(&path))?;
        // The rename is durable once the directory is synchronised.
        let directory = fs::File::open(&self.directory).and_then(|directory| directory.sync_all());
        directory.map_err(at(&self.directory))
    }
}

fn read(path: &Path) -> Result<Vec<Incarnation>, LifeError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(path)(error)),
    };
    let incarnation = |(number, line): (usize, &str)| match u64::from_str_radix(line, 16) {
        Ok(bits @ 1..) if line.len() == 16 => Ok(Incarnation(bits)),
        _ => Err(LifeError::Damaged { path: path.to_owned(), line: number + 1 }),
    };
    text.lines().enumerate().map(incarnation).collect()
}

fn at(path: &Path) -> impl Fn(io::Error) -> LifeError {
    let path = path.to_owned();
    move |error| LifeError::Io { path: path.clone(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(directory: &tempfile::TempDir) -> Life {
        Life::begin(&directory.path().join("state")).expect("a life begins")
    }

    #[test]
    fn second_life_begins_when_the_first_has_ended() {
        let directory = tempfile::tempdir().expect("a directory");
        let first = begin(&directory);
        assert_eq!(first.earlier(), []);
        let path = directory.path().join("state");
        assert!(matches!(Life::begin(&path), Err(LifeError::InUse { .. })));
        let first_incarnation = first.incarnation();
        drop(first);
        let second = begin(&directory);
        assert_ne!(second.incarnation(), first_incarnation);
        assert_eq!(second.earlier(), [first_incarnation]);
    }

    #[test]
    fn all_earlier_lives_are_known() {
        let directory = tempfile::tempdir().expect("a directory");
        let before: Vec<_> = (0..3).map(|_| begin(&directory).incarnation()).collect();
        assert_eq!(begin(&directory).earlier(), before);
    }

    #[test]
    fn bounded_number_of_earlier_lives_is_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        for (lines, kept) in [(EARLIER_MAX, EARLIER_MAX), (EARLIER_MAX + 1, EARLIER_MAX)] {
            let text: String = (1..=lines).map(|line| format!("{line:016x}\n")).collect();
            fs::write(directory.path().join(NAME), text).expect("written");
            let life = Life::begin(directory.path()).expect("a life begins");
            assert_eq!(life.earlier().len(), kept);
            assert_eq!(life.earlier().last(), Some(&Incarnation(lines as u64)), "the newest");
        }
    }

    #[test]
    fn incarnation_of_a_fixed_set_is_used_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let begin = |bits| Life::begin_as(directory.path(), Incarnation(bits));
        for generation in [7, 8] {
            drop(begin(generation).expect("a life begins"));
            for used in 7..=generation {
                assert!(matches!(begin(used), Err(LifeError::Used { .. })));
            }
        }
    }

    #[test]
    fn damaged_file_is_reported_with_its_line() {
        let directory = tempfile::tempdir().expect("a directory");
        let first = "00000000000000a1";
        for second in ["00000000000000a", "000000000000000g", "0000000000000000", "a1", ""] {
            fs::write(directory.path().join(NAME), format!("{first}\n{second}\n"))
                .expect("written");
            let error = Life::begin(directory.path()).expect_err(second);
            assert!(matches!(error, LifeError::Damaged { line: 2, .. }), "{second:?}: {error}");
        }
    }

    #[test]
    fn directory_that_is_a_file_is_reported() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        fs::write(&path, "").expect("written");
        let error = Life::begin(&path).expect_err("no directory").to_string();
        assert!(error.contains("file"), "{error}");
    }
}
