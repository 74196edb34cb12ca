//! [`Runtime`]: the sockets, timers and tasks that a runtime provides.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Instant;

/// A runtime's sockets, timers and tasks. The type that implements this only names the runtime, and
/// has no values.
pub trait Runtime: Sized + 'static {
    /// A socket that accepts links.
    type Listener: Send + Sync + 'static;
    /// A TCP connection.
    type Stream: Stream;
    /// A TCP connection on its way from one thread to another.
    type Detached: Send + 'static;

    /// Whether tasks can be spawned here.
    fn is_present() -> bool;

    /// Starts a task. Only called where the runtime [is present](Self::is_present). When the
    /// runtime ends, it drops its tasks.
    fn spawn(task: impl Future<Output = ()> + Send + 'static);

    /// Starts a thread for work that would block tasks for milliseconds. The thread uses nothing of
    /// the runtime.
    ///
    /// # Errors
    ///
    /// The system cannot start another thread.
    fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        std::thread::Builder::new().name(name.to_owned()).spawn(work).map(drop)
    }

    /// Runs a task on a thread of its own. The thread ends with the task. A panic of the task ends
    /// the thread.
    ///
    /// Where sockets, timers and tasks belong to a thread, as in tokio, those that the task starts
    /// belong to this one, and end with it. In smol, all threads share them.
    ///
    /// # Errors
    ///
    /// The system cannot start another thread.
    fn start_task_thread(
        name: &str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<JoinHandle<()>>;

    /// Takes a connection from the thread that it belongs to.
    fn detach(stream: Self::Stream) -> io::Result<Self::Detached>;

    /// Makes a connection belong to this thread. Only called where the runtime [is
    /// present](Self::is_present).
    fn attach(detached: Self::Detached) -> io::Result<Self::Stream>;

    /// Yields to other tasks, and lets the runtime poll its sockets, before the task continues. A
    /// task that only wakes itself might run many times before the runtime polls the system.
    fn yield_now() -> impl Future<Output = ()> + Send;

    /// Sleeps until that moment.
    fn sleep_until(moment: Instant) -> impl Future<Output = ()> + Send + 'static;

    /// Connects to `host:port`, with TCP_NODELAY. Of several addresses of the host, it begins with
    /// any one, as [`rotate`] chooses it.
    fn connect(
        authority: String,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send + 'static;

    /// Accepts the next link, and returns the address of its peer. Sets TCP_NODELAY. Cancel safe.
    fn accept(
        listener: &Self::Listener,
    ) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

/// Begins a list of addresses of one host with any of those that the system prefers: the first one,
/// and those behind it of its IP version. The nodes of a cluster may be the addresses of one name.
pub fn rotate(addresses: &mut [SocketAddr]) {
    rotate_by(addresses, getrandom::u64().unwrap_or_default());
}

fn rotate_by(addresses: &mut [SocketAddr], random: u64) {
    let Some(first) = addresses.first().copied() else { return };
    let is_like_first = |address: &SocketAddr| address.is_ipv4() == first.is_ipv4();
    let preferred = addresses.iter().position(|address| !is_like_first(address));
    let preferred = preferred.unwrap_or(addresses.len());
    addresses[..preferred].rotate_left((random % preferred as u64) as usize);
}

/// A stream of bytes in both directions. `Pending` means that the last context is woken when
/// another attempt may succeed. Each direction has its own waker.
pub trait Stream: Send + 'static {
    /// Reads bytes that arrived into the buffer. Returns 0 when the peer sends no more.
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>>;

    /// Writes from the beginning of the slices, and returns the number of bytes written.
    fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// The descriptor of the socket, on systems where sockets have one.
    fn descriptor(&self) -> Option<usize>;

    /// Signals to the peer that no more bytes follow. Reading continues.
    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_address_of_the_preferred_ip_version_comes_first() {
        let parse = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let all = ["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1", "[::4]:1"].map(parse);
        for random in 0..6 {
            let mut rotated = all;
            rotate_by(&mut rotated, random);
            assert_eq!(rotated[0], all[random as usize % 3]);
            assert_eq!(rotated[3..], all[3..]);
        }
        rotate_by(&mut [], 1);
    }
}
