//! The implementation of `Runtime` for tokio.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::thread::JoinHandle;
use std::time::Instant;

use rts_driver::{Runtime, Stream, rotate};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream, lookup_host};

/// The runtime tokio, for `rts-driver`.
#[derive(Debug)]
pub enum Tokio {}

impl Runtime for Tokio {
    type Listener = TcpListener;
    type Stream = Tcp;
    type Detached = std::net::TcpStream;

    fn is_present() -> bool {
        tokio::runtime::Handle::try_current().is_ok()
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        // The task of a driver yields by itself. Tokio's budget for a task would be shared by all
        // links of a shard.
        tokio::spawn(tokio::task::unconstrained(task));
    }

    fn start_task_thread(
        name: &str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            runtime.block_on(tokio::task::unconstrained(task));
            // Does not wait for work that blocks, such as the resolution of a name.
            runtime.shutdown_background();
        })
    }

    fn detach(stream: Tcp) -> io::Result<std::net::TcpStream> {
        stream.0.into_std()
    }

    fn attach(detached: std::net::TcpStream) -> io::Result<Tcp> {
        TcpStream::from_std(detached).map(Tcp)
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }

    fn sleep_until(moment: Instant) -> impl Future<Output = ()> + Send + 'static {
        tokio::time::sleep_until(moment.into())
    }

    async fn connect(authority: String) -> io::Result<Tcp> {
        let mut addresses: Vec<_> = lookup_host(authority).await?.collect();
        rotate(&mut addresses);
        Ok(Tcp::new(TcpStream::connect(&addresses[..]).await?))
    }

    async fn accept(listener: &TcpListener) -> io::Result<(Tcp, SocketAddr)> {
        let (stream, peer) = listener.accept().await?;
        Ok((Tcp::new(stream), peer))
    }
}

/// A TCP connection.
#[derive(Debug)]
pub struct Tcp(TcpStream);

impl Tcp {
    fn new(stream: TcpStream) -> Self {
        // Small messages must not wait for others. A link without this option also works.
        let _ = stream.set_nodelay(true);
        Self(stream)
    }
}

impl Stream for Tcp {
    fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.0).poll_read(context, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            // For the system, a list of slices is slower, even with one slice.
            [slice] => Pin::new(&mut self.0).poll_write(context, slice),
            _ => Pin::new(&mut self.0).poll_write_vectored(context, slices),
        }
    }

    fn descriptor(&self) -> Option<usize> {
        #[cfg(unix)]
        return usize::try_from(std::os::fd::AsRawFd::as_raw_fd(&self.0)).ok();
        #[cfg(not(unix))]
        return None;
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
