//! [`Events`]: a stream of an engine's events.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use rts_proto::client::Event;

use crate::delivery::StreamId;
use crate::shared::Shared;

/// The events of an engine, in the order in which they happened, as a stream. It has all events
/// without a handler of their own ([`Engine::set_event_handler`](crate::Engine::set_event_handler),
/// [`Room::set_event_handler`](crate::Room::set_event_handler)). It ends when the engine is
/// destroyed and the last event is taken.
///
/// Take events promptly. While 1,024 of them, or 8 MiB of payloads, wait here or for a handler, the
/// engine does not read its link. This slows down the senders. Calls still work. If it lasts longer
/// than 10 s, the link counts as dead. The engine reconnects when there is room again.
///
/// A result is an event here and completes its [`Sent`](crate::Sent). It need not be taken from
/// both. While the `Sent` is kept, the result does not count among the 1,024. When many events
/// wait, results that were taken from their `Sent` are removed here. So an application that only
/// sends and waits gets all its results, even if it never reads its events.
///
/// Messages of other users always count. While 1,024 of them wait, results do not arrive either,
/// and a `Sent` completes with a time-out.
///
/// Dropping this discards its events and all later ones. An application that needs no events,
/// because it waits for results or has handlers for all events, should drop this value.
///
/// An engine has one stream at a time: see [`Engine::events`](crate::Engine::events).
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
        self.shared.with(|state| state.poll_event(self.stream, context))
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
