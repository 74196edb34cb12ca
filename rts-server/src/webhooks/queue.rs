//! The events of one app that its back end has not taken.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use super::event::{Batch, Event, What};

/// Events that wait at most; about 4 MiB of them.
pub(super) const EVENTS_MAX: usize = 10_000;
/// Events of one post.
pub(super) const BATCH_MAX: usize = 100;
/// Older events are not sent any more.
pub(super) const AGE_MAX: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
pub(super) struct Queue {
    /// Names this run of the server.
    pub(super) run: u64,
    state: Mutex<State>,
    pushed: Notify,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    last_number: u64,
    /// Dropped since the last batch that was taken.
    lost: u64,
}

impl Queue {
    pub(super) fn new(run: u64) -> Self {
        Self { run, state: Mutex::default(), pushed: Notify::new() }
    }

    /// Never waits: when it is full, the oldest event goes.
    pub(super) fn push(&self, at: SystemTime, what: What) {
        let mut state = self.lock();
        if state.events.len() >= EVENTS_MAX {
            state.events.pop_front();
            state.lost += 1;
        }
        state.last_number += 1;
        let number = state.last_number;
        state.events.push_back(Event { number, at, what });
        drop(state);
        self.pushed.notify_one();
    }

    /// Waits for events. They stay in the queue until they are [`taken`](Self::taken).
    pub(super) async fn batch(&self) -> Batch {
        loop {
            if let Some(batch) = self.batch_at(SystemTime::now()) {
                return batch;
            }
            self.pushed.notified().await;
        }
    }

    fn batch_at(&self, now: SystemTime) -> Option<Batch> {
        let mut state = self.lock();
        while let Some(event) = state.events.front() {
            if now.duration_since(event.at).is_ok_and(|age| age <= AGE_MAX) || event.at > now {
                break;
            }
            state.events.pop_front();
            state.lost += 1;
        }
        let events: Vec<_> = state.events.iter().take(BATCH_MAX).cloned().collect();
        (!events.is_empty()).then_some(Batch { events, lost: state.lost })
    }

    /// The back end has these.
    pub(super) fn taken(&self, batch: &Batch) {
        let Some(last) = batch.events.last() else { return };
        let mut state = self.lock();
        while state.events.front().is_some_and(|event| event.number <= last.number) {
            state.events.pop_front();
        }
        state.lost = state.lost.saturating_sub(batch.lost);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn numbers(batch: &Batch) -> Vec<u64> {
        batch.events.iter().map(|event| event.number).collect()
    }

    fn queue(events: usize) -> Queue {
        let queue = Queue::new(1);
        (0..events).for_each(|_| queue.push(START, What::ServerStarted));
        queue
    }

    #[test]
    fn what_was_not_taken_comes_again_and_what_was_does_not() {
        let queue = queue(150);
        let first = queue.batch_at(START).expect("events");
        assert_eq!(numbers(&first), (1..=100).collect::<Vec<_>>());
        assert_eq!(numbers(&queue.batch_at(START).expect("the same")), numbers(&first));
        queue.taken(&first);
        let second = queue.batch_at(START).expect("the rest");
        assert_eq!(numbers(&second), (101..=150).collect::<Vec<_>>());
        queue.taken(&second);
        assert!(queue.batch_at(START).is_none());
    }

    #[test]
    fn a_full_queue_loses_its_oldest_and_says_how_many() {
        let queue = queue(EVENTS_MAX);
        let full = queue.batch_at(START).expect("events");
        assert_eq!((full.lost, full.events[0].number), (0, 1));
        queue.push(START, What::ServerStarted);
        let over = queue.batch_at(START).expect("events");
        assert_eq!((over.lost, over.events[0].number), (1, 2));
        // The first batch was under way meanwhile.
        queue.taken(&full);
        let next = queue.batch_at(START).expect("events");
        assert_eq!((next.lost, next.events[0].number), (1, 101));
        queue.taken(&next);
        assert_eq!(queue.batch_at(START).expect("events").lost, 0);
    }

    #[test]
    fn an_hour_is_not_too_old_and_more_is() {
        let queue = queue(2);
        assert_eq!(queue.batch_at(START + AGE_MAX).expect("both").events.len(), 2);
        let late = START + AGE_MAX + Duration::from_millis(1);
        assert!(queue.batch_at(late).is_none());
        queue.push(late, What::ServerStarted);
        assert_eq!(queue.batch_at(late).expect("the new one").lost, 2);
    }

    #[test]
    fn a_clock_that_goes_back_makes_nothing_old() {
        let queue = Queue::new(1);
        queue.push(START + Duration::from_secs(100), What::ServerStarted);
        assert!(queue.batch_at(START).is_some());
    }
}
