//! Entries for the other shards of the node. The entries of a burst go out together at its end.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::AppId;
use crate::planted::{Bug, planted};
use crate::server::io::{Entry, Output};
use crate::server::keys::{Outcome, SessionNumber};
use crate::server::placement::ShardId;

#[derive(Debug, Default)]
pub(super) struct Peers {
    waiting: BTreeMap<ShardId, Waiting>,
    congested: Congested,
}

/// The entries for one shard.
#[derive(Debug, Default)]
struct Waiting {
    entries: Vec<Entry>,
    /// The app of the latest [`Entry::InApp`].
    app_id: Option<AppId>,
}

/// A set of shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Congested(u64);

impl Congested {
    fn set(&mut self, shard: ShardId, is_congested: bool) {
        let bit = 1 << shard.number();
        if is_congested {
            self.0 |= bit;
        } else {
            self.0 &= !bit;
        }
    }

    fn contains(self, shard: ShardId) -> bool {
        self.0 & (1 << shard.number()) != 0
    }
}

impl Peers {
    /// Adds an entry about a session of the other shard.
    pub(super) fn add(&mut self, to: ShardId, entry: Entry) {
        let entries = &mut self.waiting.entry(to).or_default().entries;
        entries.push(entry);
        if planted(Bug::EntryOvertakes) && entries.len() > 1 {
            let last = entries.len() - 1;
            entries.swap(last - 1, last);
        }
    }

    /// Adds an entry about an app.
    pub(super) fn add_in_app(&mut self, to: ShardId, app_id: &AppId, entry: Entry) {
        let waiting = self.waiting.entry(to).or_default();
        if waiting.app_id.as_ref() != Some(app_id) {
            waiting.app_id = Some(app_id.clone());
            waiting.entries.push(Entry::InApp(app_id.clone()));
        }
        waiting.entries.push(entry);
    }

    /// Adds a result for a session of the other shard. Consecutive results share an entry.
    pub(super) fn add_outcome(&mut self, to: ShardId, session: SessionNumber, outcome: Outcome) {
        if planted(Bug::OutcomeForgotten) {
            return;
        }
        if planted(Bug::OutcomeSentTwice) {
            self.add(to, Entry::Outcomes(alloc::vec![(session, outcome.clone())]));
        }
        if let Some(waiting) = self.waiting.get_mut(&to)
            && let Some(Entry::Outcomes(outcomes)) = waiting.entries.last_mut()
        {
            outcomes.push((session, outcome));
        } else {
            self.add(to, Entry::Outcomes(alloc::vec![(session, outcome)]));
        }
    }

    /// Adds frames for sessions of other shards. Each shard gets them once.
    pub(super) fn push_to_each(
        &mut self,
        receivers: Receivers,
        frames: impl Fn() -> Vec<(Option<SessionNumber>, Bytes)>,
    ) {
        for (shard, sessions) in receivers.of_shards {
            self.add(shard, Entry::PushToEach { sessions, frames: frames() });
        }
    }

    pub(super) fn set_congested(&mut self, shard: ShardId, is_congested: bool) {
        self.congested.set(shard, is_congested);
    }

    pub(super) fn is_congested(&self, shard: ShardId) -> bool {
        self.congested.contains(shard)
    }

    pub(super) fn is_any_congested(&self) -> bool {
        self.congested != Congested::default()
    }

    /// The burst is over: all entries go out.
    #[inline]
    pub(super) fn end_burst(&mut self, outputs: &mut VecDeque<Output>) {
        if !self.waiting.is_empty() {
            self.send_all(outputs);
        }
    }

    fn send_all(&mut self, outputs: &mut VecDeque<Output>) {
        for (shard, waiting) in core::mem::take(&mut self.waiting) {
            outputs.push_back(Output::Peer(shard, waiting.entries));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let Self { waiting, congested: _ } = self;
        waiting.values().map(|waiting| waiting.entries.len()).sum()
    }
}

/// Sessions of other shards that get the same frames.
#[derive(Debug, Default)]
pub(super) struct Receivers {
    of_shards: BTreeMap<ShardId, Vec<SessionNumber>>,
}

impl Receivers {
    pub(super) fn is_empty(&self) -> bool {
        self.of_shards.is_empty()
    }

