//! Waiting for the events of an engine on a thread of the host.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use futures_core::Stream as _;
use rts_transport_tokio::{Engine, Events};

use crate::record::Record;

/// What a poll brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    /// An event.
    Event(Record),
    /// No event within the time.
    Nothing,
    /// Another thread polls this engine.
    Busy,
    /// The engine has ended, and so have its events.
    Ended,
}

/// An engine with its events.
pub(super) struct Hosted {
    engine: Engine,
    events: Mutex<Events>,
    is_released: AtomicBool,
    /// The thread that waits for an event.
    waiting: Mutex<Option<Waker>>,
}

impl Hosted {
    pub(super) fn new(engine: Engine, events: Events) -> Self {
        let (is_released, waiting) = (AtomicBool::new(false), Mutex::default());
        Self { engine, events: Mutex::new(events), is_released, waiting }
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn has_room(&self, key: u64, id: &str) -> bool {
        self.engine.room(id).is_some_and(|room| room.key().0 == key)
    }

    pub(super) fn release(&self) {
        self.is_released.store(true, Ordering::Release);
        self.engine.destroy();
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    pub(super) fn poll(&self, limit: Option<Duration>) -> Polled {
        let mut events = match self.events.try_lock() {
            Ok(events) => events,
            Err(TryLockError::Poisoned(events)) => events.into_inner(),
            Err(TryLockError::WouldBlock) => return Polled::Busy,
        };
        // Without a limit that the clock can show, it waits without one.
        let until = limit.and_then(|limit| Instant::now().checked_add(limit));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker.clone());
        let mut context = Context::from_waker(&waker);
        loop {
            if self.is_released.load(Ordering::Acquire) {
                return Polled::Ended;
            }
            match self.poll_events(&mut events, &mut context) {
                Poll::Ready(Some(record)) => return Polled::Event(record),
                Poll::Ready(None) => return Polled::Ended,
                Poll::Pending => {}
            }
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Polled::Nothing,
                Some(rest) => thread::park_timeout(rest),
                None => thread::park(),
            }
        }
    }

    fn poll_events(&self, events: &mut Events, context: &mut Context<'_>) -> Poll<Option<Record>> {
        match Pin::new(events).poll_next(context) {
            Poll::Ready(Some(event)) => Poll::Ready(Some(Record::from(&event))),
            // The last bytes are written when the engine is closed.
            Poll::Ready(None) => pin!(self.engine.closed()).poll(context).map(|()| None),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
