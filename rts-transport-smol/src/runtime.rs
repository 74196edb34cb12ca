//! The implementation of `Runtime` for smol.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Instant;

use rts_driver::{Runtime, Stream, rotate};
use smol::Timer;
use smol::io::{AsyncRead as _, AsyncWrite as _};
use smol::net::{TcpListener, TcpStream, resolve};

/// The runtime smol, for `rts-driver`. Tasks run on its global executor.
#[derive(Debug)]
pub enum Smol {}

impl Runtime for Smol {
    type Listener = TcpListener;
    type Stream = Tcp;
    /// One thread of smol waits for the sockets of all threads.
    type Detached = Tcp;

    fn is_present() -> bool {
        true
    }

    fn spawn(task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }

    fn start_task_thread(
        name: &str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name(name.to_owned()).spawn(|| smol::block_on(task))
    }

    fn detach(stream: Tcp) -> io::Result<Tcp> {
        Ok(stream)
    }

    fn attach(detached: Tcp) -> io::Result<Tcp> {
        Ok(detached)
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        smol::future::yield_now()
    }

    async fn sleep_until(moment: Instant) {
        Timer::at(moment).await;
    }

    async fn connect(authority: String) -> io::Result<Tcp> {
        let mut addresses = resolve(authority).await?;
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
        Pin::new(&mut self.0).poll_read(context, buffer)
    }

    fn poll_write_vectored(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn descriptor(&self) -> Option<usize> {
        #[cfg(unix)]
        return usize::try_from(std::os::fd::AsRawFd::as_raw_fd(&self.0)).ok();
        #[cfg(not(unix))]
        return None;
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(context)
    }
}
