//! The bytes of one link: a stream with its layers and its write queue. Reading and writing run
//! together, each bounded in a turn.

mod write_queue;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_lite::future::or;
use rts_proto::limits::WINDOW_BYTES_MAX;
use rts_stream::{End, LayerError, Layers, LinkError};

use crate::runtime::{Runtime, Stream};
use write_queue::WriteQueue;

/// Bytes of one read from a link.
pub(crate) const READ_BYTES: usize = 64 * 1_024;
/// Bytes of one read from a link with TLS or WebSocket. It may use up a turn's share, because
/// decoding layers may cost a hundred times as much as plain bytes.
pub(crate) const LAYERED_READ_BYTES: usize = 16 * 1_024;
/// Reads, and writes, of one link before other links get their turn.
const CALLS_PER_TURN: usize = 4;
/// Pieces handed to one system call.
const SLICES_MAX: usize = 64;
/// Pieces are copied together before they are written, if they are no longer than this in total.
/// For the system, many pieces cost more than the copy.
const GATHERED_BYTES_MAX: usize = 16 * 1_024;
/// Unsent bytes beside a full window. They are frames outside of any session's window, such as
/// acknowledgements and unreliable messages.
const UNSEQUENCED_BYTES_MAX: usize = 1_048_576;
/// Unsent bytes at which a link is congested. The core then sends nothing to it that is not
/// sequenced (§2.9). The difference leaves room for the output that one input causes meanwhile.
const CONGESTED_BYTES: usize = UNSEQUENCED_BYTES_MAX - 4 * READ_BYTES;
/// Unsent bytes at or below which a link is no longer congested.
const RELIEVED_BYTES: usize = CONGESTED_BYTES / 2;
/// Unsent bytes above which a link is given up (I38).
const UNSENT_BYTES_MAX: usize = WINDOW_BYTES_MAX + UNSEQUENCED_BYTES_MAX;
/// Time for a closing link to write its remaining bytes.
const LINGER: Duration = Duration::from_secs(1);

thread_local! {
    /// The read buffer of all links of a thread, so that an idle link holds no buffer. Read bytes
    /// are copied to a buffer of their size, so that a short message does not keep a long buffer
    /// alive.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
    /// The buffer of a thread for pieces that are copied together before they are written.
    static GATHERED: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(GATHERED_BYTES_MAX));
}

/// The result of one step of a link.
#[derive(Debug)]
pub(crate) enum Step {
    /// Bytes arrived.
    Received(Bytes),
    /// The link broke, with the kind of error; `None` if the peer closed it.
    Gone(Option<io::ErrorKind>),
    /// The peer ended the layers, or violated their protocol. An answer may be left to write: call
    /// [`Link::finish`].
    Over(Option<LayerError>),
}

/// The peer reads too slowly, so the link must be given up.
#[derive(Debug)]
pub(crate) struct Overflow;

#[derive(Debug)]
pub(crate) struct Link<S> {
    stream: S,
    layers: Layers,
    /// Bytes to be written.
    unwritten: WriteQueue,
    /// Bytes of frames that are not yet written, or not yet wrapped by the layers.
    unsent_bytes: usize,
    /// Bytes that arrived with the last bytes of the handshake.
    early: Bytes,
    write_failed: Option<io::ErrorKind>,
    is_congested: bool,
    reads_in_turn: usize,
    /// Bytes that layers decoded since the last [`take_layered_bytes`](Self::take_layered_bytes).
    layered_bytes: usize,
}

impl<S> Link<S> {
    /// Exchanges the stream for another form of it, such as one for another thread. The link is
    /// lost if that fails.
    pub(crate) fn try_map<T>(self, change: impl FnOnce(S) -> io::Result<T>) -> io::Result<Link<T>> {
        Ok(Link {
            stream: change(self.stream)?,
            layers: self.layers,
            unwritten: self.unwritten,
            unsent_bytes: self.unsent_bytes,
            early: self.early,
            write_failed: self.write_failed,
            is_congested: self.is_congested,
            reads_in_turn: self.reads_in_turn,
            layered_bytes: self.layered_bytes,
        })
    }
}

impl<S: Stream> Link<S> {
    pub(crate) fn new(stream: S, layers: Layers) -> Self {
        Self {
            stream,
            layers,
            unwritten: WriteQueue::default(),
            unsent_bytes: 0,
            early: Bytes::new(),
            write_failed: None,
            is_congested: false,
            reads_in_turn: 0,
            layered_bytes: 0,
        }
    }

