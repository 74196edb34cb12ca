//! A fair queue: round-robin by kinds of links, then sites, then networks. It also bounds the rate
//! at which handshakes begin.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use rts_proto::LinkId;

use crate::server::network::{Network, Site};
use crate::server::token_bucket::{Rate, TokenBucket};

/// The time of quiet whose handshakes may begin at once.
const BURST_SECONDS: f64 = 5.0;

/// The kind of a link. The kinds take turns, so that none of them can keep the others out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Its handshake has begun, or its address is exempt. The rate does not apply.
    Free,
    /// It comes from a network from which a user has logged in lately.
    Known,
    Unknown,
}

/// The place of a link in the queue.
#[derive(Clone, Copy)]
pub(crate) struct QueueKey {
    pub(crate) lane: Lane,
    pub(crate) network: Network,
}

/// The waiting links. Networks take turns, and each network gives its oldest link first.
pub(super) struct FairQueue<T> {
    /// The server chooses the numbers, so a peer cannot make them collide.
    waiting: HashMap<LinkId, (QueueKey, T), FixedState>,
    lanes: RoundRobin<Lane, RoundRobin<Site, RoundRobin<Network, BTreeSet<LinkId>>>>,
    begun: TokenBucket,
}

/// The next job of a thread.
pub(super) enum Next<T> {
    Job(LinkId, Lane, T),
    /// No job before this time has passed.
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

    /// `per_second` handshakes may begin a second; 0 means no limit. A handshake that begins uses
    /// up one token.
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

    /// Returns the token of a handshake that had not begun, because no bytes have come from its
    /// link.
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

/// A collection of waiting links.
trait Waiters: Default {
    fn is_empty(&self) -> bool;
    /// Takes the first link.
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

/// Takes one link of each member in turn. The next member is the one whose last turn, or first
/// entry, is longest ago. Empty members are not kept.
struct RoundRobin<K, W> {
    /// The members, each with its number in the order. The map hashes with a secret, because peers
    /// choose their addresses.
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
    /// The member with this key, to which a link will be added.
    fn enter(&mut self, key: K) -> &mut W {
        let (order, last) = (&mut self.order, &mut self.last);
        let (_, member) = self.members.entry(key).or_insert_with(|| {
            *last += 1;
            order.insert(*last, key);
            (*last, W::default())
        });
        member
    }

    /// Lets `remove` take a link out of a member.
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
