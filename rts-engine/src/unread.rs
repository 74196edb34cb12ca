//! Events that wait in [`Events`](crate::Events) until the application takes them.

use std::collections::VecDeque;
use std::sync::Arc;

use rts_proto::client::Event;

use crate::backpressure::{EVENT_BYTES_MAX, EVENTS_MAX, payload_bytes};
use crate::sent::Told;

/// In the order in which they happened.
///
/// A result has two ways to the application: its [`Sent`](crate::Sent), and here. An application
/// that waits for the one may never look at the other, and must get its results all the same. So a
/// result that was taken from its `Sent` is removed from here when many wait, and while its `Sent`
/// is kept it does not count: an application that keeps that many has the memory for them.
pub(crate) struct Unread {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Those that did not count when it was looked last, and their bytes.
    excused: usize,
    excused_bytes: usize,
    /// The number of events at which it is looked again.
    look_at: usize,
}

struct Waiting {
    event: Event,
    /// The result's other way.
    told: Option<Arc<dyn Told>>,
    is_excused: bool,
}

impl Unread {
    pub(crate) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            excused: 0,
            excused_bytes: 0,
            look_at: EVENTS_MAX,
        }
    }

    pub(crate) fn push(&mut self, event: Event, told: Option<Arc<dyn Told>>) {
        self.bytes += payload_bytes(&event);
        self.waiting.push_back(Waiting { event, told, is_excused: false });
        if self.waiting.len() >= self.look_at {
            self.look();
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        let Waiting { event, is_excused, .. } = self.waiting.pop_front()?;
        self.forget(&event, is_excused);
        Some(event)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many events the application has to take, and their bytes of payload: not more than there
    /// are.
    pub(crate) fn counted(&self) -> (usize, usize) {
        (self.waiting.len() - self.excused, self.bytes - self.excused_bytes)
    }

    /// Looks which of them count, if there are enough for it to matter.
    pub(crate) fn look_if_many(&mut self) {
        if self.waiting.len() >= EVENTS_MAX || self.bytes >= EVENT_BYTES_MAX {
            self.look();
        }
    }

    /// Walks over all events.
    fn look(&mut self) {
        self.retain(|waiting| !waiting.told.as_ref().is_some_and(|told| told.is_taken()));
        (self.excused, self.excused_bytes) = (0, 0);
        for waiting in &mut self.waiting {
            // The other one is in the `Sent`.
            let is_kept = |told: &Arc<dyn Told>| Arc::strong_count(told) > 1;
            waiting.is_excused = waiting.told.as_ref().is_some_and(is_kept);
            if waiting.is_excused {
                self.excused += 1;
                self.excused_bytes += payload_bytes(&waiting.event);
            }
        }
        self.look_at = EVENTS_MAX.max(2 * self.waiting.len());
    }

    /// Keeps only the events that are wanted.
    pub(crate) fn retain_events(&mut self, wanted: impl Fn(&Event) -> bool) {
        self.retain(|waiting| wanted(&waiting.event));
    }

    fn retain(&mut self, wanted: impl Fn(&Waiting) -> bool) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|one| {
            let is_wanted = wanted(one);
            if !is_wanted {
                self.forget(&one.event, one.is_excused);
            }
            is_wanted
        });
        self.waiting = waiting;
    }

    fn forget(&mut self, event: &Event, is_excused: bool) {
        let bytes = payload_bytes(event);
        self.bytes -= bytes;
        if is_excused {
            self.excused -= 1;
            self.excused_bytes -= bytes;
        }
    }
}
