//! What the engine calls back, as a stream.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use rts_proto::client::{Event, EventHandler};

use crate::shared::Shared;

/// Everything that the engine tells the application, in the order in which it happened. Ends when the
/// engine was destroyed and the last event was taken.
///
/// Take events promptly: while more than 1,024 of them wait, the engine does not read its link, and
/// after 10 s of that the link counts as dead. Dropping this discards all events from then on.
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
}

impl Events {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The next event; `None` at the end. Cancel safe: no event is lost.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll_event(context)).await
    }

    /// The next event, if there is one now.
    pub fn try_next(&mut self) -> Option<Event> {
        self.shared.lock().take_event()
    }

    /// For those who prefer callbacks: calls the handler for each event until the end. The handler may
    /// call the engine.
    pub async fn deliver_to(mut self, handler: &mut dyn EventHandler) {
        while let Some(event) = self.next().await {
            event.dispatch(handler);
        }
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.shared.lock();
        match state.take_event() {
            Some(event) => Poll::Ready(Some(event)),
            None if state.client.is_destroyed() => Poll::Ready(None),
            None => {
                state.events_waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(context)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.lock().drop_events();
    }
}
