//! The cluster side of one node: its membership, and a trunk to each other member.
//!
//! A driver passes inputs in, and takes outputs until [`Output::Wait`]. It may pass in all inputs
//! of a burst before it takes outputs, so that the entries of the burst share batches.
//!
//! A trunk exists as long as its other end is in the view. Two nodes take a new view at different
//! times. The first one sends its entries again until the other one has the view too.
//!
//! Without a lease, a node neither sends entries nor takes any. So it acknowledges nothing that its
//! shards must not act on.

mod echo;
mod io;
mod peer;

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rts_proto::Instant;

use echo::Echoes;
pub use io::{Dropped, Input, Output, TrunkFigures};
use peer::Peer;

use crate::limits::{BUS_BYTES_MAX, TRUNK_BYTES_MAX};
use crate::membership::{self, Beat, Membership};
use crate::trunk;
use crate::view::{ClusterName, Incarnation, Member, View};
use crate::wire::entries::Route;
use crate::wire::{Kind, Packet};

/// The end of time, for a node that has ended.
const NEVER: Instant = Instant::from_micros(u64::MAX);

/// The cluster side of one incarnation of a node.
#[derive(Debug)]
pub struct Node {
    cluster: ClusterName,
    own: Member,
    membership: Membership,
    echoes: Echoes,
    /// The last other node with this one's name that was heard.
    namesake: Option<Incarnation>,
    /// The moment for which the membership waits.
    membership_at: Instant,
    /// The clock that its beats tell.
    clock: u64,
    /// The greatest clock of other nodes, until it is taken.
    heard_clock: Option<u64>,
    /// The other members of the view.
    peers: BTreeMap<Incarnation, Peer>,
    is_bus_up: bool,
    has_ended: bool,
    outputs: VecDeque<Output>,
    dropped: Dropped,
    now: Instant,
}

impl Node {
    /// A node that is no member yet. `seed` feeds the ids of views, and should be random.
    #[must_use]
    pub fn new(cluster: ClusterName, own: Member, seed: u64) -> Self {
        Self {
            cluster,
            membership: Membership::new(own.clone(), seed),
            echoes: Echoes::new(own.incarnation, Instant::ORIGIN),
            own,
            namesake: None,
            membership_at: Instant::ORIGIN,
            clock: 0,
            heard_clock: None,
            peers: BTreeMap::new(),
            is_bus_up: false,
            has_ended: false,
            outputs: VecDeque::new(),
            dropped: Dropped::default(),
            now: Instant::ORIGIN,
        }
    }

