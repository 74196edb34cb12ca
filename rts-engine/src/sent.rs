//! A send that was accepted, for those who want to wait for its result.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use rts_proto::{MessageId, Reply, SendCode};

/// An accepted send: its number, and a future of its one result.
///
/// The result is also an event, which need not be read by an application that waits here: see
/// [`Events`](crate::Events). Dropping this cancels nothing. The future is cancel safe, and always
/// completes: at the latest when the engine or the room is destroyed.
pub struct Sent<C> {
    id: MessageId,
    slot: Arc<Slot<C>>,
}

/// What became of a message to the app's server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAnswer {
    /// What became of it.
    pub code: SendCode,
    /// What the app's server answered; empty unless the code is [`SendCode::Ok`].
    pub reply: Reply,
}

/// Where the result is put.
struct Slot<C>(Mutex<Place<C>>);

enum Place<C> {
    Empty,
    Awaited(Waker),
    Filled(C),
    /// The future has completed with it.
    Taken(C),
}

/// The place of a result, as seen by who keeps the event of it.
pub(crate) trait Told: Send + Sync {
    /// Whether the application has the result.
    fn is_taken(&self) -> bool;
}

impl<C: Send> Told for Slot<C> {
    fn is_taken(&self) -> bool {
        matches!(*self.lock(), Place::Taken(_))
    }
}

impl<C> Sent<C> {
    /// The send's number: 1, 2, 3, ... of its engine, or of its room handle for broadcasts.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.id
    }
}

impl<C: Clone> Future for Sent<C> {
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
        // A waker may run code of the runtime when it is dropped.
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

impl<C> Slot<C> {
    /// Nothing that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, Place<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends whose result has not come, by `K`.
pub(crate) struct Waiting<K, C> {
    slots: HashMap<K, Arc<Slot<C>>>,
}

impl<K, C> Default for Waiting<K, C> {
    fn default() -> Self {
        Self { slots: HashMap::new() }
    }
}

impl<K: Eq + Hash, C: Clone> Waiting<K, C> {
    /// To be called before the result can come.
    pub(crate) fn wait(&mut self, key: K, id: MessageId) -> Sent<C> {
        let slot = Arc::new(Slot(Mutex::new(Place::Empty)));
        self.slots.insert(key, Arc::clone(&slot));
        Sent { id, slot }
    }

    /// The result is there.
    pub(crate) fn fill(&mut self, key: &K, code: C) -> Filled
    where
        C: Send + 'static,
    {
        let Some(slot) = self.slots.remove(key) else { return Filled::default() };
        let waker = slot.fill(code);
        Filled { waker, told: Some(slot) }
    }

    /// No result will come any more.
    pub(crate) fn fill_all(&mut self, code: C) -> impl Iterator<Item = Waker> + '_ {
        self.slots.drain().filter_map(move |(_, slot)| slot.fill(code.clone()))
    }
}

/// A result is in its place.
#[derive(Default)]
pub(crate) struct Filled {
    /// Who waits for it, to be woken when no lock is held any more.
    pub(crate) waker: Option<Waker>,
    pub(crate) told: Option<Arc<dyn Told>>,
}

impl<C> Slot<C> {
    fn fill(&self, code: C) -> Option<Waker> {
        match std::mem::replace(&mut *self.lock(), Place::Filled(code)) {
            Place::Awaited(waker) => Some(waker),
            Place::Empty | Place::Filled(_) | Place::Taken(_) => None,
        }
    }
}
