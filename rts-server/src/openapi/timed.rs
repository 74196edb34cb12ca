//! A connection with a deadline for each phase of its requests.
//!
//! ```text
//!            the first byte        the head is whole        the answer is written
//!   Idle ----------------> Busy -----------------------------------------> Idle
//!   90 s (10 s at first)   10 s until the head,   20 s until all of the answer
//! ```
//!
//! A connection past its deadline is closed. A client that sends its head or body, or takes its
//! answer, byte by byte holds a place no longer than that.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::task::coop;
use tokio::time::{Instant, Sleep, sleep_until};

use super::framing::Framing;

/// From the first byte of a request to the end of its head. Also from the start of a connection to
/// its first byte.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// From the first byte of a request until all of its answer is written.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
/// Between requests. It is longer than usual proxies keep a connection (nginx 60 s). The proxy
/// therefore closes the connection, and never while a request is under way.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// Bytes of an answer that cost one unit of the runtime's cooperative budget. The budget is 128
/// operations, so a task writes about 64 KiB in a turn.
const BYTES_PER_OPERATION: usize = 512;

/// The state of a connection's requests. The answering code updates it.
#[derive(Debug)]
pub(super) struct Progress {
    heads: AtomicU64,
    answers: AtomicU64,
    turn: Mutex<Turn>,
    ends: Notify,
}

/// Which side of a connection has to act.
#[derive(Clone, Copy, Debug)]
enum Turn {
    /// The client has to send a request or its body, or take an answer.
    Theirs {
        since: Instant,
    },
    Ours,
    /// The connection is about to end.
    Over,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            heads: AtomicU64::new(0),
            answers: AtomicU64::new(0),
            turn: Mutex::new(Turn::Theirs { since: Instant::now() }),
            ends: Notify::new(),
        }
    }
}

impl Progress {
    /// Records that the head of a request is complete. Returns whether to answer the request: not
    /// if the connection is ending.
    pub(super) fn head_arrived(&self) -> bool {
        let mut turn = self.turn();
        if let Turn::Over = *turn {
            return false;
        }
        *turn = Turn::Ours;
        self.heads.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Records that the body of a request is awaited. Nothing of the request is carried out before.
    pub(super) fn await_body(&self) {
        *self.turn() = Turn::Theirs { since: Instant::now() };
    }

    /// Records that the body has arrived or failed. Returns whether to answer the request: not if
    /// the connection is ending.
    pub(super) fn body_arrived(&self) -> bool {
        let mut turn = self.turn();
        let ends = matches!(*turn, Turn::Over);
        if !ends {
            *turn = Turn::Ours;
        }
        !ends
    }

    /// Records that the answer is ready to be written.
    pub(super) fn answer_ready(&self) {
        *self.turn() = Turn::Theirs { since: Instant::now() };
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// Since when the connection has waited for the client. `None` while a request is answered.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        match *self.turn() {
            Turn::Theirs { since } => Some(since),
            Turn::Ours | Turn::Over => None,
        }
    }

    /// Ends the connection, unless a request is being answered. Returns whether it ends.
    pub(super) fn end(&self) -> bool {
        let mut turn = self.turn();
        let Turn::Theirs { .. } = *turn else { return false };
        *turn = Turn::Over;
        self.ends.notify_one();
        true
    }

    /// Waits until it is [ended](Self::end). Cancel safe.
    pub(super) async fn ended(&self) {
        self.ends.notified().await;
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The numbers of requests and of answers.
    fn counts(&self) -> (u64, u64) {
        (self.heads.load(Ordering::Relaxed), self.answers.load(Ordering::Relaxed))
    }
}

/// A stream that fails when a request, or the wait for one, takes too long. `framing` sees all
/// bytes that are read.
#[derive(Debug)]
pub(super) struct Timed<S> {
    stream: S,
    framing: Framing,
    progress: Arc<Progress>,
    /// Answers that are written.
    written: u64,
    phase: Phase,
    timer: Pin<Box<Sleep>>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// No byte of a request has arrived.
    Idle {
        deadline: Instant,
    },
    Busy {
        since: Instant,
    },
}

impl<S> Timed<S> {
    pub(super) fn new(stream: S, framing: Framing, progress: Arc<Progress>) -> Self {
        let deadline = Instant::now() + HEAD_TIMEOUT;
        let phase = Phase::Idle { deadline };
        let timer = Box::pin(sleep_until(deadline));
        Self { stream, framing, progress, written: 0, phase, timer }
    }

    fn set_busy(&mut self) {
        if let Phase::Idle { .. } = self.phase {
            self.phase = Phase::Busy { since: Instant::now() };
        }
    }

    fn answers_written(&mut self) {
        let (heads, answers) = self.progress.counts();
        if heads == answers && answers > self.written {
            self.written = answers;
            self.phase = Phase::Idle { deadline: Instant::now() + IDLE_TIMEOUT };
        }
    }

    /// Checks the deadline. Called when the stream is pending.
    fn poll_in_time<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let has_head = self.progress.counts().0 > self.written;
        if has_head {
            // The next request arrived together with the previous one.
            self.set_busy();
        }
        let deadline = match self.phase {
            Phase::Idle { deadline } => deadline,
            Phase::Busy { since } if has_head => since + REQUEST_TIMEOUT,
            Phase::Busy { since } => since + HEAD_TIMEOUT,
        };
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        match self.timer.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Charges the bytes written to the cooperative budget of the task.
fn counted(context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
    if let Poll::Ready(Ok(bytes)) = written {
        for _ in 0..bytes / BYTES_PER_OPERATION {
            match coop::poll_proceed(context) {
                Poll::Ready(operation) => operation.made_progress(),
                Poll::Pending => break,
            }
        }
    }
    written
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Ready(Ok(())) => {
                if buffer.filled().len() > before {
                    self.framing.read(&buffer.filled()[before..]);
                    self.set_busy();
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_in_time(context),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write(context, bytes) {
            Poll::Pending => self.poll_in_time(context),
            ready => counted(context, ready),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.stream).poll_write_vectored(context, slices) {
            Poll::Pending => self.poll_in_time(context),
            ready => counted(context, ready),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_flush(context) {
            Poll::Ready(Ok(())) => {
                self.answers_written();
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_in_time(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
