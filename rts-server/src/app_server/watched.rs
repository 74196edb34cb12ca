//! A stream that tells how far the answer has come.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Calls back when the first line has arrived, and remembers whether anything has.
pub(super) struct Watched<S, F> {
    stream: S,
    first_line: Option<F>,
    has_heard: Heard,
}

/// Whether a byte has arrived.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<AtomicBool>);

impl Heard {
    pub(super) fn anything(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S, F: FnOnce()> Watched<S, F> {
    pub(super) fn new(stream: S, first_line: F) -> (Self, Heard) {
        let has_heard = Heard::default();
        (Self { stream, first_line: Some(first_line), has_heard: has_heard.clone() }, has_heard)
    }
}

impl<S: AsyncRead + Unpin, F: FnOnce() + Unpin> AsyncRead for Watched<S, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let arrived = buffer.filled().get(before..).unwrap_or_default();
        if !arrived.is_empty() {
            self.has_heard.0.store(true, Ordering::Relaxed);
        }
        if arrived.contains(&b'\n')
            && let Some(tell) = self.first_line.take()
        {
            tell();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin, F: Unpin> AsyncWrite for Watched<S, F> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