    /// Handles an input. A `now` before the latest one counts as the latest one.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.now = self.now.max(now);
        if self.has_ended {
            return;
        }
        let input = match input {
            Input::Packet(bytes) => return self.packet_came(bytes),
            Input::Entries { to, pieces } => return self.send_entries(to, pieces),
            Input::BusDown => {
                self.is_bus_up = false;
                membership::Input::Bus(false)
            }
            Input::BusUp => {
                self.is_bus_up = true;
                self.peers.values_mut().for_each(|peer| peer.bus_is_up(self.now));
                self.echoes.connected(self.now);
                membership::Input::Bus(true)
            }
            Input::Read(question, found) => membership::Input::Read(question, found),
            Input::ReadFailed(question) => membership::Input::ReadFailed(question),
            Input::Cas(question, result) => membership::Input::Cas(question, result),
            Input::Voted(question, vote) => membership::Input::Voted(question, vote),
            Input::Dead(node) => membership::Input::Dead(node),
            Input::Served(epoch) => membership::Input::Served(epoch),
            Input::Wish(wish) => membership::Input::Wish(wish),
            Input::Tick => {
                self.report_stalls();
                membership::Input::Tick
            }
        };
        self.pass_on(input);
    }

    /// The clock that beats tell from now on, in microseconds of Unix time. 0 tells nothing.
    pub fn set_clock(&mut self, clock: u64) {
        self.clock = clock;
    }

    /// The greatest clock that other nodes have told since the last call.
    pub fn take_heard_clock(&mut self) -> Option<u64> {
        self.heard_clock.take()
    }

    /// The next output. [`Output::Wait`] is the last one.
    pub fn poll(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        if self.has_ended {
            return Output::Wait(NEVER);
        }
        let now = self.now;
        if self.has_listeners() && self.echoes.is_silent(now) {
            return Output::Unheard;
        }
        let unheard = self.has_listeners().then(|| self.echoes.deadline());
        let wait = unheard.map_or(self.membership_at, |at| at.min(self.membership_at));
        if !self.has_trunks() {
            return Output::Wait(wait);
        }
        let next = self.peers.iter_mut().find_map(|(to, peer)| Some((*to, peer.poll(now)?)));
        if let Some((to, packet)) = next {
            return Output::Send {
                to: Some(to),
                packet: self.packet(Some(to), Kind::Trunk(packet)),
            };
        }
        let deadlines = self.peers.values().flat_map(|peer| [peer.deadline(), peer.stalls_at()]);
        Output::Wait(deadlines.flatten().fold(wait, Instant::min))
    }

    /// The view of this node, if it is a member.
    #[must_use]
    pub fn view(&self) -> Option<&View> {
        self.membership.view()
    }

    /// Whether this node may act at this moment.
    #[must_use]
    pub fn may_act(&self, now: Instant) -> bool {
        self.membership.may_act(now)
    }

    /// The moment before which this node may act in its present view: the end of time for the only
    /// member of a view. `None` if it may not act at all. It changes with each input.
    #[must_use]
    pub fn acts_until(&self) -> Option<Instant> {
        self.membership.acts_until()
    }

    /// Whether all other members have acknowledged all entries. A node that wants to leave waits
    /// for that.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.peers.values().all(Peer::is_acknowledged)
    }

    /// The trunks to all other members, at this moment.
    pub fn trunks(&self, now: Instant) -> impl Iterator<Item = TrunkFigures> {
        self.peers.iter().map(move |(node, peer)| {
            let (entries, bytes) = peer.unacknowledged();
            let heard_at = self.membership.heard_at(*node);
            TrunkFigures {
                node: *node,
                entries,
                bytes,
                is_congested: peer.is_congested(),
                silent_for: heard_at.map(|at| now.since(at)),
            }
        })
    }

    /// What was dropped so far.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// Whether there is somebody who would answer the beats of this node.
    fn has_listeners(&self) -> bool {
        self.is_bus_up && !self.peers.is_empty()
    }

    /// Whether trunks send and receive.
    fn has_trunks(&self) -> bool {
        self.is_bus_up && self.membership.may_act(self.now)
    }

    fn packet(&self, to: Option<Incarnation>, kind: Kind) -> Bytes {
        Packet { cluster: self.cluster.clone(), from: self.own.incarnation, to, kind }.encode()
    }

    fn packet_came(&mut self, bytes: Bytes) {
        let dropped = &mut self.dropped;
        let packet = match Packet::decode(bytes) {
            Ok(Some(packet)) => packet,
            Ok(None) => return dropped.unknown_kind += 1,
            Err(_) => return dropped.malformed += 1,
        };
        let Packet { cluster, from, to, kind } = packet;
        if cluster != self.cluster {
            return dropped.other_cluster += 1;
        }
        // A bus may bring back what a node sends to all.
        if from == self.own.incarnation {
            return;
        }
        if to.is_some_and(|to| to != self.own.incarnation) {
            return dropped.for_other_node += 1;
        }
        match kind {
            Kind::Beat(beat) => self.beat_came(beat),
            Kind::Trunk(_) if to.is_none() => dropped.malformed += 1,
            Kind::Trunk(packet) => self.trunk_packet_came(from, packet),
        }
    }

    fn beat_came(&mut self, beat: Beat) {
        self.echoes.heard(self.now, &beat);
        self.heard_clock = self.heard_clock.max(Some(beat.clock));
        let other = Some(beat.node.incarnation);
        if beat.node.name == self.own.name && self.namesake != other {
            self.namesake = other;
            self.outputs.extend(other.map(Output::Namesake));
        }
        self.pass_on(membership::Input::Beat(beat));
    }

    fn trunk_packet_came(&mut self, from: Incarnation, packet: trunk::Packet) {
        let (now, dropped) = (self.now, &mut self.dropped);
        let Some(peer) = self.peers.get_mut(&from) else { return dropped.unknown_sender += 1 };
        // What acknowledges entries, or asks for them again, brings none.
        let has_entries = matches!(packet, trunk::Packet::Batch { .. });
        if has_entries && !self.membership.may_act(now) {
            return dropped.without_lease += 1;
        }
        let Ok(pieces) = peer.receive(now, packet) else { return dropped.never_sent += 1 };
        for piece in pieces {
            match Route::read(&piece) {
                Ok(route) if route.from() < peer.shards && route.to() < self.own.shards => {
                    self.outputs.push_back(Output::Entries { from, route, piece });
                }
                _ => dropped.bad_entries += 1,
            }
        }
        let change = peer.congestion_change();
        self.outputs.extend(change.map(|is_congested| Output::Congested(from, is_congested)));
        if peer.has_moved() {
            self.pass_on(membership::Input::Moved(from));
        }
    }

    fn send_entries(&mut self, to: Incarnation, pieces: Vec<Bytes>) {
        let Some(peer) = self.peers.get_mut(&to) else {
            return self.outputs.push_back(Output::NotSent { to, pieces });
        };
        pieces.into_iter().for_each(|piece| peer.push(self.now, piece));
        let change = peer.congestion_change();
        self.outputs.extend(change.map(|is_congested| Output::Congested(to, is_congested)));
    }

    /// Tells the membership which nodes acknowledge nothing.
    fn report_stalls(&mut self) {
        if !self.has_trunks() {
            return;
        }
        let now = self.now;
        let stalls = self.peers.iter_mut().map(|(node, peer)| (*node, peer.take_stall(now)));
        let stalls: Vec<_> = stalls.filter_map(|(node, since)| Some((node, since?))).collect();
        for (node, since) in stalls {
            self.pass_on(membership::Input::Stalled { node, since });
        }
    }

    fn pass_on(&mut self, input: membership::Input) {
        use membership::Output as From;
        self.membership.handle(self.now, input);
        loop {
            let output = match self.membership.poll() {
                From::Beat(_) if !self.is_bus_up => continue,
                From::Beat(beat) => {
                    let beat = Beat { clock: self.clock, ..beat };
                    Output::Send { to: None, packet: self.packet(None, Kind::Beat(beat)) }
                }
                From::Read(question) => Output::Read(question),
                From::Cas(question, expected, view) => Output::Cas(question, expected, view),
                From::Vote { question, view, remove } => Output::Vote { question, view, remove },
                From::View { view, serve_after } => {
                    self.view_changed(view, serve_after);
                    continue;
                }
                From::Lease(may_act) => {
                    if may_act {
                        self.peers.values_mut().for_each(|peer| peer.thawed(self.now));
                    }
                    Output::Lease(may_act)
                }
                From::Ended(why) => {
                    self.has_ended = true;
                    self.peers.clear();
                    Output::Ended(why)
                }
                From::RegisterIsForeign => Output::RegisterIsForeign,
                From::Wait(until) => {
                    self.membership_at = until;
                    return;
                }
            };
            self.outputs.push_back(output);
        }
    }

    fn view_changed(&mut self, view: View, serve_after: Instant) {
        let others = view.members().len() - 1;
        let bytes_max = TRUNK_BYTES_MAX.min(BUS_BYTES_MAX / others.max(1));
        let is_gone = |node: &Incarnation| view.member(*node).is_none();
        let gone: Vec<Incarnation> = self.peers.keys().copied().filter(is_gone).collect();
        for member in
            view.members().iter().filter(|member| member.incarnation != self.own.incarnation)
        {
            self.peers
                .entry(member.incarnation)
                .or_insert_with(|| Peer::new(member.shards, bytes_max))
                .set_bytes_max(bytes_max);
        }
        self.outputs.push_back(Output::View { view, serve_after });
        for node in gone {
            if let Some(peer) = self.peers.remove(&node) {
                let given_back = peer.close();
                self.outputs.push_back(Output::PeerGone { node, given_back });
            }
        }
    }
}

#[cfg(test)]
mod tests;
