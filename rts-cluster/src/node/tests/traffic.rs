//! Numbered entries between the nodes of a world, and the laws about them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rts_proto::server::{Entry, SessionNumber};
use rts_proto::{Instant, UserId};

use crate::membership::tests::world::World;
use crate::node::{Input, Output};
use crate::view::Incarnation;
use crate::wire::entries::{Route, decode, encode};

/// A piece with this number.
pub(super) fn piece(number: u64, route: Route) -> Bytes {
    let session = SessionNumber::from_number(1).expect("a valid number");
    let uid = UserId::new("bob").expect("a valid id");
    let entry = Entry::QueryStatus { session, query: number, uid };
    encode(route, vec![entry], Instant::ORIGIN).remove(0)
}

fn number(piece: &Bytes) -> u64 {
    match decode(piece.clone(), Instant::ORIGIN) {
        Ok((_, entries)) => match entries[..] {
            [Entry::QueryStatus { query, .. }] => query,
            _ => panic!("unexpected: {entries:?}"),
        },
        Err(error) => panic!("{error}"),
    }
}

/// From and to.
type Way = (Incarnation, Incarnation);

/// A world, and what its nodes have sent each other.
pub(super) struct Traffic {
    pub(super) world: World,
    /// The number of pieces that were sent on each way.
    sent: BTreeMap<Way, u64>,
    received: BTreeMap<Way, u64>,
    /// Ways whose sender knows that the receiver is gone, and the number of the first piece that
    /// was never sent.
    ended: BTreeMap<Way, u64>,
    /// Nodes that an incarnation was told to be gone.
    gone: BTreeSet<Way>,
    /// Each change of the congestion of any way.
    pub(super) congestion: Vec<bool>,
}

impl Traffic {
    pub(super) fn new(world: World) -> Self {
        Self {
            world,
            sent: BTreeMap::new(),
            received: BTreeMap::new(),
            ended: BTreeMap::new(),
            gone: BTreeSet::new(),
            congestion: Vec::new(),
        }
    }

    /// Sends pieces from a node to another one, if both run.
    pub(super) fn send(&mut self, from: u64, to: u64, count: u64) {
        let incarnation = |name| self.world.nodes.get(&name).map(|node| node.incarnation());
        let (Some(of_from), Some(of_to)) = (incarnation(from), incarnation(to)) else { return };
        let sent = self.sent.entry((of_from, of_to)).or_default();
        let route = Route::new(0, 0).expect("valid numbers");
        let pieces = (*sent..*sent + count).map(|number| piece(number, route)).collect();
        *sent += count;
        self.world.input(from, Input::Entries { to: of_to, pieces });
        self.check();
    }

    pub(super) fn pass(&mut self, millis: u64) {
        self.world.pass(millis);
        self.check();
    }

    /// The number of pieces that a node has received from another one.
    pub(super) fn received(&self, from: u64, to: u64) -> u64 {
        let [from, to] = [from, to].map(|name| self.world.nodes[&name].incarnation());
        self.received.get(&(from, to)).copied().unwrap_or(0)
    }

    /// Checks what has happened since the last time: pieces arrive in order and once, none comes
    /// from a node that is gone, and none arrives that was given back as not sent.
    pub(super) fn check(&mut self) {
        for (at, output) in std::mem::take(&mut self.world.log) {
            match output {
                Output::Entries { from, piece, .. } => self.arrived(from, at, &piece),
                Output::NotSent { to, pieces } => {
                    let sent = self.sent.get_mut(&(at, to)).expect("something was sent");
                    assert_eq!(number(&pieces[0]) + pieces.len() as u64, *sent);
                    *sent = number(&pieces[0]);
                }
                Output::PeerGone { node, given_back } => {
                    assert!(self.gone.insert((at, node)), "once");
                    let sent = self.sent.get(&(at, node)).copied().unwrap_or(0);
                    let received = self.received.get(&(at, node)).copied().unwrap_or(0);
                    let all = given_back.unknown.iter().chain(&given_back.not_sent);
                    let numbers: Vec<u64> = all.map(number).collect();
                    let first = sent - numbers.len() as u64;
                    assert!(numbers.into_iter().eq(first..sent), "the last ones");
                    assert!(first <= received, "what was acknowledged has arrived");
                    let not_sent = sent - given_back.not_sent.len() as u64;
                    assert!(received <= not_sent);
                    self.ended.insert((at, node), not_sent);
                }
                Output::Congested(_, is_congested) => self.congestion.push(is_congested),
                other => panic!("not about entries: {other:?}"),
            }
        }
    }

    fn arrived(&mut self, from: Incarnation, at: Incarnation, piece: &Bytes) {
        assert!(!self.gone.contains(&(at, from)), "{from:?} is gone for {at:?}");
        let received = self.received.entry((from, at)).or_default();
        assert_eq!(number(piece), *received, "from {from:?} to {at:?}");
        *received += 1;
        let end = self.ended.get(&(from, at));
        assert!(end.is_none_or(|end| *received <= *end), "it was given back as not sent");
    }

    /// Checks that all running nodes have received all that was sent to them.
    pub(super) fn check_all_arrived(&self) {
        let running: Vec<_> = self.world.nodes.values().map(|node| node.incarnation()).collect();
        for (way @ (from, to), sent) in &self.sent {
            if running.contains(from) && running.contains(to) {
                assert_eq!(self.received.get(way).copied().unwrap_or(0), *sent, "{way:?}");
            }
        }
        assert!(self.world.nodes.values().all(|node| node.node.is_acknowledged()));
    }
}
