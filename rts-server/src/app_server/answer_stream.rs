//! A stream that reports the progress of an answer, and bounds the bytes of its heads.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Most bytes of the heads of an answer: its own head, and the heads of all interim answers (1xx)
/// before it. Bytes read ahead of the body may be counted too.
pub(super) const HEADS_BYTES_MAX: usize = 64 * 1_024;
/// Reads before the task yields. The cooperative budget of the runtime does not cover this stream.
const READS_PER_TURN: usize = 8;

/// Calls back when the first line has arrived, and records whether any byte has.
pub(super) struct AnswerStream<S, F> {
    stream: S,
    first_line: Option<F>,
    progress: Progress,
    /// Bytes read before the answer's own head was complete.
    heads_bytes: usize,
    reads_in_turn: usize,
}

/// The progress of an answer.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<Marks>);

#[derive(Default)]
struct Marks {
    has_bytes: AtomicBool,
    head_complete: AtomicBool,
}

impl Progress {
    /// Whether a byte has arrived.
    pub(super) fn has_bytes(&self) -> bool {
        self.0.has_bytes.load(Ordering::Relaxed)
    }

    /// Records that the answer's own head is complete. The body has a bound of its own.
    pub(super) fn head_complete(&self) {
        self.0.head_complete.store(true, Ordering::Relaxed);
    }
}

impl<S, F: FnOnce()> AnswerStream<S, F> {
    pub(super) fn new(stream: S, first_line: F) -> (Self, Progress) {
        let progress = Progress::default();
        let answer_stream = Self {
            stream,
            first_line: Some(first_line),
            progress: progress.clone(),
            heads_bytes: 0,
            reads_in_turn: 0,
        };
        (answer_stream, progress)
    }
}

impl<S: AsyncRead + Unpin, F: FnOnce() + Unpin> AsyncRead for AnswerStream<S, F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.reads_in_turn == READS_PER_TURN {
            self.reads_in_turn = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.reads_in_turn = if read.is_ready() { self.reads_in_turn + 1 } else { 0 };
        ready!(read)?;
        let arrived = buffer.filled().get(before..).unwrap_or_default();
        if !arrived.is_empty() {
            self.progress.0.has_bytes.store(true, Ordering::Relaxed);
        }
        if !self.progress.0.head_complete.load(Ordering::Relaxed) {
            self.heads_bytes += arrived.len();
            if self.heads_bytes > HEADS_BYTES_MAX {
                return Poll::Ready(Err(io::Error::other("interim answers (1xx) without end")));
            }
        }
        if arrived.contains(&b'\n')
            && let Some(report) = self.first_line.take()
        {
            report();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin, F: Unpin> AsyncWrite for AnswerStream<S, F> {
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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Reads until the stream is pending, and returns the number of bytes.
    fn read_at_once<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<usize> {
        let mut context = Context::from_waker(Waker::noop());
        let mut read = 0;
        loop {
            let mut room = [0; 1_024];
            let mut buffer = ReadBuf::new(&mut room);
            match Pin::new(&mut *stream).poll_read(&mut context, &mut buffer) {
                Poll::Ready(Ok(())) => read += buffer.filled().len(),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(read),
            }
        }
    }

    #[test]
    fn endless_stream_yields_to_other_tasks() {
        let (mut stream, progress) = AnswerStream::new(tokio::io::repeat(b'x'), || {});
        progress.head_complete();
        for _ in 0..100 {
            let read = read_at_once(&mut stream).expect("a body has a bound of its own");
            assert_eq!(read, READS_PER_TURN * 1_024);
        }
    }

    #[test]
    fn heads_are_bounded_together() {
        for (extra, is_refused) in [(0, false), (1, true)] {
            let bytes = vec![b'x'; HEADS_BYTES_MAX + extra];
            let (mut stream, _) = AnswerStream::new(&bytes[..], || {});
            let turns = HEADS_BYTES_MAX / 1_024 / READS_PER_TURN + 1;
            let refused = (0..turns).any(|_| {
                let mut context = Context::from_waker(Waker::noop());
                (0..=READS_PER_TURN).any(|_| {
                    let mut room = [0; 1_024];
                    let read =
                        Pin::new(&mut stream).poll_read(&mut context, &mut ReadBuf::new(&mut room));
                    matches!(read, Poll::Ready(Err(_)))
                })
            });
            assert_eq!(refused, is_refused);
        }
    }
}
