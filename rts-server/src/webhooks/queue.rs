//! The queue of an app's events that its back end has not taken.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;

use rts_proto::UserId;
use rts_proto::server::{Report, ShardId};

use super::event::{Batch, Event, What};
use super::shares::{Owner, Shares};

/// Most events in the queue, about 4 MiB.
pub(super) const EVENTS_MAX: usize = 10_000;
/// Most events of one post.
pub(super) const BATCH_MAX: usize = 100;
/// Older events are dropped.
pub(super) const AGE_MAX: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
pub(super) struct Queue {
    /// Identifies this run of the server.
    pub(super) run: u64,
    state: Mutex<State>,
    pushed: Notify,
    taken: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: Shares,
    last_number: u64,
    /// Shards report at the same time. All reports about a room come from one shard.
    of_shards: BTreeMap<ShardId, OfShard>,
    /// Events dropped since the last batch that was taken.
    lost: u64,
}

/// What the earlier reports of a shard mean for its next one.
#[derive(Debug, Default)]
struct OfShard {
    /// The user who caused the last event.
    last_owner: Owner,
    /// A created room, whose event waits for the join that follows at once: only the join names the
    /// user.
    created: Option<(SystemTime, Report)>,
}

impl Queue {
    pub(super) fn new(run: u64) -> Self {
        Self { run, state: Mutex::default(), pushed: Notify::new(), taken: Notify::new() }
    }

    /// Adds an event that no user has caused.
    pub(super) fn add(&self, at: SystemTime, what: What) {
        self.lock().add(at, what, None);
        self.pushed.notify_one();
    }

    /// Adds the event of a report without waiting. A full queue drops the oldest event of the user
    /// with most events. No user can therefore displace the events of others.
    pub(super) fn report(&self, at: SystemTime, from: ShardId, report: Report) {
        let mut state = self.lock();
        let of_shard = state.of_shards.entry(from).or_default();
        let is_created = matches!(report, Report::RoomCreated { .. });
        if !is_created && !matches!(report, Report::RoomEmptied { .. }) {
            of_shard.last_owner = user_of(&report).cloned();
        }
        let owner = of_shard.last_owner.clone();
        let (earlier, now) = match is_created {
            true => (of_shard.created.replace((at, report)), None),
            false => (of_shard.created.take(), Some((at, report))),
        };
        for (at, report) in earlier.into_iter().chain(now) {
            state.add(at, What::Reported(report), owner.clone());
        }
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
        while let Some(event) = state.waiting.first() {
            if now.duration_since(event.at).is_ok_and(|age| age <= AGE_MAX) || event.at > now {
                break;
            }
            state.waiting.drop_first();
            state.lost += 1;
        }
        let events: Vec<_> = state.waiting.iter().take(BATCH_MAX).cloned().collect();
        (!events.is_empty()).then_some(Batch { events, lost: state.lost })
    }

    /// Removes a batch that the back end has taken.
    pub(super) fn taken(&self, batch: &Batch) {
        let Some(last) = batch.events.last() else { return };
        let mut state = self.lock();
        while state.waiting.first().is_some_and(|event| event.number <= last.number) {
            state.waiting.drop_first();
        }
        state.lost = state.lost.saturating_sub(batch.lost);
        drop(state);
        self.taken.notify_one();
    }

    /// Waits until the back end has taken all events. For one caller at a time.
    pub(super) async fn emptied(&self) {
        while self.figures().0 > 0 {
            self.taken.notified().await;
        }
    }

    /// The number of queued events, and of events dropped since the last batch that was taken.
    pub(super) fn figures(&self) -> (usize, u64) {
        let state = self.lock();
        (state.waiting.len(), state.lost)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, at: SystemTime, what: What, owner: Owner) {
        if self.waiting.len() >= EVENTS_MAX {
            self.waiting.drop_of_largest();
            self.lost += 1;
        }
        self.last_number += 1;
        let event = Event { number: self.last_number, at, what };
        self.waiting.push(event, owner);
    }
}

