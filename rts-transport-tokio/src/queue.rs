//! Bytes on their way to one link.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Notify;

/// A link that has not taken so many bytes is given up. More than a session's whole window, so that only
/// messages that are never sent again, or a flood of pings, can get there.
const QUEUE_BYTES_MAX: usize = 4 * 1_048_576;
/// Buffers handed to one system call.
const SLICES_MAX: usize = 64;
/// How long a link that is being closed may take to write what is left.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// Filled by the core's driver, emptied by the link's writer.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    ready: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    closed: bool,
}

impl Queue {
    /// False when the link does not keep up and is to be given up.
    pub(crate) fn push(&self, bytes: Bytes) -> bool {
        let mut inner = self.lock();
        inner.bytes += bytes.len();
        inner.chunks.push_back(bytes);
        let keeps_up = inner.bytes <= QUEUE_BYTES_MAX;
        drop(inner);
        self.ready.notify_one();
        keeps_up
    }

    /// Nothing more will come: the writer ends when all is written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    /// Writes what comes until the queue is closed and empty, many chunks in one call.
    pub(crate) async fn write_to(
        &self,
        mut stream: impl AsyncWrite + Unpin,
    ) -> std::io::Result<()> {
        let mut batch = VecDeque::new();
        loop {
            let closed = {
                let mut inner = self.lock();
                inner.bytes = 0;
                std::mem::swap(&mut batch, &mut inner.chunks);
                inner.closed
            };
            if batch.is_empty() {
                if closed {
                    return stream.shutdown().await;
                }
                self.ready.notified().await;
                continue;
            }
            write_batch(&mut stream, &mut batch).await?;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write_batch(
    stream: &mut (impl AsyncWrite + Unpin),
    batch: &mut VecDeque<Bytes>,
) -> std::io::Result<()> {
    while !batch.is_empty() {
        let slices: Vec<IoSlice<'_>> =
            batch.iter().take(SLICES_MAX).map(|chunk| IoSlice::new(chunk)).collect();
        let mut written = stream.write_vectored(&slices).await?;
        if written == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        while let Some(first) = batch.front_mut() {
            if written < first.len() {
                first.advance(written);
                break;
            }
            written -= first.len();
            batch.pop_front();
        }
    }
    Ok(())
}