    pub(super) fn add(&mut self, shard: ShardId, session: SessionNumber) {
        self.of_shards.entry(shard).or_default().push(session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::testing::{app_id, other_app_id};
    use crate::{MessageId, SendCode};

    fn shard(number: usize) -> ShardId {
        ShardId::new(number).expect("valid")
    }

    fn session(number: u64) -> SessionNumber {
        SessionNumber::from_number(number).expect("not zero")
    }

    fn result(id: u64) -> Outcome {
        Outcome::Send(SendCode::Ok, MessageId(id))
    }

    fn push(frame: &'static str) -> Entry {
        Entry::Push { session: session(9), frame: Bytes::from_static(frame.as_bytes()) }
    }

    fn ended(peers: &mut Peers) -> Vec<Output> {
        let mut outputs = VecDeque::new();
        peers.end_burst(&mut outputs);
        outputs.into()
    }

    #[test]
    fn each_shard_gets_its_entries_of_a_burst_in_their_order_and_once() {
        let mut peers = Peers::default();
        peers.add(shard(2), push("a"));
        peers.add(shard(1), push("b"));
        peers.add(shard(2), push("c"));
        let first = Output::Peer(shard(1), alloc::vec![push("b")]);
        let second = Output::Peer(shard(2), alloc::vec![push("a"), push("c")]);
        assert_eq!(ended(&mut peers), [first, second]);
        assert_eq!((ended(&mut peers).len(), peers.len()), (0, 0));
    }

    #[test]
    fn app_is_named_where_it_changes_and_again_in_the_next_burst() {
        let mut peers = Peers::default();
        for app_id in [app_id(), app_id(), other_app_id(), app_id()] {
            peers.add_in_app(shard(1), &app_id, push("a"));
        }
        let [one, other] = [app_id(), other_app_id()].map(Entry::InApp);
        let a = || push("a");
        let entries = alloc::vec![one.clone(), a(), a(), other, a(), one.clone(), a()];
        assert_eq!(ended(&mut peers), [Output::Peer(shard(1), entries)]);
        peers.add_in_app(shard(1), &app_id(), a());
        assert_eq!(ended(&mut peers), [Output::Peer(shard(1), alloc::vec![one, a()])]);
    }

    #[test]
    fn consecutive_results_share_an_entry_and_overtake_nothing() {
        let mut peers = Peers::default();
        peers.add_outcome(shard(1), session(1), result(1));
        peers.add_outcome(shard(1), session(2), result(2));
        peers.add(shard(1), push("a"));
        peers.add_outcome(shard(1), session(1), result(3));
        let entries = alloc::vec![
            Entry::Outcomes(alloc::vec![(session(1), result(1)), (session(2), result(2))]),
            push("a"),
            Entry::Outcomes(alloc::vec![(session(1), result(3))]),
        ];
        assert_eq!(ended(&mut peers), [Output::Peer(shard(1), entries)]);
    }

    #[test]
    fn frames_for_many_sessions_reach_each_shard_once() {
        let mut peers = Peers::default();
        let mut receivers = Receivers::default();
        for (number, at) in [(1, 1), (2, 2), (3, 1)] {
            receivers.add(shard(at), session(number));
        }
        let frames = || alloc::vec![(Some(session(7)), Bytes::from_static(b"x"))];
        peers.push_to_each(receivers, frames);
        let entry = |numbers: &[u64]| {
            let sessions = numbers.iter().map(|number| session(*number)).collect();
            alloc::vec![Entry::PushToEach { sessions, frames: frames() }]
        };
        let expected =
            [Output::Peer(shard(1), entry(&[1, 3])), Output::Peer(shard(2), entry(&[2]))];
        assert_eq!(ended(&mut peers), expected);
    }

    #[test]
    fn shard_is_congested_until_the_driver_takes_it_back() {
        let mut peers = Peers::default();
        peers.set_congested(shard(63), true);
        assert!(peers.is_congested(shard(63)) && !peers.is_congested(shard(0)));
        assert!(peers.is_any_congested());
        peers.set_congested(shard(63), false);
        assert!(!peers.is_any_congested());
    }
}
