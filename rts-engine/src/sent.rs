//! A send that was accepted, for those who want to wait for its result.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use rts_proto::MessageId;

/// An accepted send: its number, and a future of its one result.
///
/// The result is also an event. Dropping this cancels nothing. The future is cancel safe, and is always
/// completed: at the latest when the engine or the room is destroyed.
#[derive(Debug)]
pub struct Sent<C> {
    id: MessageId,
    slot: Arc<Slot<C>>,
}

/// Where the result is put.
#[derive(Debug)]
pub(crate) struct Slot<C> {
    inner: Mutex<(Option<C>, Option<Waker>)>,
}

impl<C: Copy> Sent<C> {
    pub(crate) fn new(id: MessageId) -> (Self, Arc<Slot<C>>) {
        let slot = Arc::new(Slot { inner: Mutex::new((None, None)) });
        (Self { id, slot: Arc::clone(&slot) }, slot)
    }

    /// The send's number: 1, 2, 3, ... of its engine, or of its room handle for broadcasts.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.id
    }
}

impl<C: Copy> Slot<C> {
    pub(crate) fn fill(&self, code: C) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.0 = Some(code);
        if let Some(waker) = inner.1.take() {
            waker.wake();
        }
    }
}

impl<C: Copy> Future for Sent<C> {
    type Output = C;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<C> {
        let mut inner = self.slot.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = inner.0 {
            return Poll::Ready(code);
        }
        inner.1 = Some(context.waker().clone());
        Poll::Pending
    }
}
