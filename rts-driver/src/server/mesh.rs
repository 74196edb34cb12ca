//! The mesh between the shards of a node: a mailbox for each pair of shards, in both directions. A
//! shard sends the entries of a burst together, and wakes the other shard once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rts_proto::server::{Entry, Input, Moved, PassedOn, ShardId};

use crate::server::ready_queue::ReadyQueue;

/// Entries in a mailbox, with each message counted, at which the receiver is reported to the sender
/// as congested, until half of them are left. The sender then refuses messages for it, and still
/// sends what must not be lost.
const CONGESTED_ENTRIES: usize = 65_536;
/// Bytes of frames, ids and lists in a mailbox at which the same happens, also until half of them
/// are left.
const CONGESTED_BYTES: usize = 8 * 1_024 * 1_024;
/// The weight of entries ([`weight`]) after which the rest stays in the mailboxes until the next
/// turn: as many messages as a turn reads from links. The burst that reaches it is still taken as a
/// whole.
const WEIGHT_PER_TURN: usize = 1_024;
/// Bytes of frames, ids and lists after which the rest stays too: as many as a turn reads from
/// links.
const BYTES_PER_TURN: usize = 262_144;
/// Items of an entry, such as the sessions that get a frame, which cost as much as another entry.
const ITEMS_PER_WEIGHT: usize = 8;

/// All mailboxes of a node.
#[derive(Debug)]
pub(crate) struct Mesh {
    shards: Vec<Inboxes>,
}

/// The mailboxes of one shard.
#[derive(Debug)]
struct Inboxes {
    /// Wakes the reactor of the shard.
    ready: Arc<ReadyQueue>,
    /// By sender.
    from: Vec<Mutex<Mailbox>>,
    /// The senders whose mailbox has entries.
    has_mail: ShardSet,
    /// The number of the sender from which the next burst is taken, or the next one after it that
    /// has mail. Only the shard itself uses it.
    next: AtomicUsize,
    /// Shards that may no longer be congested, after they were.
    relieved: ShardSet,
}

#[derive(Debug, Default)]
struct Mailbox {
    bursts: VecDeque<Burst>,
    /// What the entries of all bursts count as.
    entries: usize,
    bytes: usize,
    is_congested: bool,
    /// Whether the sender counts the receiver as congested. Only the sender changes this, in the
    /// moment in which its core learns it.
    is_known: bool,
}

/// Entries that were sent together.
#[derive(Debug)]
struct Burst {
    entries: Vec<Entry>,
    counts_as: usize,
    bytes: usize,
}

impl Burst {
    fn new(entries: Vec<Entry>) -> Self {
        let counts_as = entries.iter().map(Entry::counts_as).sum();
        let bytes = entries.iter().map(Entry::more_bytes).sum();
        Self { entries, counts_as, bytes }
    }
}

impl Mailbox {
    fn push(&mut self, burst: Burst) {
        self.entries += burst.counts_as;
        self.bytes += burst.bytes;
        self.bursts.push_back(burst);
        self.update_congestion();
    }

    fn pop(&mut self) -> Option<Burst> {
        let burst = self.bursts.pop_front()?;
        self.entries -= burst.counts_as;
        self.bytes -= burst.bytes;
        self.update_congestion();
        Some(burst)
    }

    fn update_congestion(&mut self) {
        self.is_congested = match self.is_congested {
            true => self.entries > CONGESTED_ENTRIES / 2 || self.bytes > CONGESTED_BYTES / 2,
            false => self.entries >= CONGESTED_ENTRIES || self.bytes >= CONGESTED_BYTES,
        };
    }

    /// Returns whether this has to be reported to the sender, and counts it as reported.
    fn must_report(&mut self, is_congested: bool) -> bool {
        let is_news = self.is_congested == is_congested && self.is_known != is_congested;
        if is_news {
            self.is_known = is_congested;
        }
        is_news
    }
}

/// Shards, as a set that many threads share.
#[derive(Debug, Default)]
struct ShardSet(AtomicU64);

impl ShardSet {
    /// Returns whether the set was without this shard.
    fn insert(&self, shard: ShardId) -> bool {
        self.add(bit(shard)) & bit(shard) == 0
    }

    /// Returns the shards before.
    fn add(&self, shards: u64) -> u64 {
        self.0.fetch_or(shards, Ordering::AcqRel)
    }

    /// Removes and returns all shards.
    fn take(&self) -> u64 {
        match self.0.load(Ordering::Acquire) {
            0 => 0,
            _ => self.0.swap(0, Ordering::AcqRel),
        }
    }

    /// Removes and returns one shard. Only one thread may call it.
    fn take_one(&self) -> Option<ShardId> {
        let shard = of_bits(self.0.load(Ordering::Acquire)).next()?;
        self.0.fetch_and(!bit(shard), Ordering::AcqRel);
        Some(shard)
    }
}

fn bit(shard: ShardId) -> u64 {
    1 << shard.number()
}

fn of_bits(bits: u64) -> impl Iterator<Item = ShardId> {
    let numbers = (0..ShardId::COUNT_MAX).filter(move |number| bits & (1 << number) != 0);
    numbers.filter_map(ShardId::new)
}

/// The first of these shards that has this number or a higher one, or the first of all.
fn first_from(number: usize, bits: u64) -> Option<ShardId> {
    let is_there = |shard: &ShardId| shard.number() >= number;
    of_bits(bits).find(is_there).or_else(|| of_bits(bits).next())
}

