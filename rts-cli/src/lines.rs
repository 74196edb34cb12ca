//! Lines for people, written by a thread of its own. Writing a line never blocks and never fails.
//!
//! ```text
//!   push --> a queue, bounded in bytes --> the thread --> a file, a pipe, a terminal
//!            full: the line is lost                       fails: the line is lost
//! ```
//!
//! The number of lost lines is written at their place, before the next line that can be written.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Most bytes that wait to be written. A reader may pause for this long without a loss.
const WAITING_BYTES_MAX: usize = 1_048_576;

/// A destination of lines. Clones share it.
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
    /// Lines lost since the last one that was queued.
    lost: u64,
    is_writing: bool,
}

#[derive(Debug)]
struct Waiting {
    line: Vec<u8>,
    lost_before: u64,
}

impl Lines {
    /// Starts the writing thread.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot start a thread.
    pub(crate) fn new(to: impl io::Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let ours = Arc::clone(&shared);
        thread::Builder::new().name("lines".to_owned()).spawn(move || ours.write_for_ever(to))?;
        Ok(Self { shared })
    }

    /// Queues a line, which ends with its line feed. A line that does not fit is lost.
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

    /// Waits until all is written, but at most for this time.
    pub(crate) fn flush(&self, patience: Duration) {
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), patience, is_busy);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// `tracing` writes whole lines.
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

/// On failure, returns the number of bytes that were written.
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

    /// Only a fault makes a step take longer.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A file under the test's control: each write waits until the test grants it a number of
    /// bytes.
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

        /// The text that was written up to the end.
        fn end(self) -> String {
            drop(self.room);
            self.lines.flush(PATIENCE);
            self.written.lock().expect("not poisoned").clone()
        }
    }

    #[test]
    fn slow_reader_loses_lines_and_gets_their_count() {
        let bench = Bench::new();
        bench.lines.push(b"under way\n".to_vec());
        bench.asked.recv_timeout(PATIENCE).expect("a write");
        let line = [&[b'x'; 1_023][..], b"\n"].concat();
        let fit = WAITING_BYTES_MAX / line.len();
        (0..fit + 3).for_each(|_| bench.lines.push(line.clone()));
        // The flush does not wait forever.
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
    fn full_disk_loses_lines_and_ends_torn_ones() {
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
