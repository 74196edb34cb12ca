//! Fences: all that this shard has sent before has arrived in the other shards of a cluster.
//!
//! What a user says next, over a session of another shard, must not overtake what it has said
//! here. A session that moves waits for a fence, and so does the release of a user. One fence is
//! under way at a time, and all that come meanwhile wait for the next one.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::keys::SessionNumber;
use super::placement::ShardId;
#[cfg(test)]
use crate::kept::Kept;
use crate::{AppId, UserId};

/// What waits for a fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BehindFence {
    /// A session that leaves this shard.
    Session(SessionNumber),
    /// A user that this shard releases.
    Release(AppId, UserId),
}

#[derive(Debug, Default)]
pub(super) struct Fences {
    /// The number of the latest fence.
    latest: u64,
    /// The shards that have not answered it.
    awaited: BTreeSet<ShardId>,
    /// What waits for it.
    waiting: Vec<BehindFence>,
    /// What waits for the next one.
    next: Vec<BehindFence>,
}

impl Fences {
    /// This has to wait for a fence that begins later than now.
    pub(super) fn add(&mut self, waiting: BehindFence) {
        self.next.push(waiting);
    }

    /// Begins the next fence, if one is needed and none is under way. Returns its number.
    pub(super) fn begin(&mut self, shards: impl Iterator<Item = ShardId>) -> Option<u64> {
        if !self.awaited.is_empty() || self.next.is_empty() {
            return None;
        }
        self.latest += 1;
        self.awaited = shards.collect();
        self.waiting.append(&mut self.next);
        Some(self.latest)
    }

    /// A shard has answered a fence.
    pub(super) fn answered(&mut self, shard: ShardId, fence: u64) {
        if fence == self.latest {
            self.awaited.remove(&shard);
        }
    }

    /// The node of this shard was removed. What was sent there does not matter any more.
    pub(super) fn removed(&mut self, shard: ShardId) {
        self.awaited.remove(&shard);
    }

    /// Whether a fence is over, or the next one has to begin.
    #[inline]
    pub(super) fn are_due(&self) -> bool {
        !(self.waiting.is_empty() && self.next.is_empty()) && self.awaited.is_empty()
    }

    /// All whose fence is over.
    pub(super) fn take_over(&mut self) -> Vec<BehindFence> {
        match self.awaited.is_empty() {
            true => core::mem::take(&mut self.waiting),
            false => Vec::new(),
        }
    }

    /// Entries held, so that tests can check for leaks.
    #[cfg(test)]
    pub(super) fn kept(&self) -> Kept {
        let Self { latest: _, awaited, waiting, next } = self;
        alloc::vec![
            ("shards that a fence awaits", awaited.len()),
            ("behind fences", waiting.len() + next.len()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::number;

    fn shards(numbers: &[usize]) -> Vec<ShardId> {
        numbers.iter().map(|number| ShardId::new(*number).expect("valid")).collect()
    }

    fn session(of: u64) -> BehindFence {
        BehindFence::Session(number(of))
    }

    fn begin(fences: &mut Fences, of: &[usize]) -> Option<u64> {
        fences.begin(shards(of).into_iter())
    }

    #[test]
    fn fence_is_over_when_all_shards_have_answered() {
        let (mut fences, all) = (Fences::default(), shards(&[1, 2]));
        fences.add(session(7));
        assert_eq!(begin(&mut fences, &[1, 2]), Some(1));
        fences.answered(all[0], 1);
        assert!(fences.take_over().is_empty());
        fences.answered(all[1], 1);
        assert_eq!(fences.take_over(), [session(7)]);
        assert!(fences.take_over().is_empty());
    }

    #[test]
    fn what_comes_later_waits_for_the_next_fence() {
        let (mut fences, all) = (Fences::default(), shards(&[1]));
        fences.add(session(7));
        assert_eq!(begin(&mut fences, &[1]), Some(1));
        fences.add(session(8));
        assert_eq!(begin(&mut fences, &[1]), None, "one is under way");
        fences.answered(all[0], 1);
        assert_eq!(fences.take_over(), [session(7)]);
        assert_eq!(begin(&mut fences, &[1]), Some(2));
        fences.answered(all[0], 1);
        assert!(fences.take_over().is_empty(), "it answers the former fence");
        fences.answered(all[0], 2);
        assert_eq!(fences.take_over(), [session(8)]);
    }

    #[test]
    fn removed_node_is_not_awaited() {
        let (mut fences, all) = (Fences::default(), shards(&[1, 2]));
        fences.add(session(7));
        assert_eq!(begin(&mut fences, &[1, 2]), Some(1));
        fences.answered(all[0], 1);
        fences.removed(all[1]);
        assert_eq!(fences.take_over(), [session(7)]);
    }

    #[test]
    fn fence_of_a_shard_alone_is_over_at_once() {
        let mut fences = Fences::default();
        assert_eq!(begin(&mut fences, &[]), None, "nothing waits");
        fences.add(session(7));
        assert_eq!(begin(&mut fences, &[]), Some(1));
        assert_eq!(fences.take_over(), [session(7)]);
    }
}
