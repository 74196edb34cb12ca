//! Which sessions have something to send at the end of the burst, and which owe an acknowledgement
//! that can wait for company (§4.4).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::flow::Flow;
use crate::Instant;
use crate::limits::ACK_DELAY;
use crate::server::keys::SessionNumber;

/// Sessions that owe an acknowledgement or results, or have something in their window that was not
/// sent, and since when.
#[derive(Debug, Default)]
pub(super) struct ReadyQueue {
    numbers: Vec<SessionNumber>,
    since: Option<Instant>,
}

impl ReadyQueue {
    pub(super) fn add(&mut self, now: Instant, number: SessionNumber, flow: &mut Flow) {
        if !flow.set_ready(true) {
            self.numbers.push(number);
            self.since.get_or_insert(now);
        }
    }

    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// All of them, in the order in which they came.
    pub(super) fn take(&mut self) -> Vec<SessionNumber> {
        core::mem::take(&mut self.numbers)
    }

    /// Gives back what was taken, emptied, so that its memory serves again.
    pub(super) fn give_back(&mut self, emptied: Vec<SessionNumber>) {
        debug_assert!(emptied.is_empty() && self.numbers.is_empty(), "nobody came meanwhile");
        self.numbers = emptied;
    }

    /// The burst is over: all of them were flushed.
    pub(super) fn end_burst(&mut self) {
        debug_assert!(self.numbers.is_empty(), "all were flushed");
        self.since = None;
    }

    /// Sessions that are kept, and whether it is known since when.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let Self { numbers, since } = self;
        numbers.len() + usize::from(since.is_some())
    }
}

/// Sessions that owed an acknowledgement, and are looked at again. All wait equally long, so they
/// are due in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct LateAcks {
    waiting: VecDeque<LateAck>,
}

#[derive(Debug)]
struct LateAck {
    due: Instant,
    number: SessionNumber,
    /// What the other side had been told then.
    told: u64,
}

impl LateAcks {
    /// Has the session looked at later, unless it will be.
    pub(super) fn add(&mut self, now: Instant, number: SessionNumber, flow: &mut Flow) {
        if !flow.set_late_ack(true) {
            let (due, told) = (now + ACK_DELAY, flow.told());
            self.waiting.push_back(LateAck { due, number, told });
        }
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.front().map(|ack| ack.due)
    }

    /// The next session that was to be looked at by now, and what its client had been told when it
    /// was added.
    #[inline]
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(SessionNumber, u64)> {
        self.waiting.front().filter(|ack| ack.due <= now)?;
        let ack = self.waiting.pop_front()?;
        Some((ack.number, ack.told))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::number;

    #[test]
    fn a_session_is_in_the_queue_once_and_since_the_first_of_a_burst() {
        let (first, second) = (Instant::from_millis(1), Instant::from_millis(2));
        let mut flow = Flow::new(first);
        let mut ready = ReadyQueue::default();
        ready.add(first, number(1), &mut flow);
        ready.add(second, number(1), &mut flow);
        assert_eq!(ready.since(), Some(first));
        assert_eq!(ready.take(), [number(1)]);
        flow.set_ready(false);
        ready.end_burst();
        ready.add(second, number(1), &mut flow);
        assert_eq!(ready.since(), Some(second));
    }

    #[test]
    fn a_late_acknowledgement_is_due_after_its_delay_and_once() {
        let now = Instant::from_millis(5);
        let mut flow = Flow::new(now);
        let mut late_acks = LateAcks::default();
        late_acks.add(now, number(1), &mut flow);
        late_acks.add(now, number(1), &mut flow);
        let due = now + ACK_DELAY;
        assert_eq!(late_acks.next_due(), Some(due));
        assert_eq!(late_acks.pop_due(Instant::from_micros(due.as_micros() - 1)), None);
        assert_eq!(late_acks.pop_due(due), Some((number(1), 0)));
        assert_eq!(late_acks.pop_due(due), None);
    }
}
