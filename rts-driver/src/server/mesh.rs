//! The mesh between the shards of a node: a mailbox for each pair of shards, in both directions. A
//! shard sends the entries of a burst together, and wakes the other shard once. What comes from
//! other nodes has a mailbox of its own.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rts_proto::server::{Entry, Input, NodeNumber, ShardId};

use crate::server::ready_queue::ReadyQueue;
use burst::{Budget, Burst, CONGESTED_BYTES, CONGESTED_ENTRIES};
pub(crate) use outside::Outside;

mod burst;
mod outside;

/// All mailboxes of a node.
#[derive(Debug)]
pub(crate) struct Mesh {
    node: NodeNumber,
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

    /// Removes one shard, and returns its number. Only one thread may call it.
    fn take_one(&self) -> Option<usize> {
        let number = of_bits(self.0.load(Ordering::Acquire)).next()?;
        self.0.fetch_and(!(1 << number), Ordering::AcqRel);
        Some(number)
    }
}

fn bit(shard: ShardId) -> u64 {
    1 << shard.number()
}

/// The numbers of shards in a set.
fn of_bits(bits: u64) -> impl Iterator<Item = usize> {
    (0..ShardId::COUNT_MAX).filter(move |number| bits & (1 << number) != 0)
}

impl Mesh {
    /// Between the shards of a node, with these ready queues.
    pub(crate) fn new(node: NodeNumber, ready: &[Arc<ReadyQueue>]) -> Self {
        let inboxes = |ready: &Arc<ReadyQueue>, count| Inboxes {
            ready: Arc::clone(ready),
            from: (0..count).map(|_| Mutex::default()).collect(),
            has_mail: ShardSet::default(),
            next: AtomicUsize::new(0),
            relieved: ShardSet::default(),
        };
        let shards = ready.iter().map(|of_shard| inboxes(of_shard, ready.len())).collect();
        Self { node, shards }
    }

    fn shard(&self, number: usize) -> Option<ShardId> {
        ShardId::of_node(self.node, number)
    }

    /// The first of these shards that has this number or a higher one, or the first of all.
    fn first_from(&self, number: usize, bits: u64) -> Option<ShardId> {
        let first = of_bits(bits).find(|there| *there >= number);
        self.shard(first.or_else(|| of_bits(bits).next())?)
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
        let mut budget = Budget::default();
        while budget.has_room()
            && let Some(from) = self.first_from(next, waiting)
        {
            let (burst, has_more) = self.take_burst(own, from);
            if !has_more {
                waiting &= !bit(from);
            }
            if let Some(burst) = burst {
                budget.spend(&burst.entries, burst.bytes);
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
        while let Some(shard) = relieved.take_one().and_then(|number| self.shard(number)) {
            // It may be congested again.
            if lock(&self.shards[shard.number()].from[own.number()]).must_report(false) {
                return Some(shard);
            }
        }
        None
    }
}

/// No code that can panic runs under this lock.
fn lock(mailbox: &Mutex<Mailbox>) -> MutexGuard<'_, Mailbox> {
    mailbox.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
