//! Outcomes of calls, as futures.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use rts_proto::{MessageId, Reply, SendCode};

/// The outcome of a call, as a future. Dropping it cancels nothing. The future is cancel safe, and
/// always completes, at the latest when the engine is destroyed.
///
/// The outcome is also an event. An application that awaits this future need not read that event:
/// see [`Events`](crate::Events).
pub struct Pending<C> {
    slot: Arc<Slot<C>>,
}

/// An accepted send: its number, and a future of its one result.
///
/// As with [`Pending`], the result is also an event, and dropping this cancels nothing. The future
/// is cancel safe, and completes at the latest when the engine or the room is destroyed.
pub struct Sent<C> {
    id: MessageId,
    result: Pending<C>,
}

/// The outcome of a message to the app server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerAnswer {
    /// The result of the message.
    pub code: SendCode,
    /// The answer of the app server; empty unless the code is [`SendCode::Ok`].
    pub reply: Reply,
}

/// The place for one outcome, shared between the engine and the future.
pub(crate) struct Slot<C>(Mutex<Place<C>>);

enum Place<C> {
    Empty,
    Awaited(Waker),
    Filled(C),
    /// The future has completed with this outcome.
    Taken(C),
}

/// The slot of an outcome, for the queue that holds the outcome's event.
pub(crate) trait OutcomeSlot: Send + Sync {
    /// Whether the application has taken the outcome from its future.
    fn is_taken(&self) -> bool;
}

impl<C: Send> OutcomeSlot for Slot<C> {
    fn is_taken(&self) -> bool {
        matches!(*self.lock(), Place::Taken(_))
    }
}

impl<C> Sent<C> {
    pub(crate) fn new(id: MessageId, result: Pending<C>) -> Self {
        Self { id, result }
    }

    /// The number of the send: 1, 2, 3, ... for each engine, and for broadcasts for each room
    /// handle.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.id
    }
}

impl<C> Pending<C> {
    pub(crate) fn slot(&self) -> &Arc<Slot<C>> {
        &self.slot
    }
}

impl<C: Clone> Future for Sent<C> {
    type Output = C;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<C> {
        Pin::new(&mut self.result).poll(context)
    }
}

impl<C: Clone> Future for Pending<C> {
    type Output = C;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<C> {
        let mut place = self.slot.lock();
        let before = match &*place {
            Place::Filled(code) | Place::Taken(code) => {
                let code = code.clone();
                *place = Place::Taken(code.clone());
                return Poll::Ready(code);
            }
            Place::Awaited(waker) if waker.will_wake(context.waker()) => return Poll::Pending,
            Place::Empty | Place::Awaited(_) => {
                std::mem::replace(&mut *place, Place::Awaited(context.waker().clone()))
            }
        };
        // The lock is released first, because dropping a waker may run code of the runtime.
        drop(place);
        drop(before);
        Poll::Pending
    }
}

impl<C> fmt::Debug for Sent<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<C> fmt::Debug for Pending<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

impl<C> Slot<C> {
    /// A slot, and the future of its outcome.
    pub(crate) fn new() -> (Arc<Self>, Pending<C>) {
        let slot = Arc::new(Self(Mutex::new(Place::Empty)));
        (Arc::clone(&slot), Pending { slot })
    }

    /// No code that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, Place<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Send + 'static> Slot<C> {
    pub(crate) fn fill(self: Arc<Self>, outcome: C) -> Filled {
        let waker = match std::mem::replace(&mut *self.lock(), Place::Filled(outcome)) {
            Place::Awaited(waker) => Some(waker),
            Place::Empty | Place::Filled(_) | Place::Taken(_) => None,
        };
        Filled { waker, slot: Some(self) }
    }
}

/// Calls without an outcome so far, by `K`: at most one for each key.
pub(crate) struct Waiting<K, C> {
    slots: HashMap<K, Arc<Slot<C>>>,
}

impl<K, C> Default for Waiting<K, C> {
    fn default() -> Self {
        Self { slots: HashMap::new() }
    }
}

impl<K: Eq + Hash + Clone, C: Clone + Send + 'static> Waiting<K, C> {
    /// Adds a call. Call this before the outcome can come.
    pub(crate) fn wait(&mut self, key: K) -> Pending<C> {
        let (slot, pending) = Slot::new();
        self.slots.insert(key, slot);
        pending
    }

    /// The outcome of the call with this key has come.
    pub(crate) fn fill(&mut self, key: &K, outcome: C) -> Filled {
        self.slots.remove(key).map_or_else(Filled::default, |slot| slot.fill(outcome))
    }

    /// Completes the calls with picked keys. No other outcome will come for them.
    pub(crate) fn fill_if(
        &mut self,
        outcome: C,
        picked: impl Fn(&K) -> bool,
    ) -> impl Iterator<Item = Waker> {
        let over = self.slots.extract_if(move |key, _| picked(key));
        over.filter_map(move |(_, slot)| slot.fill(outcome.clone()).waker)
    }
}

/// The effect of an outcome that was put in its slot.
#[derive(Default)]
pub(crate) struct Filled {
    /// The waker of the task that waits for the outcome. Wake it while no lock is held.
    pub(crate) waker: Option<Waker>,
    pub(crate) slot: Option<Arc<dyn OutcomeSlot>>,
}