    /// The number of bytes that layers decoded since the last call. 0 for plain TCP.
    pub(crate) fn take_layered_bytes(&mut self) -> usize {
        std::mem::take(&mut self.layered_bytes)
    }

    /// Whether the handshakes of its layers have begun: the peer has sent something.
    pub(crate) fn has_begun(&self) -> bool {
        self.layers.is_open() || self.layered_bytes > 0
    }

    /// Queues bytes to be written. Call [`poll_step`](Self::poll_step) or
    /// [`poll_flush`](Self::poll_flush) next.
    pub(crate) fn push(&mut self, bytes: Bytes) -> Result<(), Overflow> {
        if self.unsent_bytes + bytes.len() > UNSENT_BYTES_MAX {
            return Err(Overflow);
        }
        self.unsent_bytes += bytes.len();
        self.unwritten.push(bytes);
        Ok(())
    }

    /// Whether the link is congested, if that has changed since the last call.
    pub(crate) fn congestion_changed(&mut self) -> Option<bool> {
        let is_congested = match self.is_congested {
            true => self.unsent_bytes > RELIEVED_BYTES,
            false => self.unsent_bytes >= CONGESTED_BYTES,
        };
        let was_congested = std::mem::replace(&mut self.is_congested, is_congested);
        (was_congested != is_congested).then_some(is_congested)
    }

    /// Whether the handshakes of its layers are done.
    pub(crate) fn is_open(&self) -> bool {
        self.layers.is_open()
    }

