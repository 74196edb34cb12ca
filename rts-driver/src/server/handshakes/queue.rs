//! A fair queue: round-robin by kinds of links, then sites, then networks, and a rate at which
//! handshakes begin.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use rts_proto::LinkId;

use crate::server::network::{Network, Site};
use crate::server::token_bucket::{Rate, TokenBucket};

/// What may begin at once after quiet: as much as the rate allows in this time.
const BURST_SECONDS: f64 = 5.0;

/// What a link is. These kinds take turns, so that none of them can keep the others out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Its handshake has begun, or its address is exempt: it needs no leave.
    Free,
    /// It is from a network where somebody has logged in lately.
    Known,
    Unknown,
}

/// Where in the queue a link waits.
#[derive(Clone, Copy)]
pub(crate) struct QueueKey {
    pub(crate) lane: Lane,
    pub(crate) network: Network,
}

/// What waits: of those that came from one network the oldest link first, and one network after the
/// other.
pub(super) struct FairQueue<T> {
    /// The numbers are ours: nobody can choose them to collide.
    waiting: HashMap<LinkId, (QueueKey, T), FixedState>,
    lanes: RoundRobin<Lane, RoundRobin<Site, RoundRobin<Network, BTreeSet<LinkId>>>>,
    begun: TokenBucket,
}

/// What is next.
pub(super) enum Next<T> {
    Job(LinkId, Lane, T),
    /// Nothing, before this time has passed.
    Wait(Duration),
    Empty,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        let (lanes, begun) = (RoundRobin::default(), TokenBucket::default());
        Self { waiting: HashMap::default(), lanes, begun }
    }
}

impl<T> FairQueue<T> {
    pub(super) fn push(&mut self, id: LinkId, key: QueueKey, job: T) {
        let QueueKey { lane, network } = key;
        self.waiting.insert(id, (key, job));
        self.lanes.enter(lane).enter(network.site()).enter(network).insert(id);
    }

    /// So many handshakes may begin a second; 0 is no limit. One that does uses up what may.
    pub(super) fn next(&mut self, per_second: u32, now: Instant) -> Next<T> {
        let rate = Rate::new(per_second, BURST_SECONDS);
        let wait = rate.and_then(|rate| self.begun.wait(rate, now));
        let id = self.lanes.pop_if(|lane| *lane == Lane::Free || wait.is_none());
        let next = id.and_then(|id| Some((id, self.waiting.remove(&id)?)));
        match (next, wait) {
            (Some((id, (QueueKey { lane, .. }, job))), _) => {
                if lane != Lane::Free && rate.is_some() {
                    self.begun.take_one();
                }
                Next::Job(id, lane, job)
            }
            (None, Some(wait)) if !self.waiting.is_empty() => Next::Wait(wait),
            (None, _) => Next::Empty,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// It had not begun: nothing has come from it yet.
    pub(super) fn did_not_begin(&mut self) {
        self.begun.return_one();
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<T> {
        let (QueueKey { lane, network }, job) = self.waiting.remove(&id)?;
        self.lanes.leave(&lane, |sites| {
            sites.leave(&network.site(), |networks| {
                networks.leave(&network, |links| {
                    links.remove(&id);
                });
            });
        });
        Some(job)
    }
}

/// What links wait in.
trait Waiters: Default {
    fn is_empty(&self) -> bool;
    /// Takes the first.
    fn pop(&mut self) -> Option<LinkId>;
}

impl Waiters for BTreeSet<LinkId> {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn pop(&mut self) -> Option<LinkId> {
        self.pop_first()
    }
}

/// Takes one of each member in turn: the member whose last turn, or first entry, is longest ago is
/// next. Those in which nothing waits are not kept.
struct RoundRobin<K, W> {
    /// Each with its number in the order. It hashes with a secret: peers choose their addresses.
    members: HashMap<K, (u64, W)>,
    order: BTreeMap<u64, K>,
    last: u64,
}

impl<K, W> Default for RoundRobin<K, W> {
    fn default() -> Self {
        Self { members: HashMap::new(), order: BTreeMap::new(), last: 0 }
    }
}

impl<K: Copy + Eq + Hash, W: Waiters> RoundRobin<K, W> {
    /// The member in which something is going to wait.
    fn enter(&mut self, key: K) -> &mut W {
        let (order, last) = (&mut self.order, &mut self.last);
        let (_, member) = self.members.entry(key).or_insert_with(|| {
            *last += 1;
            order.insert(*last, key);
            (*last, W::default())
        });
        member
    }

    /// Lets `remove` take something out of a member.
    fn leave(&mut self, key: &K, remove: impl FnOnce(&mut W)) {
        let Some((at, member)) = self.members.get_mut(key) else { return };
        remove(member);
        if member.is_empty() {
            self.order.remove(at);
            self.members.remove(key);
        }
    }

    fn pop_if(&mut self, may: impl Fn(&K) -> bool) -> Option<LinkId> {
        let (before, key) =
            self.order.iter().find(|(_, key)| may(key)).map(|(at, key)| (*at, *key))?;
        self.order.remove(&before);
        let (at, member) = self.members.get_mut(&key)?;
        let popped = member.pop();
        if member.is_empty() {
            self.members.remove(&key);
        } else {
            self.last += 1;
            *at = self.last;
            self.order.insert(self.last, key);
        }
        popped
    }
}

impl<K: Copy + Eq + Hash, W: Waiters> Waiters for RoundRobin<K, W> {
    fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    fn pop(&mut self) -> Option<LinkId> {
        self.pop_if(|_| true)
    }
}

#[cfg(test)]
mod tests;
