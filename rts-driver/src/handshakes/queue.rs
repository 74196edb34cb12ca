//! Who is next: turns by kinds of links, sites, networks and links, and a rate at which handshakes
//! begin.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use rts_proto::LinkId;

use crate::bucket::{Bucket, Rate};
use crate::network::{Network, Site};

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

/// Where a link waits.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) lane: Lane,
    pub(crate) network: Network,
}

/// What waits: of those that came from one network the oldest link first, and one network after the
/// other.
pub(super) struct Queue<T> {
    /// The numbers are ours: nobody can choose them to collide.
    waiting: HashMap<LinkId, (Turn, T), FixedState>,
    lanes: Circle<Lane, Circle<Site, Circle<Network, BTreeSet<LinkId>>>>,
    begun: Bucket,
}

/// Who is next.
pub(super) enum Next<T> {
    Is(LinkId, Lane, T),
    /// Nobody, before this time has passed.
    In(Duration),
    Nobody,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let (lanes, begun) = (Circle::default(), Bucket::default());
        Self { waiting: HashMap::default(), lanes, begun }
    }
}

impl<T> Queue<T> {
    pub(super) fn push(&mut self, id: LinkId, turn: Turn, asked: T) {
        let Turn { lane, network } = turn;
        self.waiting.insert(id, (turn, asked));
        self.lanes.enter(lane).enter(network.site()).enter(network).insert(id);
    }

    /// So many handshakes may begin a second; 0 is no limit. One that does uses up what may.
    pub(super) fn next(&mut self, per_second: u32, now: Instant) -> Next<T> {
        let rate = Rate::new(per_second, BURST_SECONDS);
        let wait = rate.and_then(|rate| self.begun.wait(rate, now));
        let id = self.lanes.pop_if(|lane| *lane == Lane::Free || wait.is_none());
        let next = id.and_then(|id| Some((id, self.waiting.remove(&id)?)));
        match (next, wait) {
            (Some((id, (Turn { lane, .. }, asked))), _) => {
                if lane != Lane::Free && rate.is_some() {
                    self.begun.use_one();
                }
                Next::Is(id, lane, asked)
            }
            (None, Some(wait)) if !self.waiting.is_empty() => Next::In(wait),
            (None, _) => Next::Nobody,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// It had not begun: nothing has come from it yet.
    pub(super) fn did_not_begin(&mut self) {
        self.begun.give_back_one();
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<T> {
        let (Turn { lane, network }, asked) = self.waiting.remove(&id)?;
        self.lanes.leave(&lane, |sites| {
            sites.leave(&network.site(), |networks| {
                networks.leave(&network, |links| {
                    links.remove(&id);
                });
            });
        });
        Some(asked)
    }
}

/// What can be waited in.
trait Line: Default {
    fn is_empty(&self) -> bool;
    /// Who is first, and has had its turn now.
    fn pop(&mut self) -> Option<LinkId>;
}

impl Line for BTreeSet<LinkId> {
    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn pop(&mut self) -> Option<LinkId> {
        self.pop_first()
    }
}

/// Lines that take turns: the one whose last turn, or first entry, is longest ago is next. Those in
/// which nobody waits are not kept.
struct Circle<K, L> {
    /// Each with its number in the order. It hashes with a secret: peers choose their addresses.
    lines: HashMap<K, (u64, L)>,
    order: BTreeMap<u64, K>,
    last: u64,
}

impl<K, L> Default for Circle<K, L> {
    fn default() -> Self {
        Self { lines: HashMap::new(), order: BTreeMap::new(), last: 0 }
    }
}

impl<K: Copy + Eq + Hash, L: Line> Circle<K, L> {
    /// The line in which somebody is going to wait.
    fn enter(&mut self, key: K) -> &mut L {
        let (order, last) = (&mut self.order, &mut self.last);
        let (_, line) = self.lines.entry(key).or_insert_with(|| {
            *last += 1;
            order.insert(*last, key);
            (*last, L::default())
        });
        line
    }

    /// Lets `remove` take somebody out of a line.
    fn leave(&mut self, key: &K, remove: impl FnOnce(&mut L)) {
        let Some((at, line)) = self.lines.get_mut(key) else { return };
        remove(line);
        if line.is_empty() {
            self.order.remove(at);
            self.lines.remove(key);
        }
    }

    fn pop_if(&mut self, may: impl Fn(&K) -> bool) -> Option<LinkId> {
        let (before, key) =
            self.order.iter().find(|(_, key)| may(key)).map(|(at, key)| (*at, *key))?;
        self.order.remove(&before);
        let (at, line) = self.lines.get_mut(&key)?;
        let popped = line.pop();
        if line.is_empty() {
            self.lines.remove(&key);
        } else {
            self.last += 1;
            *at = self.last;
            self.order.insert(self.last, key);
        }
        popped
    }
}

impl<K: Copy + Eq + Hash, L: Line> Line for Circle<K, L> {
    fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn pop(&mut self) -> Option<LinkId> {
        self.pop_if(|_| true)
    }
}

#[cfg(test)]
mod tests;
