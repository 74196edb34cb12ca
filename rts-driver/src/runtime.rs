//! What a runtime has to provide: sockets, time and tasks.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Instant;

/// A runtime's sockets, timers and tasks. A type that implements this has no values; it only names
/// the runtime.
pub trait Runtime: Sized + 'static {
    /// Accepts links.
    type Listener: Send + Sync + 'static;
    /// A TCP connection.
    type Stream: Stream;

    /// Whether tasks can be spawned here.
    fn is_present() -> bool;

    /// Starts a task. Only called where the runtime [is present](Self::is_present). When the
    /// runtime ends, it drops its tasks.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);

    /// Starts a thread for work that would keep tasks waiting for milliseconds. It needs nothing of
    /// the runtime.
    ///
    /// # Errors
    ///
    /// The system has no thread to give.
    fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
    }

    /// Lets others run, and what the system has to say about sockets be seen, before the task goes
    /// on. A task that only woke itself might go round many times before anybody asks the system.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// Ready at that moment.
    fn sleep_until(moment: Instant) -> impl Future<Output = ()> + Send + 'static;

    /// Connects to `host:port`, without delaying small segments.
    fn connect(
        authority: String,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send + 'static;

    /// The next link and who made it, without delaying small segments. Cancel safe.
    fn accept(
        listener: &Self::Listener,
    ) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

/// Bytes in both directions. As usual, `Pending` means that the last context is woken when trying
/// again may help; the two directions have wakers of their own.
pub trait Stream: Send + 'static {
    /// Takes bytes that arrived into the buffer. None, when the other side has sent all that it
    /// will.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>>;

    /// Writes from the beginning of the slices, and tells how many bytes.
    fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// The number that the system gave to its socket, where sockets have one.
    fn descriptor(&self) -> Option<usize>;

    /// Tells the other side that nothing more is written. Reading goes on.
    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}