impl Mesh {
    /// Between shards with these ready queues.
    pub(crate) fn new(ready: &[Arc<ReadyQueue>]) -> Self {
        let inboxes = |ready: &Arc<ReadyQueue>, count| Inboxes {
            ready: Arc::clone(ready),
            from: (0..count).map(|_| Mutex::default()).collect(),
            has_mail: ShardSet::default(),
            next: AtomicUsize::new(0),
            relieved: ShardSet::default(),
        };
        Self { shards: ready.iter().map(|of_shard| inboxes(of_shard, ready.len())).collect() }
    }

    /// Puts entries into a mailbox, and wakes the receiver. Returns whether the receiver has to
    /// be reported to the sender's core as congested at once.
    pub(crate) fn send(&self, from: ShardId, to: ShardId, entries: Vec<Entry>) -> bool {
        let inboxes = &self.shards[to.number()];
        let burst = Burst::new(entries);
        let mut mailbox = lock(&inboxes.from[from.number()]);
        mailbox.push(burst);
        let must_report = mailbox.must_report(true);
        drop(mailbox);
        if inboxes.has_mail.insert(from) {
            inboxes.ready.notify();
        }
        must_report
    }

    /// Takes what is in a shard's mailboxes, up to the bound of a turn: inputs of its core, in the
    /// order of each sender. The senders take turns, also from one call to the next. Returns
    /// whether anything is left, for which nothing wakes the receiver.
    pub(crate) fn take(&self, own: ShardId, into: &mut impl FnMut(Input)) -> bool {
        let inboxes = &self.shards[own.number()];
        let mut waiting = inboxes.has_mail.take();
        let mut next = inboxes.next.load(Ordering::Relaxed);
        let (mut taken, mut bytes) = (0, 0);
        while taken < WEIGHT_PER_TURN
            && bytes < BYTES_PER_TURN
            && let Some(from) = first_from(next, waiting)
        {
            let (burst, has_more) = self.take_burst(own, from);
            if !has_more {
                waiting &= !bit(from);
            }
            if let Some(burst) = burst {
                taken += burst.entries.iter().map(weight).sum::<usize>();
                bytes += burst.bytes;
                into(Input::Peer(from, burst.entries));
            }
            next = from.number() + 1;
        }
        inboxes.next.store(next, Ordering::Relaxed);
        inboxes.has_mail.add(waiting);
        waiting != 0
    }

    /// The next burst of this sender, and whether more are left.
    fn take_burst(&self, own: ShardId, from: ShardId) -> (Option<Burst>, bool) {
        let mut mailbox = lock(&self.shards[own.number()].from[from.number()]);
        let was_congested = mailbox.is_congested;
        let burst = mailbox.pop();
        let (has_more, is_relieved) =
            (!mailbox.bursts.is_empty(), was_congested && !mailbox.is_congested);
        drop(mailbox);
        if is_relieved {
            let sender = &self.shards[from.number()];
            sender.relieved.insert(own);
            sender.ready.notify();
        }
        (burst, has_more)
    }

    /// A shard that was congested and no longer is. This has to be reported to the core of the
    /// sender at once, before it sends anything to that shard.
    pub(crate) fn next_relieved(&self, own: ShardId) -> Option<ShardId> {
        let relieved = &self.shards[own.number()].relieved;
        while let Some(shard) = relieved.take_one() {
            // It may be congested again.
            if lock(&self.shards[shard.number()].from[own.number()]).must_report(false) {
                return Some(shard);
            }
        }
        None
    }
}

/// What an entry costs its receiver, in units of a message to one user.
fn weight(entry: &Entry) -> usize {
    let items = match entry {
        // As many messages, each of which has the weight of an entry.
        Entry::Deliver(deliveries) | Entry::PassedOn(PassedOn::Deliver(deliveries)) => {
            return deliveries.len();
        }
        Entry::Moved(moved) => match &**moved {
            Moved::Held(PassedOn::Deliver(deliveries)) => return deliveries.len(),
            Moved::Held(PassedOn::QueryStatus { .. } | PassedOn::Orphan { .. }) => 0,
            Moved::User { owner, left, .. } => {
                owner.as_ref().map_or(0, |owner| owner.candidates.len()) + left.orphans.len()
            }
            Moved::Members { members, .. } => members.len(),
        },
        Entry::Outcomes(outcomes) => outcomes.len(),
        Entry::PushToEach { sessions, frames } => sessions.len() + frames.len(),
        Entry::Joined { names, .. } | Entry::Names { names, .. } => names.names.len(),
        Entry::InApp(_)
        | Entry::Ownership(_)
        | Entry::PassedOn(_)
        | Entry::QueryStatus { .. }
        | Entry::HomesReached { .. }
        | Entry::Orphan { .. }
        | Entry::Join { .. }
        | Entry::Leave { .. }
        | Entry::Gone { .. }
        | Entry::PutOut { .. }
        | Entry::Broadcast { .. }
        | Entry::AskNames { .. }
        | Entry::NotDelivered { .. }
        | Entry::NotBroadcast { .. }
        | Entry::Push { .. }
        | Entry::JoinRefused { .. }
        | Entry::Left { .. }
        | Entry::Removed { .. } => 0,
    };
    1 + items / ITEMS_PER_WEIGHT
}

/// No code that can panic runs under this lock.
fn lock(mailbox: &Mutex<Mailbox>) -> MutexGuard<'_, Mailbox> {
    mailbox.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
