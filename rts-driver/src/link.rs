//! One byte stream with its layers and its queue: reading and writing at once, a bounded amount of either at a time.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use futures_lite::future::or;
use rts_stream::{End, LayerError, Layers, LinkError};

use crate::queue::{Ending, Queue};
use crate::runtime::{Runtime, Stream};

/// Bytes taken from a link in one go.
const READ_BYTES: usize = 64 * 1_024;
/// Reads, or writes, before others get their turn.
const CALLS_PER_TURN: usize = 4;
/// Chunks up to this length are copied together before they are written.
const GATHERED_CHUNK_BYTES_MAX: usize = 512;
/// Chunks handed to one system call.
const SLICES_MAX: usize = 64;
/// How long a link that is being closed may take for what is left.
const LINGER: Duration = Duration::from_secs(1);

thread_local! {
    /// All links of a thread read into this, so that an idle link holds no buffer. What was read is copied to
    /// a buffer of its size, so that a short message does not keep a long buffer alive.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// What a link has to say to its owner.
#[derive(Debug)]
pub(crate) enum Step {
    /// Bytes arrived.
    Received(Bytes),
    /// It was asked to end when everything is written: call [`Link::finish`].
    Ending,
    /// It is broken, or the other side closed it, or it was cut.
    Gone,
    /// The other side said goodbye, or something that cannot be. There may be an answer to write: call
    /// [`Link::finish`].
    Over(Option<LayerError>),
}

#[derive(Debug)]
pub(crate) struct Link<S> {
    stream: S,
    layers: Layers,
    queue: Arc<Queue>,
    /// Taken from the queue, and not written.
    batch: VecDeque<Bytes>,
    /// What came with the last bytes of the handshake.
    early: Bytes,
    write_failed: bool,
    reads_in_turn: usize,
}

impl<S: Stream> Link<S> {
    pub(crate) fn new(stream: S, layers: Layers, queue: Arc<Queue>) -> Self {
        Self {
            stream,
            layers,
            queue,
            batch: VecDeque::new(),
            early: Bytes::new(),
            write_failed: false,
            reads_in_turn: 0,
        }
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Waits until the layers are open: for plain TCP they are. Cancel safe.
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

    /// Writes what is queued until there is something to say. Reads only if `reading`, and whether or not the writing
    /// gets on: two sides that both only wrote would wait for ever. Cancel safe.
    pub(crate) async fn step(&mut self, reading: bool) -> Step {
        poll_fn(|context| self.poll_step(context, reading)).await
    }

    pub(crate) fn poll_step(&mut self, context: &mut Context<'_>, reading: bool) -> Poll<Step> {
        match self.queue.register(context.waker()) {
            Ending::No => {}
            Ending::Flush => return Poll::Ready(Step::Ending),
            Ending::Cut => return Poll::Ready(Step::Gone),
        }
        loop {
            if let Poll::Ready(Err(_)) = self.poll_write(context) {
                self.write_failed = true;
            }
            if !reading {
                break;
            }
            match self.poll_read(context) {
                // The layers took it all, and may have an answer to it.
                Poll::Ready(Ok(bytes)) if bytes.is_empty() => {}
                Poll::Ready(Ok(bytes)) => return Poll::Ready(Step::Received(bytes)),
                Poll::Ready(Err(Unread::Broken(_))) => return Poll::Ready(Step::Gone),
                Poll::Ready(Err(Unread::Over(error))) => return Poll::Ready(Step::Over(error)),
                Poll::Pending => break,
            }
        }
        // What the other side said last is worth more than that it can no longer be answered: so this
        // comes after reading.
        if self.write_failed { Poll::Ready(Step::Gone) } else { Poll::Pending }
    }

    /// Writes what is left, and waits for the other side to close too. All this takes at most a second.
    ///
    /// A stream that is closed with unread input is reset, and a reset can overtake the last bytes that were written. So the
    /// input is read on, and dropped.
    pub(crate) async fn finish<R: Runtime>(mut self) {
        let closing = async {
            // Broken is as good as too late: either way the link is closed now.
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

    /// Writes everything, and drops what is read meanwhile.
    async fn drain(&mut self, is_reading: &mut bool) -> io::Result<()> {
        poll_fn(|context| {
            while *is_reading && let Poll::Ready(read) = self.poll_read_raw(context, |_, _| {}) {
                *is_reading = read.is_ok();
            }
            self.poll_write(context)
        })
        .await
    }

    /// Ready when everything is written that can be: nothing of the queue is, while the layers are not open.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.write_failed {
            return Poll::Pending;
        }
        for _ in 0..CALLS_PER_TURN {
            if self.batch.is_empty() {
                self.queue.take(&mut self.batch);
                gather(&mut self.batch);
            }
            self.queue.written(self.layers.fill(&mut self.batch));
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = self.layers.slices(&self.batch, &mut slices);
            if count == 0 {
                return Poll::Ready(Ok(()));
            }
            let written = ready!(self.stream.poll_write_vectored(context, &slices[..count]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.queue.written(self.layers.wrote(written, &mut self.batch));
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

    /// Reads once, and gives what that means above the layers, which may be nothing yet.
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

    /// Hands bytes as they are on the wire to `take`, at least one: the end of the stream is an error.
    fn poll_read_raw(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut Layers, &mut [u8]),
    ) -> Poll<io::Result<()>> {
        if self.reads_in_turn == CALLS_PER_TURN {
            self.reads_in_turn = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        SCRATCH.with_borrow_mut(|scratch| match self.stream.poll_read(context, scratch) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            Poll::Ready(Ok(length)) => {
                self.reads_in_turn += 1;
                take(&mut self.layers, &mut scratch[..length]);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.reads_in_turn = 0;
                Poll::Pending
            }
        })
    }
}

/// Joins small chunks: for the system, many pieces cost more than copying them.
fn gather(batch: &mut VecDeque<Bytes>) {
    let is_small = |chunk: &Bytes| chunk.len() <= GATHERED_CHUNK_BYTES_MAX;
    let small_bytes = batch.iter().filter(|chunk| is_small(chunk)).map(Bytes::len).sum();
    if batch.len() < 2 || small_bytes == 0 {
        return;
    }
    let mut gathered = BytesMut::with_capacity(small_bytes);
    for _ in 0..batch.len() {
        let Some(chunk) = batch.pop_front() else { break };
        if is_small(&chunk) {
            gathered.extend_from_slice(&chunk);
            continue;
        }
        if !gathered.is_empty() {
            batch.push_back(gathered.split().freeze());
        }
        batch.push_back(chunk);
    }
    if !gathered.is_empty() {
        batch.push_back(gathered.freeze());
    }
}

/// Why there are no more bytes.
enum Unread {
    /// The stream ended, or broke.
    Broken(Option<io::Error>),
    /// The layers say that it is over.
    Over(Option<LayerError>),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        let is_end = error.kind() == io::ErrorKind::UnexpectedEof;
        Self::Broken((!is_end).then_some(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Pipe, Still, pipe};
    use futures_lite::future::{block_on, zip};
    use rts_stream::Acceptor;

    fn link(stream: Pipe) -> Link<Pipe> {
        Link::new(stream, Acceptor::plain().layers(), Arc::new(Queue::default()))
    }

    async fn read_to_end(mut stream: Pipe) -> Vec<u8> {
        let (mut arrived, mut buffer) = (Vec::new(), [0; 64]);
        loop {
            let read = poll_fn(|context| stream.poll_read(context, &mut buffer)).await;
            match read.expect("a pipe in memory") {
                0 => return arrived,
                length => arrived.extend_from_slice(&buffer[..length]),
            }
        }
    }

    #[test]
    fn what_is_pushed_comes_out_in_order_through_a_narrow_pipe() {
        let (near, far) = pipe(7);
        let mut link = link(near);
        let expected: Vec<u8> = (0..1_000_u32).flat_map(u32::to_le_bytes).collect();
        for number in 0..1_000_u32 {
            link.queue().push(Bytes::copy_from_slice(&number.to_le_bytes()));
        }
        link.queue().end(Ending::Flush);
        assert!(matches!(block_on(link.step(true)), Step::Ending));
        let ((), arrived) = block_on(zip(link.finish::<Still>(), read_to_end(far)));
        assert_eq!(arrived, expected);
    }

    #[test]
    fn small_chunks_are_joined_and_large_ones_stay_where_they_are() {
        let small = |byte: u8| Bytes::from(vec![byte; 3]);
        let large = |byte: u8| Bytes::from(vec![byte; GATHERED_CHUNK_BYTES_MAX + 1]);
        let mut batch = VecDeque::from([small(1), small(2), large(3), large(4), small(5)]);
        let whole = batch.iter().flatten().copied().collect::<Vec<u8>>();
        gather(&mut batch);
        let lengths: Vec<usize> = batch.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [6, GATHERED_CHUNK_BYTES_MAX + 1, GATHERED_CHUNK_BYTES_MAX + 1, 3]);
        assert_eq!(batch.iter().flatten().copied().collect::<Vec<u8>>(), whole);
    }

    #[test]
    fn a_full_pipe_does_not_stop_the_reading() {
        let (near, mut far) = pipe(16);
        let mut link = link(near);
        link.queue().push(Bytes::from(vec![1; 1_000]));
        far.write(b"hello");
        let Step::Received(bytes) = block_on(link.step(true)) else { panic!("bytes arrived") };
        assert_eq!(bytes, "hello");
    }

    #[test]
    fn the_other_sides_last_words_are_read_though_writing_fails() {
        let (near, mut far) = pipe(16);
        far.write(b"goodbye");
        drop(far);
        let mut link = link(near);
        link.queue().push(Bytes::from_static(b"for nobody"));
        let step = block_on(link.step(true));
        let Step::Received(bytes) = step else { panic!("it was written before") };
        assert_eq!(bytes, "goodbye");
        assert!(matches!(block_on(link.step(true)), Step::Gone));
    }

    #[test]
    fn a_flood_leaves_others_their_turn() {
        let (near, mut far) = pipe(1_048_576);
        far.write(&vec![0; 1_048_576]);
        let mut link = link(near);
        let mut context = Context::from_waker(std::task::Waker::noop());
        let reads = (0..).take_while(|_| link.poll_step(&mut context, true).is_ready()).count();
        assert_eq!(reads, CALLS_PER_TURN);
    }
}
