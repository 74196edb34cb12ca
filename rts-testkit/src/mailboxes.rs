//! What is under way between the shards of the server: entries, and links that move.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rts_proto::Instant;
use rts_proto::server::{Entry, ShardId};

/// One delivery in this many may take up to [`Mailboxes::tail`].
const TAIL_IN: u32 = 32;

/// A shard, and another one to which it sends entries.
type Pair = (ShardId, ShardId);

/// The mailboxes between the shards of the server, one for each ordered pair.
///
/// The entries of a mailbox arrive in their order. Mailboxes are independent of each other. A
/// server with one shard has none. Changes of the settings apply to entries that are sent
/// afterwards.
#[derive(Debug)]
pub struct Mailboxes {
    waiting: BTreeMap<Pair, Mailbox>,
    random: fastrand::Rng,
    /// The longest usual delay of entries. Each delay is drawn.
    pub delay: Duration,
    /// The longest delay of the few entries that are late.
    pub tail: Duration,
    /// A mailbox is congested while this many entries wait in it, with each message counted, until
    /// half of them are left. Its sender then refuses messages and joins that would go there.
    pub entries_max: usize,
}

#[derive(Debug, Default)]
struct Mailbox {
    bursts: VecDeque<(Instant, Vec<Entry>)>,
    /// What the entries in `bursts` count as.
    len: usize,
    is_congested: bool,
}

impl Mailboxes {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            waiting: BTreeMap::new(),
            random: fastrand::Rng::with_seed(seed),
            delay: Duration::from_millis(1),
            tail: Duration::from_millis(20),
            entries_max: 65_536,
        }
    }

    /// The time that the next delivery takes.
    pub(crate) fn draw_delay(&mut self) -> Duration {
        let is_late = self.random.u32(0..TAIL_IN) == 0;
        let longest = if is_late { self.tail.max(self.delay) } else { self.delay };
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.random.u64(0..=micros))
    }

    /// Sends entries. Returns whether the mailbox became congested or is no longer so.
    pub(crate) fn put(&mut self, now: Instant, pair: Pair, entries: Vec<Entry>) -> Option<bool> {
        let at = now + self.draw_delay();
        let mailbox = self.waiting.entry(pair).or_default();
        let after = mailbox.bursts.back().map_or(at, |(last, _)| at.max(*last));
        mailbox.len += count(&entries);
        mailbox.bursts.push_back((after, entries));
        mailbox.look(self.entries_max)
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        let firsts = self.waiting.values().filter_map(|mailbox| mailbox.bursts.front());
        firsts.map(|(at, _)| *at).min()
    }

    /// Takes the next entries that are due by now, and whether that changed the congestion of their
    /// mailbox.
    pub(crate) fn take(&mut self, now: Instant) -> Option<(Pair, Vec<Entry>, Option<bool>)> {
        let is_due = |mailbox: &Mailbox| mailbox.bursts.front().is_some_and(|(at, _)| *at <= now);
        let (pair, mailbox) = self.waiting.iter_mut().find(|(_, mailbox)| is_due(mailbox))?;
        let (_, entries) = mailbox.bursts.pop_front()?;
        mailbox.len -= count(&entries);
        Some((*pair, entries, mailbox.look(self.entries_max)))
    }

    /// Drops everything that is under way.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }
}

fn count(entries: &[Entry]) -> usize {
    entries.iter().map(Entry::counts_as).sum()
}

impl Mailbox {
    /// Whether congestion begins (true) or ends (false) now.
    fn look(&mut self, entries_max: usize) -> Option<bool> {
        let is_congested = match self.is_congested {
            true => self.len > entries_max / 2,
            false => self.len >= entries_max,
        };
        let was_congested = std::mem::replace(&mut self.is_congested, is_congested);
        (was_congested != is_congested).then_some(is_congested)
    }
}

#[cfg(test)]
mod tests {
    use rts_proto::server::{Deliveries, SessionNumber};
    use rts_proto::{MessageConfig, MessageId, UserId};

    use super::*;

    #[test]
    fn each_message_of_an_entry_counts_in_the_bound() {
        let session = SessionNumber::from_number(1).expect("not zero");
        let bob = UserId::new("bob").expect("valid");
        let mut deliveries = Deliveries::default();
        for id in (1..=3).map(MessageId) {
            deliveries.push(session, id, MessageConfig::ReliableOrdered, &bob, b"frame");
        }
        let messages = || vec![Entry::Deliver(deliveries.clone())];
        let mut mailboxes = Mailboxes::new(1);
        mailboxes.entries_max = 4;
        let pair = (ShardId::FIRST, ShardId::new(1).expect("valid"));
        let (now, later) = (Instant::from_millis(1), Instant::from_millis(1_000));
        assert_eq!(mailboxes.put(now, pair, messages()), None);
        assert_eq!(mailboxes.put(now, pair, messages()), Some(true));
        let mut changes = Vec::new();
        while let Some((_, _, change)) = mailboxes.take(later) {
            changes.push(change);
        }
        assert_eq!(changes, [None, Some(false)]);
    }
}
