//! A recording in a file is bounded, and a failed write does not harm its core.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rts_proto::Instant;
use rts_proto::server::{Input, Output, Server};
use rts_trace::{Recorder, Secrets, replay};

/// A core that ticks a hundred times.
fn run(recorder: Recorder) {
    let mut core = Server::observed(Default::default(), 42, Box::new(recorder));
    for millis in 0..100 {
        core.handle_input(Instant::from_micros(millis * 1_000), Input::Tick);
        while !matches!(core.poll_output(), Output::Wait(_)) {}
    }
}

fn recorded(path: &Path, bytes_max: u64) -> Vec<u8> {
    run(Recorder::create(path, Secrets::Scrubbed, bytes_max).expect("a recorder"));
    let recorded = std::fs::read(path).expect("a recording");
    let replayed = replay(recorded.as_slice(), &mut ()).expect("readable");
    assert_eq!((replayed.difference, replayed.torn_bytes), (None, 0));
    recorded
}

#[test]
fn recordings_have_an_exact_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace");
    let bytes = recorded(&path, u64::MAX).len();
    let at_its_limit = recorded(&path, bytes as u64);
    assert_eq!(at_its_limit.len(), bytes, "the largest that fits");
    let shorter = recorded(&path, bytes as u64 - 1);
    assert!(shorter.len() < bytes && bytes - shorter.len() < 100, "without the last record");
}

#[cfg(unix)]
#[test]
fn recordings_are_readable_only_by_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trace");
    std::fs::write(&path, "").expect("an empty file for all to read");
    recorded(&path, u64::MAX);
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[cfg(unix)]
#[test]
fn older_recordings_are_kept_at_the_link_target() {
    let folder = tempfile::tempdir().expect("a folder");
    let (link, path) = (folder.path().join("link"), folder.path().join("trace"));
    std::fs::write(&path, "").expect("an empty file");
    std::os::unix::fs::symlink(&path, &link).expect("a link");
    (0..2).for_each(|_| drop(recorded(&link, u64::MAX)));
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["link", "trace", "trace.1"]);
}

/// A disk that is full after a number of writes, and has space again later.
struct Full {
    writes: Arc<AtomicUsize>,
    room: usize,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.writes.fetch_add(1, Ordering::Relaxed) {
            at if at == self.room => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn full_disk_ends_only_the_recording() {
    let writes = Arc::new(AtomicUsize::new(0));
    let disk = Full { writes: Arc::clone(&writes), room: 20 };
    run(Recorder::new(disk, Secrets::Scrubbed, [42; 32]).expect("it has room for the head"));
    assert_eq!(writes.load(Ordering::Relaxed), 21, "nothing is written behind a gap");
}
