//! For tests of this crate: a pipe in memory, a runtime that runs only threads, and a log for tests
//! to read.

pub(crate) mod lines;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Instant;

use crate::runtime::{Runtime, Stream};

thread_local! {
    /// The moments for which [`Still`] was asked to wait.
    pub(crate) static SLEEPS: RefCell<Vec<Instant>> = const { RefCell::new(Vec::new()) };
    /// Whether [`Still`] can start threads, in which nothing runs.
    pub(crate) static HAS_THREADS: Cell<bool> = const { Cell::new(true) };
    /// The number of threads for tasks that [`Still`] can start.
    pub(crate) static TASK_THREADS: Cell<usize> = const { Cell::new(usize::MAX) };
    /// Whether links can leave this thread.
    pub(crate) static DETACHES: Cell<bool> = const { Cell::new(true) };
}

/// A runtime that runs no task but those with a thread of their own, and connects nothing. A sleep
/// ends only if its moment is in the past.
pub(crate) enum Still {}

impl Runtime for Still {
    type Listener = ();
    type Stream = Pipe;
    type Detached = Pipe;

    fn is_present() -> bool {
        false
    }

    fn spawn(_task: impl Future<Output = ()> + Send + 'static) {}

    fn start_thread(_name: &str, _work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        if HAS_THREADS.get() { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    fn start_task_thread(
        _name: &str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let left = TASK_THREADS.get().checked_sub(1).ok_or(io::ErrorKind::WouldBlock)?;
        TASK_THREADS.set(left);
        std::thread::Builder::new().spawn(|| futures_lite::future::block_on(task))
    }

    fn detach(stream: Pipe) -> io::Result<Pipe> {
        if DETACHES.get() { Ok(stream) } else { Err(io::ErrorKind::OutOfMemory.into()) }
    }

    fn attach(detached: Pipe) -> io::Result<Pipe> {
        Ok(detached)
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        futures_lite::future::yield_now()
    }

    async fn sleep_until(moment: Instant) {
        SLEEPS.with_borrow_mut(|sleeps| sleeps.push(moment));
        if moment > Instant::now() {
            std::future::pending::<()>().await;
        }
    }

    async fn connect(_authority: String) -> io::Result<Pipe> {
        Err(io::ErrorKind::Unsupported.into())
    }

    async fn accept((): &()) -> io::Result<(Pipe, SocketAddr)> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// One end of a pipe with two directions. Dropping it breaks the pipe for the other end, which can
/// still read the bytes that were written before.
pub(crate) struct Pipe {
    incoming: Arc<Mutex<Direction>>,
    outgoing: Arc<Mutex<Direction>>,
}

struct Direction {
    bytes: VecDeque<u8>,
    capacity: usize,
    is_ended: bool,
    /// Of the end that waits. At most one end waits at a time.
    waker: Option<Waker>,
}

/// A pipe that holds `capacity` bytes in each direction.
pub(crate) fn pipe(capacity: usize) -> (Pipe, Pipe) {
    let direction = || {
        Arc::new(Mutex::new(Direction {
            bytes: VecDeque::new(),
            capacity,
            is_ended: false,
            waker: None,
        }))
    };
    let (there, back) = (direction(), direction());
    let near = Pipe { incoming: Arc::clone(&back), outgoing: Arc::clone(&there) };
    (near, Pipe { incoming: there, outgoing: back })
}

impl Pipe {
    /// Writes all bytes, which must fit.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let mut outgoing = lock(&self.outgoing);
        assert!(outgoing.bytes.len() + bytes.len() <= outgoing.capacity, "it does not fit");
        outgoing.bytes.extend(bytes);
        outgoing.wake();
    }
}

impl Direction {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn wait<T>(&mut self, context: &Context<'_>) -> Poll<T> {
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Stream for Pipe {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut incoming = lock(&self.incoming);
        if incoming.bytes.is_empty() && !incoming.is_ended {
            return incoming.wait(context);
        }
        let length = buffer.len().min(incoming.bytes.len());
        for (place, byte) in buffer.iter_mut().zip(incoming.bytes.drain(..length)) {
            *place = byte;
        }
        incoming.wake();
        Poll::Ready(Ok(length))
    }

    fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut outgoing = lock(&self.outgoing);
        if outgoing.is_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = outgoing.capacity - outgoing.bytes.len();
        if room == 0 {
            return outgoing.wait(context);
        }
        let before = outgoing.bytes.len();
        outgoing.bytes.extend(slices.iter().flat_map(|slice| slice.iter()).take(room));
        outgoing.wake();
        Poll::Ready(Ok(outgoing.bytes.len() - before))
    }

    fn descriptor(&self) -> Option<usize> {
        None
    }

    fn poll_shutdown(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut outgoing = lock(&self.outgoing);
        outgoing.is_ended = true;
        outgoing.wake();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        for direction in [&self.incoming, &self.outgoing] {
            let mut direction = lock(direction);
            direction.is_ended = true;
            direction.wake();
        }
    }
}

fn lock(direction: &Mutex<Direction>) -> MutexGuard<'_, Direction> {
    direction.lock().expect("no panic under this lock")
}
