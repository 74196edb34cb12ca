//! The other end of an engine: what a runtime's loop holds.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant as StdInstant;

use bytes::Bytes;
use rts_proto::LinkId;
use rts_proto::client::Input;

use crate::shared::Shared;

/// What a runtime is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a link, and answer with [`Input::Connected`] or [`Input::Disconnected`].
    Connect(LinkId),
    /// Write these bytes, after all earlier ones of the link.
    Transmit(LinkId, Bytes),
    /// Write what was transmitted before, then close.
    Disconnect(LinkId),
}

/// What a runtime's loop holds: cheap to clone, one for each task that has something to tell.
#[derive(Clone, Debug)]
pub struct Driver {
    shared: Arc<Shared>,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Tells the core what happened, and ends the burst: what is due at once is done at once.
    pub fn handle(&self, input: Input) {
        let mut state = self.shared.lock();
        state.client.handle_input(self.shared.now(), input);
        state.drain();
        let now = self.shared.now();
        if state.deadline.is_some_and(|deadline| deadline <= now) {
            state.client.handle_input(now, Input::Tick);
            state.drain();
        }
    }

    /// The next thing to do.
    #[must_use]
    pub fn next_action(&self) -> Option<Action> {
        self.shared.lock().actions.pop_front()
    }

    /// When [`Input::Tick`] is wanted, if nothing else happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<StdInstant> {
        let deadline = self.shared.lock().deadline?;
        Some(self.shared.to_std(deadline))
    }

    /// Whether the link may be read: false while the application has too many events to take.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        let state = self.shared.lock();
        !state.events_wanted || state.has_event_room()
    }

    /// Whether the engine was destroyed and nothing is left to do.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let state = self.shared.lock();
        state.client.is_destroyed() && state.actions.is_empty()
    }

    /// Waits until there may be something new to do. For one task at a time; cancel safe.
    pub async fn changed(&self) {
        poll_fn(|context| self.poll_changed(context)).await;
    }

    fn poll_changed(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.shared.lock();
        if std::mem::take(&mut state.changed) {
            return Poll::Ready(());
        }
        state.driver_waker = Some(context.waker().clone());
        Poll::Pending
    }
}