/// The user of the event. A room becomes empty by the leave reported just before.
fn user_of(report: &Report) -> Option<&UserId> {
    match report {
        Report::UserOnline { uid }
        | Report::UserOffline { uid, .. }
        | Report::MemberJoined { uid, .. }
        | Report::MemberLeft { uid, .. } => Some(uid),
        Report::RoomCreated { .. } | Report::RoomEmptied { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use rts_proto::{LeaveReason, RoomId};

    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn numbers(batch: &Batch) -> Vec<u64> {
        batch.events.iter().map(|event| event.number).collect()
    }

    fn queue(events: usize) -> Queue {
        let queue = Queue::new(1);
        (0..events).for_each(|_| queue.add(START, What::ServerStarted));
        queue
    }

    #[test]
    fn batch_repeats_until_taken() {
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
    fn full_queue_drops_its_oldest_and_counts_them() {
        let queue = queue(EVENTS_MAX);
        let full = queue.batch_at(START).expect("events");
        assert_eq!((full.lost, full.events[0].number), (0, 1));
        queue.add(START, What::ServerStarted);
        let over = queue.batch_at(START).expect("events");
        assert_eq!((over.lost, over.events[0].number), (1, 2));
        // The first batch is still under way.
        queue.taken(&full);
        let next = queue.batch_at(START).expect("events");
        assert_eq!((next.lost, next.events[0].number), (1, 101));
        queue.taken(&next);
        assert_eq!(queue.batch_at(START).expect("events").lost, 0);
    }

    /// The reports of a user who joins an empty room and leaves it.
    fn stay(uid: &str, room: &str) -> [Report; 4] {
        let uid = UserId::new(uid).expect("well formed");
        let room = RoomId::new(room).expect("well formed");
        [
            Report::RoomCreated { room: room.clone() },
            Report::MemberJoined { room: room.clone(), uid: uid.clone(), business_id: None },
            Report::MemberLeft { room: room.clone(), uid, reason: LeaveReason::Left },
            Report::RoomEmptied { room },
        ]
    }

    /// Joins an empty room and leaves it: four events.
    fn come_and_go(queue: &Queue, uid: &str, room: &str) {
        for report in stay(uid, room) {
            queue.report(START, ShardId::FIRST, report);
        }
    }

    #[test]
    fn reports_of_shards_at_the_same_time_are_kept_apart() {
        let queue = Queue::new(1);
        let shards = [0, 1, 2].map(|number| ShardId::new(number).expect("valid"));
        let stays = [stay("alice", "a"), stay("bob", "b"), stay("carol", "c")];
        for step in 0..4 {
            for (shard, reports) in shards.iter().zip(&stays) {
                queue.report(START, *shard, reports[step].clone());
            }
        }
        let batch = queue.batch_at(START).expect("events");
        for reports in &stays {
            let events = batch.events.iter().filter_map(|event| match &event.what {
                What::Reported(report) if reports.contains(report) => Some(report.clone()),
                What::Reported(_) | What::ServerStarted | What::ClusterChanged { .. } => None,
            });
            assert_eq!(events.collect::<Vec<_>>(), reports);
        }
        let state = queue.lock();
        for uid in ["alice", "bob", "carol"] {
            let owner = UserId::new(uid).ok();
            let owned = state.waiting.owners().filter(|of| **of == owner).count();
            assert_eq!(owned, 4, "events of {uid}");
        }
    }

    /// Takes all events, and counts those of rooms with this prefix.
    fn taken_of_rooms(queue: &Queue, prefix: &str) -> usize {
        let mut count = 0;
        while let Some(batch) = queue.batch_at(START) {
            let events = batch.events.iter();
            count += events.filter(|event| format!("{:?}", event.what).contains(prefix)).count();
            queue.taken(&batch);
        }
        count
    }

    #[test]
    fn active_user_displaces_no_events_of_others() {
        let queue = Queue::new(1);
        (0..1_000).for_each(|room| come_and_go(&queue, "alice", &format!("alices-{room}")));
        (0..30_000).for_each(|room| come_and_go(&queue, "mallory", &format!("mallorys-{room}")));
        come_and_go(&queue, "bob", "bobs");
        assert_eq!(queue.lock().waiting.len(), EVENTS_MAX);
        assert_eq!(queue.batch_at(START).expect("events").lost, 4 * 31_001 - EVENTS_MAX as u64);
        assert_eq!(taken_of_rooms(&queue, "alices-"), 4_000);
    }

    #[test]
    fn events_are_ordered_by_time() {
        let queue = Queue::new(1);
        (0..3_000).for_each(|room| come_and_go(&queue, "mallory", &format!("mallorys-{room}")));
        come_and_go(&queue, "bob", "bobs");
        let mut all = Vec::new();
        while let Some(batch) = queue.batch_at(START) {
            all.extend(numbers(&batch));
            queue.taken(&batch);
        }
        assert!(all.is_sorted() && all.ends_with(&[12_001, 12_002, 12_003, 12_004]));
    }

    #[test]
    fn events_expire_after_an_hour() {
        let queue = queue(2);
        assert_eq!(queue.batch_at(START + AGE_MAX).expect("both").events.len(), 2);
        let late = START + AGE_MAX + Duration::from_millis(1);
        assert!(queue.batch_at(late).is_none());
        queue.add(late, What::ServerStarted);
        assert_eq!(queue.batch_at(late).expect("the new one").lost, 2);
    }

    #[test]
    fn clock_that_goes_back_expires_nothing() {
        let queue = Queue::new(1);
        queue.add(START + Duration::from_secs(100), What::ServerStarted);
        assert!(queue.batch_at(START).is_some());
    }
}
