//! The mailbox of a shard for what comes from other nodes of a cluster.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rts_proto::server::{Entry, Input};

use super::burst::{Budget, CONGESTED_BYTES, CONGESTED_ENTRIES};

/// Inputs of the cluster for a shard, in their order: entries of shards of other nodes, and what
/// has to come between them, such as the next table of homes.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    inputs: Mutex<VecDeque<Input>>,
    has_mail: AtomicBool,
    /// What all entries count as, and their bytes. They change under the lock.
    entries: AtomicUsize,
    bytes: AtomicUsize,
}

impl Outside {
    /// Adds an input. Returns whether the shard has to be woken.
    pub(crate) fn put(&self, input: Input) -> bool {
        let (entries, bytes) = size(&input);
        let mut inputs = self.lock();
        inputs.push_back(input);
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        !self.has_mail.swap(true, Ordering::AcqRel)
    }

    /// Takes inputs, up to the bound of a turn. Returns whether any are left, for which nothing
    /// wakes the shard.
    pub(crate) fn take(&self, into: &mut impl FnMut(Input)) -> bool {
        if !self.has_mail.load(Ordering::Acquire) {
            return false;
        }
        let mut inputs = self.lock();
        let mut budget = Budget::default();
        while budget.has_room()
            && let Some(input) = inputs.pop_front()
        {
            let (entries, bytes) = size(&input);
            self.entries.fetch_sub(entries, Ordering::Relaxed);
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            if let Input::Peer(_, entries) = &input {
                budget.spend(entries, bytes);
            }
            into(input);
        }
        let has_more = !inputs.is_empty();
        self.has_mail.store(has_more, Ordering::Release);
        has_more
    }

    /// Whether so much waits that no more entries should be taken from other nodes. What must not
    /// be lost still finds room.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.load(Ordering::Relaxed) >= CONGESTED_ENTRIES
            || self.bytes.load(Ordering::Relaxed) >= CONGESTED_BYTES
    }

    /// No code that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Input>> {
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the entries of an input count as, and their bytes. All other inputs are few.
fn size(input: &Input) -> (usize, usize) {
    let Input::Peer(_, entries) = input else { return (0, 0) };
    let bytes = entries.iter().map(Entry::more_bytes).sum();
    (entries.iter().map(Entry::counts_as).sum(), bytes)
}
