//! The mailbox of a shard for what comes from other nodes of a cluster.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rts_proto::server::{Entry, Input};

use super::burst::Budget;

/// Inputs of the cluster for a shard, in their order: entries of shards of other nodes, and what
/// has to come between them, such as the next table of homes.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    inputs: Mutex<VecDeque<Input>>,
    has_mail: AtomicBool,
}

impl Outside {
    /// Adds an input. Returns whether the shard has to be woken.
    pub(crate) fn put(&self, input: Input) -> bool {
        let mut inputs = self.lock();
        inputs.push_back(input);
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
            // All other inputs are few.
            if let Input::Peer(_, entries) = &input {
                budget.spend(entries, entries.iter().map(Entry::more_bytes).sum());
            }
            into(input);
        }
        let has_more = !inputs.is_empty();
        self.has_mail.store(has_more, Ordering::Release);
        has_more
    }

    /// No code that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Input>> {
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
