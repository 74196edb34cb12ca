//! Entries for other shards, of this node and of others in a cluster. The entries of a burst go out
//! together at its end.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::AppId;
use crate::planted::{Bug, planted};
use crate::server::io::{Deliveries, Entry, Output, PassedOn};
use crate::server::keys::{Outcome, SessionNumber};
use crate::server::placement::ShardId;

#[derive(Debug, Default)]
pub(super) struct Peers {
    /// By the numbers of the node and of the shard.
    waiting: Vec<Vec<Waiting>>,
    /// The shards for which something waits.
    listed: Vec<ShardId>,
    congested: ShardSet,
}

/// The entries for one shard.
///
/// Messages share an entry, which any other entry ends. Results share one too, which only an entry
/// about a session of the other shard ends.
#[derive(Debug, Default)]
struct Waiting {
    /// Whether something was added in this burst.
    is_listed: bool,
    entries: Vec<Entry>,
    /// The app of the latest [`Entry::InApp`].
    app_id: Option<AppId>,
    /// The next [`Entry::Deliver`].
    deliveries: Deliveries,
    /// The next [`PassedOn::Deliver`]. Its users are others than those of `deliveries`, so their
    /// order does not matter.
    passed_on: Deliveries,
    /// The next [`Entry::Outcomes`]. Results go out at the end of a burst in any case, so entries
    /// about users and rooms do not end it. One that ends a session may so overtake its results.
    outcomes: Vec<(SessionNumber, Outcome)>,
}

impl Waiting {
    /// Adds an entry about a session of the other shard.
    fn push(&mut self, entry: Entry) {
        self.end_deliveries();
        self.end_outcomes();
        self.entries.push(entry);
    }

    /// Adds an entry about an app.
    fn push_in_app(&mut self, app_id: &AppId, entry: Entry) {
        self.end_deliveries();
        self.name(app_id);
        self.entries.push(entry);
    }

    /// The messages to users of an app, to add one.
    #[inline]
    fn deliveries_in(&mut self, app_id: &AppId) -> &mut Deliveries {
        if self.app_id.as_ref() != Some(app_id) {
            self.end_deliveries();
            self.name(app_id);
        }
        &mut self.deliveries
    }

    /// The messages that are passed on to users of an app, to add one.
    fn passed_on_in(&mut self, app_id: &AppId) -> &mut Deliveries {
        if self.app_id.as_ref() != Some(app_id) {
            self.end_deliveries();
            self.name(app_id);
        }
        &mut self.passed_on
    }

    /// The next entries are about this app.
    fn name(&mut self, app_id: &AppId) {
        if self.app_id.as_ref() != Some(app_id) {
            self.app_id = Some(app_id.clone());
            self.entries.push(Entry::InApp(app_id.clone()));
        }
    }

    fn end_deliveries(&mut self) {
        if !self.deliveries.is_empty() {
            self.entries.push(Entry::Deliver(core::mem::take(&mut self.deliveries)));
        }
        if !self.passed_on.is_empty() {
            let passed_on = core::mem::take(&mut self.passed_on);
            self.entries.push(Entry::PassedOn(PassedOn::Deliver(passed_on)));
        }
    }

    fn end_outcomes(&mut self) {
        if !self.outcomes.is_empty() {
            self.entries.push(Entry::Outcomes(core::mem::take(&mut self.outcomes)));
        }
    }

    /// All entries in their order.
    fn into_entries(mut self) -> Vec<Entry> {
        self.end_deliveries();
        self.end_outcomes();
        self.entries
    }
}

/// A set of shards: for each node, the bits of its shards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ShardSet {
    bits: Vec<u64>,
    len: usize,
}

impl ShardSet {
    fn insert(&mut self, shard: ShardId) {
        let bits = grown(&mut self.bits, shard.node().number());
        self.len += usize::from(*bits & bit(shard) == 0);
        *bits |= bit(shard);
    }

    fn remove(&mut self, shard: ShardId) {
        if self.contains(shard) {
            self.bits[shard.node().number()] &= !bit(shard);
            self.len -= 1;
        }
    }

    fn contains(&self, shard: ShardId) -> bool {
        self.bits.get(shard.node().number()).is_some_and(|bits| bits & bit(shard) != 0)
    }

    fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The bit of a shard among those of its node.
fn bit(shard: ShardId) -> u64 {
    1 << shard.number()
}

/// The item at this index, which a longer list has.
#[inline]
fn grown<T: Default>(list: &mut Vec<T>, index: usize) -> &mut T {
    if list.len() <= index {
        list.resize_with(index + 1, T::default);
    }
    &mut list[index]
}

impl Peers {
    /// Where something is added for a shard.
    #[inline]
    fn of_shard(&mut self, shard: ShardId) -> &mut Waiting {
        let of_node = grown(&mut self.waiting, shard.node().number());
        let waiting = grown(of_node, shard.number());
        if !waiting.is_listed {
            waiting.is_listed = true;
            self.listed.push(shard);
        }
        waiting
    }

    /// Adds an entry about a session of the other shard.
    pub(super) fn add(&mut self, to: ShardId, entry: Entry) {
        let waiting = self.of_shard(to);
        waiting.push(entry);
        if planted(Bug::EntryOvertakes)
            && let Some(last) = waiting.entries.len().checked_sub(1)
        {
            waiting.entries.swap(last.saturating_sub(1), last);
        }
    }

