//! Lines for people, written by a thread of its own: to say one never waits and never fails.
//!
//! ```text
//!   push --> a queue, bounded in bytes --> the thread --> a file, a pipe, a terminal
//!            full: the line is lost                       fails: the line is lost
//! ```
//!
//! How many lines were lost is said where they are missing, before the next line that can be
//! written.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Lines that wait to be written, in bytes. A reader who takes a rest is not missed before.
const WAITING_BYTES_MAX: usize = 1_048_576;

/// Where lines go. Clones are of the same.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// Since the last line that found room.
    lost: u64,
    is_writing: bool,
}

#[derive(Debug)]
struct Waiting {
    line: Vec<u8>,
    lost_before: u64,
}

impl Lines {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// The system has no thread left.
    pub(crate) fn new(to: impl io::Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let ours = Arc::clone(&shared);
        thread::Builder::new().name("lines".to_owned()).spawn(move || ours.write_for_ever(to))?;
        Ok(Self { shared })
    }

    /// Takes a line, which has its line feed, or loses it.
    pub(crate) fn push(&self, line: Vec<u8>) {
        let mut state = self.shared.lock();
        if state.waiting_bytes + line.len() > WAITING_BYTES_MAX {
            state.lost += 1;
            return;
        }
        state.waiting_bytes += line.len();
        let lost_before = std::mem::take(&mut state.lost);
        state.waiting.push_back(Waiting { line, lost_before });
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until all is written, but not longer than this.
    pub(crate) fn flush(&self, patience: Duration) {
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), patience, is_busy);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// For `tracing`, which writes whole lines.
impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn write_for_ever(&self, mut to: impl io::Write) {
        let mut lost = 0;
        let mut is_torn = false;
        loop {
            let Waiting { line, lost_before } = self.next();
            lost += lost_before;
            let mut bytes = Vec::new();
            if is_torn {
                bytes.push(b'\n');
            }
            if lost > 0 {
                let note =
                    format!("rts: lines that could not be written here and are lost: {lost}\n");
                bytes.extend_from_slice(note.as_bytes());
            }
            bytes.extend_from_slice(&line);
            match write(&mut to, &bytes) {
                Ok(()) => (lost, is_torn) = (0, false),
                Err(written) => {
                    lost += 1;
                    if let Some(last) = written.checked_sub(1).and_then(|last| bytes.get(last)) {
                        is_torn = *last != b'\n';
                    }
                }
            }
            self.lock().is_writing = false;
            self.changed.notify_all();
        }
    }

    fn next(&self) -> Waiting {
        let mut state = self.lock();
        loop {
            if let Some(waiting) = state.waiting.pop_front() {
                state.waiting_bytes -= waiting.line.len();
                state.is_writing = true;
                return waiting;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fails with how many bytes were written before.
fn write(to: &mut impl io::Write, bytes: &[u8]) -> Result<(), usize> {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match to.write(rest) {
            Ok(0) => return Err(written),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err(written),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Nothing here takes longer, unless something is wrong.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A file of our own: each write waits until it is told how many bytes there is room for.
    struct Fickle {
        asked: Sender<()>,
        room: Receiver<usize>,
        written: Arc<Mutex<String>>,
    }

    impl io::Write for Fickle {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.asked.send(());
            let room = self.room.recv().unwrap_or(usize::MAX).min(bytes.len());
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let text = String::from_utf8_lossy(&bytes[..room]);
            self.written.lock().expect("not poisoned").push_str(&text);
            Ok(room)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Bench {
        lines: Lines,
        asked: Receiver<()>,
        room: Sender<usize>,
        written: Arc<Mutex<String>>,
    }

    impl Bench {
        fn new() -> Self {
            let ((asks, asked), (room, has)) = (channel(), channel());
            let written = Arc::default();
            let to = Fickle { asked: asks, room: has, written: Arc::clone(&written) };
            Self { lines: Lines::new(to).expect("a thread"), asked, room, written }
        }

        /// What is written when no more room is asked for.
        fn end(self) -> String {
            drop(self.room);
            self.lines.flush(PATIENCE);
            self.written.lock().expect("not poisoned").clone()
        }
    }

    #[test]
    fn a_reader_who_does_not_read_holds_nobody_up_and_hears_how_many_lines_are_lost() {
        let bench = Bench::new();
        bench.lines.push(b"under way\n".to_vec());
        bench.asked.recv_timeout(PATIENCE).expect("a write");
        let line = [&[b'x'; 1_023][..], b"\n"].concat();
        let fit = WAITING_BYTES_MAX / line.len();
        (0..fit + 3).for_each(|_| bench.lines.push(line.clone()));
        // It does not wait for ever, either.
        bench.lines.flush(Duration::ZERO);
        bench.room.send(usize::MAX).expect("a waiting writer");
        bench.asked.recv_timeout(PATIENCE).expect("the next one");
        bench.lines.push(b"after the gap\n".to_vec());
        let written = bench.end();
        assert_eq!(written.matches("xxx\n").count(), fit);
        let end = "xxx\nrts: lines that could not be written here and are lost: 3\nafter the gap\n";
        assert!(written.ends_with(end), "{}", &written[written.len() - 200..]);
    }

    #[test]
    fn a_full_disk_loses_lines_and_what_is_torn_ends_before_the_next() {
        let bench = Bench::new();
        for (line, rooms) in [("one\n", &[4][..]), ("two\n", &[0]), ("three\n", &[10, 0])] {
            bench.lines.push(line.into());
            for room in rooms {
                bench.asked.recv_timeout(PATIENCE).expect("a write");
                bench.room.send(*room).expect("a waiting writer");
            }
        }
        bench.lines.push(b"four\n".to_vec());
        let note = "rts: lines that could not be written here and are lost: 2\n";
        assert_eq!(bench.end(), format!("one\nrts: lines\n{note}four\n"));
    }
}
