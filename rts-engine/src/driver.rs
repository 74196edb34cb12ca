//! The other end of an engine: what a runtime's loop holds.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant as StdInstant;

use rts_proto::client::Input;
use rts_proto::{Instant, LinkId};

use crate::link_output::LinkOutput;
use crate::shared::{Shared, State};

/// Callbacks made before the loop looks at its link again.
const CALLBACKS_PER_TURN: usize = 64;

/// What is known about a link that just ended before a login was answered over it.
const CLOSED_TOO_EARLY: &str = "the connection was closed before the login was answered";

/// What a runtime's loop holds. There is one for each engine.
///
/// ```text
/// until is_finished:
///     poll_link_output, and do it, until None
///     deliver, tick
///     wait for: changed, the deadline, a link's bytes (if wants_read) or end -> handle_input
/// ```
///
/// Dropping it destroys the engine, since nothing would move any more: every [`Sent`](crate::Sent)
/// completes, and [`Events`](crate::Events) ends.
pub struct Driver {
    shared: Arc<Shared>,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Tells the core what happened, and ends the burst: what is due at once is done at once.
    pub fn handle_input(&self, input: Input) {
        self.shared.call(|state, now| {
            match input {
                Input::Disconnected(link) if !state.client.is_online() => {
                    state.link_failed(link, CLOSED_TOO_EARLY.to_owned());
                }
                _ => {}
            }
            let before = state.client.link();
            state.client.handle_input(now, input);
            state.tell_early_close(before);
            if state.client.is_online() {
                state.link_error = None;
            }
        });
    }

    /// Instead of [`Input::Disconnected`], when it is known why a link did not come up, or what the
    /// other side did to it. The application is told with a
    /// [`Warning`](rts_proto::client::Event::Warning), once for the same reason until a link is up
    /// again; [`Engine::last_link_error`](crate::Engine::last_link_error) keeps it.
    pub fn link_failed(&self, link: LinkId, why: String) {
        self.shared.call(|state, now| {
            state.link_failed(link, why);
            state.client.handle_input(now, Input::Disconnected(link));
        });
    }

    /// Tells the core that time has passed, if something is due. The clock is read here: a timer
    /// that is early or late does no harm.
    pub fn tick(&self) {
        let is_due = |deadline| deadline <= self.shared.clock.now();
        let deadline = self.shared.lock().deadline;
        if deadline.is_some_and(is_due) {
            self.handle_input(Input::Tick);
        }
    }

    /// What the core wants done about links next, in the order in which it asked for it. `None`
    /// when nothing is left: then all that happened so far counts as seen, and
    /// [`changed`](Self::changed) waits for what comes later. So deliver, tick and look at the
    /// deadline after this, not before.
    #[must_use]
    pub fn poll_link_output(&self) -> Option<LinkOutput> {
        let mut state = self.shared.lock();
        let output = state.next_link_output();
        state.changed &= output.is_some();
        output
    }

    /// Calls the application's handlers with events that wait for them, in order. No lock is held
    /// meanwhile, so a handler may call the engine. A panic in a handler goes no further. If more
    /// is left after a while, [`changed`](Self::changed) is ready at once.
    pub fn deliver(&self) {
        for _ in 0..CALLBACKS_PER_TURN {
            let callback = self.shared.lock().delivery.pop_callback();
            match callback {
                Some(callback) => callback.call(),
                None => return,
            }
        }
        self.shared.lock().changed = true;
    }

    /// Whether [`deliver`](Self::deliver) has something to do.
    #[must_use]
    pub fn has_callbacks(&self) -> bool {
        self.shared.lock().delivery.has_callbacks()
    }

    /// When [`tick`](Self::tick) is wanted, if nothing else happens before, for a runtime's timer.
    #[must_use]
    pub fn deadline(&self) -> Option<StdInstant> {
        let deadline = self.shared.lock().deadline?;
        self.shared.clock.to_std(deadline)
    }

    /// The same by the engine's own [`Clock`](crate::Clock), for simulations.
    #[must_use]
    pub fn deadline_by_clock(&self) -> Option<Instant> {
        self.shared.lock().deadline
    }

    /// Whether the link may be read: false while the application has too many events to take.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.shared.with(State::wants_read)
    }

    /// Whether the engine was destroyed and nothing is left to do.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let state = self.shared.lock();
        state.client.is_destroyed() && !state.has_link_outputs()
    }

    /// Waits until there may be something new to do. Cancel safe.
    pub async fn changed(&self) {
        poll_fn(|context| self.poll_changed(context)).await;
    }

    /// The same for loops without `async`. The last context is woken.
    pub fn poll_changed(&self, context: &mut Context<'_>) -> Poll<()> {
        self.shared.with(|state| {
            if std::mem::take(&mut state.changed) {
                return Poll::Ready(());
            }
            state.register(|wakers| &mut wakers.driver, context);
            Poll::Pending
        })
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.call(|state, now| {
            state.client.destroy(now);
            state.close();
        });
    }
}
