//! Bytes on their way to one link. Filled by whoever drains a core, emptied by the link's owner.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;

/// A link that has so many bytes unsent is given up. More than a session's whole window, so that only
/// messages that are never sent again, or a flood of pings, can get there.
pub(crate) const UNSENT_BYTES_MAX: usize = 4 * 1_048_576;

#[derive(Debug, Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    chunks: VecDeque<Bytes>,
    /// In `chunks`, and taken from there but not written.
    unsent_bytes: usize,
    ending: Ending,
    waker: Option<Waker>,
    /// Whether somebody has promised to call [`Queue::wake`].
    wake_promised: bool,
}

/// Whether the link is to end, and how. It only goes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    #[default]
    No,
    /// When everything is written.
    Flush,
    /// Now.
    Cut,
}

/// What became of bytes that were pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// The caller has to call [`Queue::wake`] when it has no more to push.
    First,
    /// Somebody is going to wake the link anyway.
    More,
    /// The link does not keep up, and has to be given up.
    Overflow,
}

impl Queue {
    pub(crate) fn push(&self, bytes: Bytes) -> Pushed {
        let mut inner = self.lock();
        if inner.ending != Ending::No {
            return Pushed::More;
        }
        if inner.unsent_bytes + bytes.len() > UNSENT_BYTES_MAX {
            return Pushed::Overflow;
        }
        inner.unsent_bytes += bytes.len();
        inner.chunks.push_back(bytes);
        inner.promise_wake()
    }

    /// The link is to end. What is pushed from now on is dropped.
    pub(crate) fn end(&self, ending: Ending) -> Pushed {
        let mut inner = self.lock();
        inner.ending = inner.ending.max(ending);
        inner.promise_wake()
    }

    /// Lets the owner see what was pushed.
    pub(crate) fn wake(&self) {
        let waker = {
            let mut inner = self.lock();
            inner.wake_promised = false;
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The same, but the owner of `own` is the caller, which looks there anyway.
    pub(crate) fn wake_unless(&self, own: Option<&Arc<Self>>) {
        if own.is_some_and(|own| std::ptr::eq(self, &**own)) {
            self.lock().wake_promised = false;
        } else {
            self.wake();
        }
    }

    /// For the owner: whether the link is to end, and who is to be woken when something changes.
    pub(crate) fn register(&self, waker: &Waker) -> Ending {
        let mut inner = self.lock();
        let ending = inner.ending;
        if inner.waker.as_ref().is_some_and(|registered| registered.will_wake(waker)) {
            return ending;
        }
        let before = inner.waker.replace(waker.clone());
        drop(inner);
        drop(before);
        ending
    }

    /// For the owner: moves all chunks to `batch`, which is empty.
    pub(crate) fn take(&self, batch: &mut VecDeque<Bytes>) {
        debug_assert!(batch.is_empty(), "what is in the batch comes first");
        std::mem::swap(&mut self.lock().chunks, batch);
    }

    /// For the owner: so many bytes of what was taken are written.
    pub(crate) fn written(&self, bytes: usize) {
        self.lock().unsent_bytes -= bytes;
    }

    /// Nothing that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn promise_wake(&mut self) -> Pushed {
        if std::mem::replace(&mut self.wake_promised, true) { Pushed::More } else { Pushed::First }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_it_may_hold_and_not_a_byte_more() {
        let queue = Queue::default();
        assert_eq!(queue.push(Bytes::from(vec![0; UNSENT_BYTES_MAX])), Pushed::First);
        assert_eq!(queue.push(Bytes::from_static(b"1")), Pushed::Overflow);
    }

    #[test]
    fn bytes_count_until_they_are_written_and_not_only_until_they_are_taken() {
        let queue = Queue::default();
        queue.push(Bytes::from(vec![0; UNSENT_BYTES_MAX]));
        queue.take(&mut VecDeque::new());
        assert_eq!(queue.push(Bytes::from_static(b"1")), Pushed::Overflow);
        queue.written(1);
        assert_eq!(queue.push(Bytes::from_static(b"1")), Pushed::More);
    }

    #[test]
    fn nothing_is_taken_in_after_the_end() {
        let queue = Queue::default();
        queue.push(Bytes::from_static(b"before"));
        queue.end(Ending::Flush);
        queue.push(Bytes::from_static(b"after"));
        let mut batch = VecDeque::new();
        queue.take(&mut batch);
        assert_eq!(batch, [Bytes::from_static(b"before")]);
    }

    #[test]
    fn an_ending_is_not_taken_back() {
        let queue = Queue::default();
        queue.end(Ending::Cut);
        queue.end(Ending::Flush);
        assert_eq!(queue.register(Waker::noop()), Ending::Cut);
    }
}
