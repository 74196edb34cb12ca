//! Events that wait in [`Events`](crate::Events) until the application takes them.

use std::collections::VecDeque;
use std::sync::Arc;

use rts_proto::client::Event;

use crate::backpressure::{EVENT_BYTES_MAX, EVENTS_MAX, payload_bytes};
use crate::sent::OutcomeSlot;

/// Untaken events, in the order in which they happened.
///
/// A result reaches the application in two ways: through its [`Sent`](crate::Sent), and through
/// this queue. An application that awaits the `Sent` may never read this queue, and must still get
/// all its results.
///
/// So when many events wait, results that were taken from their `Sent` are removed here. While its
/// `Sent` is kept, a result is excused: it does not count against the bounds. An application that
/// keeps many `Sent`s has the memory for their results.
pub(crate) struct Unread {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// The excused events at the last count, and their bytes.
    excused: usize,
    excused_bytes: usize,
    /// The number of events at which the next count is due.
    recount_at: usize,
}

struct Waiting {
    event: Event,
    /// The slot of the result's `Sent`.
    slot: Option<Arc<dyn OutcomeSlot>>,
    is_excused: bool,
}

impl Unread {
    pub(crate) fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            excused: 0,
            excused_bytes: 0,
            recount_at: EVENTS_MAX,
        }
    }

    pub(crate) fn push(&mut self, event: Event, slot: Option<Arc<dyn OutcomeSlot>>) {
        self.bytes += payload_bytes(&event);
        self.waiting.push_back(Waiting { event, slot, is_excused: false });
        if self.waiting.len() >= self.recount_at {
            self.recount();
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

    /// The number of events that count, and their bytes of payload. Both may be too low until the
    /// next count, never too high.
    pub(crate) fn counted(&self) -> (usize, usize) {
        (self.waiting.len() - self.excused, self.bytes - self.excused_bytes)
    }

    /// Counts again, if there are enough events for the count to matter.
    pub(crate) fn recount_if_many(&mut self) {
        if self.waiting.len() >= EVENTS_MAX || self.bytes >= EVENT_BYTES_MAX {
            self.recount();
        }
    }

    /// Walks over all events: removes taken results, and excuses those whose `Sent` is kept.
    fn recount(&mut self) {
        self.retain(|waiting| !waiting.slot.as_ref().is_some_and(|slot| slot.is_taken()));
        (self.excused, self.excused_bytes) = (0, 0);
        for waiting in &mut self.waiting {
            // The second reference is in the `Sent`.
            let is_kept = |slot: &Arc<dyn OutcomeSlot>| Arc::strong_count(slot) > 1;
            waiting.is_excused = waiting.slot.as_ref().is_some_and(is_kept);
            if waiting.is_excused {
                self.excused += 1;
                self.excused_bytes += payload_bytes(&waiting.event);
            }
        }
        self.recount_at = EVENTS_MAX.max(2 * self.waiting.len());
    }

    /// Keeps only the events for which `wanted` is true.
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

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Waker};

    use rts_proto::{MessageId, OnlineStatus, Payload, SendCode, UserId};

    use super::*;
    use crate::sent::{Pending, Slot};

    fn status() -> Event {
        Event::PeerOnlineStatus { uid: "bob".to_owned(), status: OnlineStatus::Online }
    }

    fn message(bytes: usize) -> Event {
        let from = UserId::new("bob").expect("a valid id");
        Event::MessageReceived { from, payload: Payload::binary(vec![0; bytes]) }
    }

    /// A result, its slot, and the future that completes with it.
    fn result(id: u64) -> (Event, Arc<dyn OutcomeSlot>, Pending<SendCode>) {
        let (slot, pending) = Slot::new();
        let filled = slot.fill(SendCode::Ok);
        let event = Event::MessageSendResult { id: MessageId(id), code: SendCode::Ok };
        (event, filled.slot.expect("the slot is filled"), pending)
    }

    /// The queue, filled up with events that always count.
    fn full_with(unread: &mut Unread) {
        while unread.waiting.len() < EVENTS_MAX {
            unread.push(status(), None);
        }
        unread.recount_if_many();
    }

    #[test]
    fn result_does_not_count_while_its_future_is_kept() {
        let mut unread = Unread::new();
        let (event, slot, pending) = result(1);
        unread.push(event, Some(slot));
        full_with(&mut unread);
        assert_eq!(unread.counted(), (EVENTS_MAX - 1, 0));
        drop(pending);
        unread.recount_if_many();
        assert_eq!(unread.counted(), (EVENTS_MAX, 0));
    }

    #[test]
    fn taken_result_is_removed_when_many_events_wait() {
        let mut unread = Unread::new();
        for id in 1..=2 {
            let (event, slot, mut pending) = result(id);
            unread.push(event, Some(slot));
            if id == 1 {
                let taken = Pin::new(&mut pending).poll(&mut Context::from_waker(Waker::noop()));
                assert!(taken.is_ready());
            }
        }
        assert_eq!(unread.counted(), (2, 0), "there is space");
        full_with(&mut unread);
        let id = |event| match event {
            Event::MessageSendResult { id, .. } => Some(id),
            _ => None,
        };
        assert_eq!(unread.pop().and_then(id), Some(MessageId(2)));
    }

    #[test]
    fn events_leave_in_order_with_their_bytes() {
        let mut unread = Unread::new();
        for bytes in [1, 20, 300] {
            unread.push(message(bytes), None);
        }
        assert_eq!(unread.counted(), (3, 321));
        unread.retain_events(|event| *event != message(20));
        assert_eq!(unread.counted(), (2, 301));
        assert_eq!((unread.pop(), unread.counted()), (Some(message(1)), (1, 300)));
        assert_eq!((unread.pop(), unread.counted()), (Some(message(300)), (0, 0)));
        assert!(unread.is_empty() && unread.pop().is_none());
    }
}
