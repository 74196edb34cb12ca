//! Entries that wait for a change of the homes of a cluster.

use alloc::collections::VecDeque;

use super::io::Entry;
use super::placement::ShardId;
use crate::AppId;
#[cfg(test)]
use crate::kept::Kept;

/// A change takes a few round trips between nodes, so little waits here.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// From shards that address by a later table than this one, until it has that table too.
    ahead: VecDeque<HeldEntry>,
    /// To this shard as a home that does not decide yet.
    unserved: VecDeque<HeldEntry>,
    bytes: usize,
}

/// An entry with its sender, and the app that it is about.
#[derive(Debug)]
pub(super) struct HeldEntry {
    pub(super) from: ShardId,
    pub(super) app_id: Option<AppId>,
    pub(super) entry: Entry,
}

impl HeldEntry {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.entry.more_bytes()
    }
}

impl Held {
    /// Keeps an entry of a shard that addresses by a later table.
    pub(super) fn add_ahead(&mut self, held: HeldEntry) {
        self.bytes += held.bytes();
        self.ahead.push_back(held);
    }

    /// Keeps an entry to this shard as a home that does not decide yet.
    pub(super) fn add_unserved(&mut self, held: HeldEntry) {
        self.bytes += held.bytes();
        self.unserved.push_back(held);
    }

    /// This shard has a later table.
    pub(super) fn take_ahead(&mut self) -> VecDeque<HeldEntry> {
        let taken = core::mem::take(&mut self.ahead);
        self.bytes -= taken.iter().map(HeldEntry::bytes).sum::<usize>();
        taken
    }

    /// The next entry to a home that decides now.
    pub(super) fn next_unserved(&mut self) -> Option<HeldEntry> {
        let next = self.unserved.pop_front()?;
        self.bytes -= next.bytes();
        Some(next)
    }

    /// Forgets the entries of other shards.
    pub(super) fn retain(&mut self, is_kept: impl Fn(ShardId) -> bool) {
        for list in [&mut self.ahead, &mut self.unserved] {
            list.retain(|held| is_kept(held.from));
        }
        self.bytes = self.ahead.iter().chain(&self.unserved).map(HeldEntry::bytes).sum();
    }

    /// The memory of all entries that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { ahead, unserved, bytes } = self;
        alloc::vec![
            ("entries ahead", ahead.len()),
            ("entries to unserved homes", unserved.len()),
            ("bytes of held entries", *bytes),
        ]
    }
}