    /// Adds an entry about an app.
    pub(super) fn add_in_app(&mut self, to: ShardId, app_id: &AppId, entry: Entry) {
        self.of_shard(to).push_in_app(app_id, entry);
    }

    /// The messages to users of an app in another shard, to add one.
    #[inline]
    pub(super) fn deliveries_in(&mut self, to: ShardId, app_id: &AppId) -> &mut Deliveries {
        self.of_shard(to).deliveries_in(app_id)
    }

    /// The messages that are passed on to users of an app, to add one.
    pub(super) fn passed_on_in(&mut self, to: ShardId, app_id: &AppId) -> &mut Deliveries {
        self.of_shard(to).passed_on_in(app_id)
    }

    /// Adds a result for a session of the other shard.
    pub(super) fn add_outcome(&mut self, to: ShardId, session: SessionNumber, outcome: Outcome) {
        if planted(Bug::OutcomeForgotten) {
            return;
        }
        let outcomes = &mut self.of_shard(to).outcomes;
        if planted(Bug::OutcomeSentTwice) {
            outcomes.push((session, outcome.clone()));
        }
        outcomes.push((session, outcome));
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
        match is_congested {
            true => self.congested.insert(shard),
            false if planted(Bug::MailboxFullForEver) => {}
            false => self.congested.remove(shard),
        }
    }

    pub(super) fn is_congested(&self, shard: ShardId) -> bool {
        self.congested.contains(shard)
    }

    pub(super) fn is_any_congested(&self) -> bool {
        !self.congested.is_empty()
    }

    /// The burst is over: all entries go out.
    #[inline]
    pub(super) fn end_burst(&mut self, outputs: &mut VecDeque<Output>) {
        if !self.listed.is_empty() {
            self.send_all(outputs);
        }
    }

    fn send_all(&mut self, outputs: &mut VecDeque<Output>) {
        // The order of shards is the same, whichever of them got something first.
        self.listed.sort_unstable();
        for shard in self.listed.drain(..) {
            let waiting = &mut self.waiting[shard.node().number()][shard.number()];
            outputs.push_back(Output::Peer(shard, core::mem::take(waiting).into_entries()));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let Self { waiting, listed: _, congested: _ } = self;
        let of_shard = |waiting: &Waiting| {
            let Waiting { is_listed: _, entries, app_id: _, deliveries, passed_on, outcomes } =
                waiting;
            entries.len() + deliveries.len() + passed_on.len() + outcomes.len()
        };
        waiting.iter().flatten().map(of_shard).sum()
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
    use crate::server::testing::{app_id, other_app_id, room_id, uid};
    use crate::{MessageConfig, MessageId, SendCode};

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

    fn leave() -> Entry {
        Entry::Leave { room: room_id("lobby"), session: session(9), uid: uid("bob"), ticket: 1 }
    }

    fn add_to(deliveries: &mut Deliveries, id: u64) {
        let config = MessageConfig::ReliableOrdered;
        deliveries.push(session(7), MessageId(id), config, &uid("alice"), b"frame");
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
    fn results_share_an_entry_until_another_entry_is_for_a_session() {
        let mut peers = Peers::default();
        peers.add_outcome(shard(1), session(1), result(1));
        peers.add_in_app(shard(1), &app_id(), leave());
        peers.add_outcome(shard(1), session(2), result(2));
        peers.add(shard(1), push("a"));
        peers.add_outcome(shard(1), session(1), result(3));
        let entries = alloc::vec![
            Entry::InApp(app_id()),
            leave(),
            Entry::Outcomes(alloc::vec![(session(1), result(1)), (session(2), result(2))]),
            push("a"),
            Entry::Outcomes(alloc::vec![(session(1), result(3))]),
        ];
        assert_eq!(ended(&mut peers), [Output::Peer(shard(1), entries)]);
    }

    #[test]
    fn messages_share_an_entry_that_results_do_not_end_and_other_entries_do() {
        let mut peers = Peers::default();
        let add_message = |peers: &mut Peers, app_id: &AppId, id| {
            add_to(peers.deliveries_in(shard(1), app_id), id);
        };
        add_message(&mut peers, &app_id(), 1);
        peers.add_outcome(shard(1), session(1), result(1));
        add_message(&mut peers, &app_id(), 2);
        add_message(&mut peers, &other_app_id(), 3);
        peers.add_in_app(shard(1), &other_app_id(), leave());
        add_message(&mut peers, &other_app_id(), 4);
        peers.add(shard(1), push("a"));
        add_message(&mut peers, &other_app_id(), 5);
        let messages = |ids: &[u64]| {
            let mut deliveries = Deliveries::default();
            ids.iter().for_each(|id| add_to(&mut deliveries, *id));
            Entry::Deliver(deliveries)
        };
        let entries = alloc::vec![
            Entry::InApp(app_id()),
            messages(&[1, 2]),
            Entry::InApp(other_app_id()),
            messages(&[3]),
            leave(),
            messages(&[4]),
            Entry::Outcomes(alloc::vec![(session(1), result(1))]),
            push("a"),
            messages(&[5]),
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