    /// Waits until the layers are open. Plain TCP is open at once. Cancel safe.
    pub(crate) async fn open(&mut self) -> Result<(), LinkError> {
        poll_fn(|context| self.poll_open(context)).await
    }

    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        loop {
            let written = self.poll_write(context);
            if self.layers.is_open() {
                return Poll::Ready(Ok(()));
            }
            let why = match ready!(self.poll_receive(context)) {
                Ok(bytes) => {
                    self.early = bytes;
                    continue;
                }
                Err(Unread::Over(Some(error))) => LinkError::Layer(error),
                Err(Unread::Over(None)) => LinkError::Closed(None),
                Err(Unread::Broken(error)) => LinkError::Closed(error.or(match written {
                    Poll::Ready(Err(error)) => Some(error),
                    Poll::Ready(Ok(())) | Poll::Pending => None,
                })),
            };
            return Poll::Ready(Err(why));
        }
    }

    /// Writes queued bytes until there is a step to report. Reads only if `reading`. It reads even
    /// if it cannot write, because two sides that both only wrote would wait for ever.
    pub(crate) fn poll_step(&mut self, context: &mut Context<'_>, reading: bool) -> Poll<Step> {
        loop {
            self.poll_flush(context);
            if !reading {
                break;
            }
            match self.poll_read(context) {
                // The layers consumed all bytes, and may have an answer to write.
                Poll::Ready(Ok(bytes)) if bytes.is_empty() => {}
                Poll::Ready(Ok(bytes)) => return Poll::Ready(Step::Received(bytes)),
                Poll::Ready(Err(Unread::Broken(error))) => {
                    return Poll::Ready(Step::Gone(error.map(|error| error.kind())));
                }
                Poll::Ready(Err(Unread::Over(error))) => return Poll::Ready(Step::Over(error)),
                Poll::Pending => break,
            }
        }
        // Errors of writing come after reading: the last bytes of the peer matter more than the
        // fact that it can no longer be answered.
        match self.write_failed {
            Some(how) => Poll::Ready(Step::Gone(Some(how))),
            None => Poll::Pending,
        }
    }

    /// Only writes. An error of writing is reported by the next [`poll_step`](Self::poll_step), for
    /// which `context` is woken.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) {
        if let Poll::Ready(Err(error)) = self.poll_write(context) {
            self.write_failed = Some(error.kind());
            context.waker().wake_by_ref();
        }
    }

    /// Writes the remaining bytes, and waits until the peer closes too. Takes at most one second.
    ///
    /// If a stream is closed while it has unread input, the system resets it, and a reset can
    /// overtake the last written bytes. So this reads on, and drops the input.
    pub(crate) async fn finish<R: Runtime>(mut self) {
        let closing = async {
            // An error and a time-out have the same effect: the link is closed now.
            let _ = self.close().await;
        };
        or(closing, R::sleep_until(Instant::now() + LINGER)).await;
    }

    async fn close(&mut self) -> io::Result<()> {
        let mut is_reading = true;
        self.drain(&mut is_reading).await?;
        self.layers.close();
        self.drain(&mut is_reading).await?;
        poll_fn(|context| self.stream.poll_shutdown(context)).await?;
        while is_reading {
            is_reading = poll_fn(|context| self.poll_read_raw(context, |_, _| {})).await.is_ok();
        }
        Ok(())
    }

    /// Writes everything, and drops the input that it reads meanwhile.
    async fn drain(&mut self, is_reading: &mut bool) -> io::Result<()> {
        poll_fn(|context| {
            while *is_reading && let Poll::Ready(read) = self.poll_read_raw(context, |_, _| {}) {
                *is_reading = read.is_ok();
            }
            self.poll_write(context)
        })
        .await
    }

    /// Ready when everything that can be written is written. Frames cannot be written before the
    /// layers are open.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.write_failed.is_some() {
            return Poll::Pending;
        }
        for _ in 0..CALLS_PER_TURN {
            let first = self.unwritten.front();
            self.unsent_bytes -= self.layers.fill(first);
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.layers.slices(first, &mut slices);
            if count == 0 {
                return Poll::Ready(Ok(()));
            }
            let written = ready!(poll_write_slices(&mut self.stream, context, &slices[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent_bytes -= self.layers.wrote(written, first);
            // An idle link holds no buffer.
            self.unwritten.release_memory();
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Unread>> {
        if self.early.is_empty() {
            self.poll_receive(context)
        } else {
            Poll::Ready(Ok(std::mem::take(&mut self.early)))
        }
    }

    /// Reads once, and returns the bytes above the layers, which may be empty.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes, Unread>> {
        match self.layers.end() {
            None => {}
            Some(End::Closed) => return Poll::Ready(Err(Unread::Over(None))),
            Some(End::Failed(error)) => return Poll::Ready(Err(Unread::Over(Some(error)))),
        }
        let mut bytes = Bytes::new();
        ready!(self.poll_read_raw(context, |layers, wire| bytes = layers.receive(wire)))?;
        Poll::Ready(Ok(bytes))
    }

    /// Hands bytes as they are on the wire to `take`, at least one byte. The end of the stream is
    /// an error.
    fn poll_read_raw(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut Layers, &mut [u8]),
    ) -> Poll<io::Result<()>> {
        if self.reads_in_turn >= CALLS_PER_TURN {
            self.reads_in_turn = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let is_layered = self.layers.are_layers();
        let room = if is_layered { LAYERED_READ_BYTES } else { READ_BYTES };
        SCRATCH.with_borrow_mut(|scratch| {
            match self.stream.poll_read(context, &mut scratch[..room]) {
                Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                Poll::Ready(Ok(length)) => {
                    self.reads_in_turn += 1;
                    self.layered_bytes += if is_layered { length } else { 0 };
                    take(&mut self.layers, &mut scratch[..length]);
                    Poll::Ready(Ok(()))
                }
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.reads_in_turn = 0;
                    Poll::Pending
                }
            }
        })
    }
}

/// Writes from the beginning of the slices, which are not empty. Copies them together if they are
/// small.
fn poll_write_slices<S: Stream>(
    stream: &mut S,
    context: &mut Context<'_>,
    slices: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
    if slices.len() == 1 || bytes > GATHERED_BYTES_MAX {
        return stream.poll_write_vectored(context, slices);
    }
    GATHERED.with_borrow_mut(|gathered| {
        gathered.clear();
        for slice in slices {
            gathered.extend_from_slice(slice);
        }
        stream.poll_write_vectored(context, &[IoSlice::new(gathered)])
    })
}

/// Why there are no more bytes.
enum Unread {
    /// The stream ended, or broke.
    Broken(Option<io::Error>),
    /// The layers ended.
    Over(Option<LayerError>),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        let is_end = error.kind() == io::ErrorKind::UnexpectedEof;
        Self::Broken((!is_end).then_some(error))
    }
}

#[cfg(test)]
mod tests;
