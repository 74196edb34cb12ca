//! [`Driver`]: the part of an engine that the event loop of a runtime holds.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant as StdInstant;

use rts_proto::client::Input;
use rts_proto::{Instant, LinkId};

use crate::link_errors::LinkFailure;
use crate::link_output::LinkOutput;
use crate::shared::Shared;
use crate::state::State;

/// Callbacks of one [`Driver::deliver`], before the loop returns to its link.
const CALLBACKS_PER_TURN: usize = 64;

/// The part of an engine that the event loop of a runtime holds. There is one for each engine.
///
/// ```text
/// until is_finished:
///     poll_link_output, and carry it out, until None
///     deliver, tick
///     wait for: changed, the deadline, bytes of a link (if wants_read) or its end -> handle_input
/// ```
///
/// Dropping the driver destroys the engine, because nothing would drive it any more: every
/// [`Sent`](crate::Sent) completes, and [`Events`](crate::Events) ends.
pub struct Driver {
    shared: Arc<Shared>,
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Passes an input to the core and ends the burst: the core does at once what is due at once.
    pub fn handle_input(&self, input: Input) {
        self.shared.call(|state, now| state.handle_input(now, input));
    }

    /// Reports that a link failed, with the reason. Call this instead of passing
    /// [`Input::Disconnected`] if the reason is known.
    ///
    /// The application gets a [`Warning`](rts_proto::client::Event::Warning), once for each reason
    /// until a link is up again. [`Engine::last_link_error`](crate::Engine::last_link_error) keeps
    /// the reason.
    pub fn link_failed(&self, link: LinkId, why: impl Error + Send + Sync + 'static) {
        let why = LinkFailure::NoLink(Arc::new(why));
        self.shared.call(|state, now| state.link_failed(now, link, why));
    }

    /// [`Input::Disconnected`] for a link, with the reason for the engine's log.
    pub fn link_ended(&self, link: LinkId, how: &str) {
        self.shared.with(|state| state.link_ended(link, how));
        self.handle_input(Input::Disconnected(link));
    }

    /// The value of the field `engine` in the engine's log lines.
    #[must_use]
    pub fn engine_number(&self) -> u64 {
        self.shared.lock().number()
    }

    /// Passes a tick to the core, if one is due. This reads the clock itself, so a timer that fires
    /// early or late does no harm.
    pub fn tick(&self) {
        let is_due = |deadline| deadline <= self.shared.clock.now();
        let deadline = self.shared.lock().deadline();
        if deadline.is_some_and(is_due) {
            self.handle_input(Input::Tick);
        }
    }

    /// The next output of the core about links, in order. `None` when none is left. From then on,
    /// [`changed`](Self::changed) waits for later changes. So call [`deliver`](Self::deliver) and
    /// [`tick`](Self::tick), and read the deadline, after this returned `None`, not before.
    #[must_use]
    pub fn poll_link_output(&self) -> Option<LinkOutput> {
        self.shared.lock().next_link_output()
    }

    /// Calls the application's handlers with their waiting events, in order. No lock is held
    /// meanwhile, so a handler may call the engine. A panic in a handler is caught. One call
    /// delivers a bounded number of events. If more are left, [`changed`](Self::changed) is ready
    /// at once.
    pub fn deliver(&self) {
        for _ in 0..CALLBACKS_PER_TURN {
            let callback = self.shared.lock().pop_callback();
            match callback {
                Some(callback) => callback.call(),
                None => return,
            }
        }
        self.shared.lock().driver_has_more();
    }

    /// Whether [`deliver`](Self::deliver) has something to do.
    #[must_use]
    pub fn has_callbacks(&self) -> bool {
        self.shared.lock().has_callbacks()
    }

    /// When the next [`tick`](Self::tick) is due, for a runtime's timer. Any input may change it.
    #[must_use]
    pub fn deadline(&self) -> Option<StdInstant> {
        let deadline = self.shared.lock().deadline()?;
        self.shared.clock.to_std(deadline)
    }

    /// Like [`deadline`](Self::deadline), in the time of the engine's own [`Clock`](crate::Clock).
    /// This is for simulations.
    #[must_use]
    pub fn deadline_by_clock(&self) -> Option<Instant> {
        self.shared.lock().deadline()
    }

    /// Whether the link may be read: false while the application has too many untaken events.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        self.shared.with(State::wants_read)
    }

    /// Whether the engine was destroyed and nothing is left to do.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.shared.lock().is_finished()
    }

    /// Waits until there may be something to do. Cancel safe.
    pub async fn changed(&self) {
        poll_fn(|context| self.poll_changed(context)).await;
    }

    /// Like [`changed`](Self::changed), for loops without `async`. Only the last context is woken.
    pub fn poll_changed(&self, context: &mut Context<'_>) -> Poll<()> {
        self.shared.with(|state| state.poll_driver(context))
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.call(State::close);
    }
}
