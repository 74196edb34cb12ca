//! What the engine calls back, as a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use rts_proto::client::Event;

use crate::delivery::StreamId;
use crate::shared::Shared;

/// What the engine tells the application, in the order in which it happened: all events that have
/// no handler of their own ([`Engine::set_event_handler`](crate::Engine::set_event_handler),
/// [`Room::set_event_handler`](crate::Room::set_event_handler)). Ends when the engine was destroyed
/// and the last event was taken.
///
/// Take events promptly. While 1,024 of them, or 8 MiB of payloads, wait here or for a handler, the
/// engine does not read its link, which slows down those who send to it; calls still work. If that
/// lasts longer than 10 s, the link counts as dead, and the engine reconnects when there is room
/// again.
///
/// A result is here and in its [`Sent`](crate::Sent), and need not be taken from both: while the
/// `Sent` is kept, the result does not count among the 1,024, and when many events wait, those
/// results are removed that were taken from their `Sent`. So an application that only sends and
/// waits gets all its results, though it never looks here. What others say to it counts whatever it
/// waits for: while 1,024 messages wait, results do not come either, and a `Sent` completes with
/// what time makes of it, a time-out.
///
/// Dropping this discards what it has and all that would come. So an application that wants no
/// events, because it only waits for results or has handlers for all, drops this rather than
/// keeping it unread.
///
/// There is one at a time: see [`Engine::events`](crate::Engine::events).
pub struct Events {
    shared: Arc<Shared>,
    stream: StreamId,
}

impl Events {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let stream = shared.with(|state| state.open_stream());
        Self { shared, stream }
    }

    /// The next event; `None` at the end. Cancel safe: no event is lost.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| self.poll_event(context)).await
    }

    /// The next event, if there is one now.
    pub fn try_next(&mut self) -> Option<Event> {
        self.shared.with(|state| state.take_event(self.stream))
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.shared.with(|state| match state.take_event(self.stream) {
            Some(event) => Poll::Ready(Some(event)),
            None if state.has_ended(self.stream) => Poll::Ready(None),
            None => {
                state.register(|wakers| &mut wakers.events, context);
                Poll::Pending
            }
        })
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(context)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.shared.with(|state| {
            state.close_stream(self.stream);
        });
    }
}
