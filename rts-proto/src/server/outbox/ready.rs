//! Sessions with something to send at the end of the burst, and sessions with an acknowledgement
//! that can wait for another frame (§4.4).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::flow::Flow;
use crate::Instant;
use crate::limits::ACK_DELAY;
use crate::server::keys::SessionNumber;

/// The ready sessions of a burst, and when the first of them became ready. A ready session owes an
/// acknowledgement or results, or has unsent frames in its window.
#[derive(Debug, Default)]
pub(super) struct ReadyQueue {
    numbers: Vec<SessionNumber>,
    since: Option<Instant>,
}

impl ReadyQueue {
    pub(super) fn add(&mut self, now: Instant, number: SessionNumber, flow: &mut Flow) {
        if !flow.set_ready(true) {
            self.numbers.push(number);
            self.begin(now);
        }
    }

    /// The burst has something to send at its end.
    pub(super) fn begin(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// All ready sessions, in the order in which they became ready.
    pub(super) fn take(&mut self) -> Vec<SessionNumber> {
        core::mem::take(&mut self.numbers)
    }

    /// Takes the emptied list back, to use its memory again.
    pub(super) fn give_back(&mut self, emptied: Vec<SessionNumber>) {
        debug_assert!(emptied.is_empty() && self.numbers.is_empty(), "nobody came meanwhile");
        self.numbers = emptied;
    }

    /// The burst is over: all sessions were flushed.
    pub(super) fn end_burst(&mut self) {
        debug_assert!(self.numbers.is_empty(), "all were flushed");
        self.since = None;
    }

    /// The number of sessions, and whether the time of the first is set.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let Self { numbers, since } = self;
        numbers.len() + usize::from(since.is_some())
    }
}

/// Sessions that owed an acknowledgement, and are checked again. The delay is the same for all, so
/// they are due in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct LateAcks {
    waiting: VecDeque<LateAck>,
}

#[derive(Debug)]
struct LateAck {
    due: Instant,
    number: SessionNumber,
    /// The count that was last acknowledged when the session was added.
    last_ack: u64,
}

impl LateAcks {
    /// Adds the session, unless it is in the list.
    pub(super) fn add(&mut self, now: Instant, number: SessionNumber, flow: &mut Flow) {
        if !flow.set_late_ack(true) {
            let (due, last_ack) = (now + ACK_DELAY, flow.last_ack());
            self.waiting.push_back(LateAck { due, number, last_ack });
        }
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.front().map(|ack| ack.due)
    }

    /// The next session that is due, and the count that was last acknowledged when it was added.
    #[inline]
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(SessionNumber, u64)> {
        self.waiting.front().filter(|ack| ack.due <= now)?;
        let ack = self.waiting.pop_front()?;
        Some((ack.number, ack.last_ack))
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
    fn session_is_in_the_ready_queue_once() {
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
    fn late_acknowledgement_is_due_once_after_its_delay() {
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
