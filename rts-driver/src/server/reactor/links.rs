//! The links of a reactor: where each of them is, its output, and its end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use foldhash::fast::FixedState;
use rts_proto::LinkId;
use rts_proto::server::{Input, Opened, ShardId};

use super::held::Held;
use crate::link::{Link, Overflow};
use crate::runtime::{Runtime, Stream};
use crate::server::gate::LinkGuard;
use crate::server::handshakes::{Finished, HandshakePool, Job, Lane, QueueKey};
use crate::server::hooked_core::LinkOutput;
use crate::server::link_end::{Fault, LinkEnd};
use crate::server::network::Network;
use crate::server::notice_log::{LinkFacts, Peer};
use crate::server::ready_queue::{LinkWaker, ReadyQueue};
use crate::server::shared::{Arriving, NewLink};

/// All links by their number, also those in handshakes.
pub(super) struct LinkTable<R: Runtime> {
    /// The server chooses the numbers, so a peer cannot make them collide.
    entries: HashMap<LinkId, Box<LinkEntry<R>>, FixedState>,
    /// Links that have output or are to end, since the last [`take_pending`](Self::take_pending).
    /// Each is listed once.
    pending: Vec<LinkId>,
    handshakes: Arc<HandshakePool<R>>,
    /// The number of links in the handshake pool.
    in_handshake: usize,
    /// More handshakes have made progress than were taken.
    has_more_finished: bool,
    /// Links that the core gave to other shards.
    moving: Vec<(LinkId, ShardId, Box<Opened>)>,
}

pub(super) struct LinkEntry<R: Runtime> {
    location: Location<R::Stream>,
    held: Held,
    /// A user has logged in over this link.
    is_logged_in: bool,
    link_waker: Arc<LinkWaker>,
    /// Made from `link_waker`.
    waker: Waker,
    guard: LinkGuard,
    /// `None` while the link stays.
    ending: Option<Ending>,
    /// Whether the link is in the list of pending links.
    is_pending: bool,
    /// Whether the link is in the list of links that are written to in a later turn.
    is_late: bool,
    /// The last turn in which bytes came from it.
    read_in_turn: u64,
    address: SocketAddr,
}

/// Where the link itself is.
enum Location<S> {
    Reactor(Link<S>),
    Handshake(Meanwhile),
}

/// Changes to a link while it is in the handshake pool.
#[derive(Default)]
struct Meanwhile {
    /// Bytes to be written.
    output: Vec<Bytes>,
    is_ready: bool,
}

/// How a link ends at the end of a turn.
#[derive(Clone, Copy)]
pub(super) enum Ending {
    /// When everything is written.
    AfterFlush,
    Now(Fault),
}

impl<R: Runtime> LinkTable<R> {
    pub(super) fn new(handshakes: HandshakePool<R>) -> Self {
        Self {
            entries: HashMap::default(),
            pending: Vec::new(),
            handshakes: Arc::new(handshakes),
            in_handshake: 0,
            has_more_finished: false,
            moving: Vec::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn handshakes(&self) -> Arc<HandshakePool<R>> {
        Arc::clone(&self.handshakes)
    }

    pub(super) fn insert(&mut self, id: LinkId, entry: LinkEntry<R>) {
        self.entries.insert(id, Box::new(entry));
    }

    pub(super) fn get(&self, id: LinkId) -> Option<&LinkEntry<R>> {
        self.entries.get(&id).map(|entry| &**entry)
    }

    pub(super) fn get_mut(&mut self, id: LinkId) -> Option<&mut LinkEntry<R>> {
        self.entries.get_mut(&id).map(|entry| &mut **entry)
    }

    pub(super) fn remove(&mut self, id: LinkId) -> Option<LinkEntry<R>> {
        self.entries.remove(&id).map(|entry| *entry)
    }

    pub(super) fn has_links(&self) -> bool {
        !self.entries.is_empty()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = LinkId> + '_ {
        self.entries.keys().copied()
    }

    /// Applies an output of the core to its link. Called under the shard's lock, so it only looks
    /// up and pushes. Returns an input that the core must get next.
    pub(super) fn apply(&mut self, output: LinkOutput) -> Option<Input> {
        match output {
            LinkOutput::Transmit(id, bytes) => self.transmit(id, bytes),
            LinkOutput::Close(id) => {
                self.mark_ending(id, Ending::AfterFlush);
                None
            }
            LinkOutput::HandOver(id, shard, opened) => {
                self.moving.push((id, shard, opened));
                None
            }
        }
    }

    /// Removes the links that go to other shards. A link that ends stays, and ends here.
    pub(super) fn take_moving(&mut self) -> Vec<(ShardId, NewLink<R>)> {
        let moving = std::mem::take(&mut self.moving);
        let entries = &mut self.entries;
        let moved = moving.into_iter().filter_map(|(id, shard, opened)| {
            let stays = entries.get(&id)?.ending.is_some();
            let entry = if stays { None } else { entries.remove(&id) };
            Some((shard, entry?.into_moved(id, opened)?))
        });
        moved.collect()
    }

    fn transmit(&mut self, id: LinkId, bytes: Bytes) -> Option<Input> {
        let entry = self.entries.get_mut(&id)?;
        entry.add_to(&mut self.pending, id);
        if entry.ending.is_some() {
            return None;
        }
        entry.push(bytes);
        let (link, _) = entry.link_mut()?;
        congestion(id, link)
    }

    /// Marks the link to end in this way when it is flushed, unless it is ending already.
    pub(super) fn mark_ending(&mut self, id: LinkId, ending: Ending) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.ending.get_or_insert(ending);
        entry.add_to(&mut self.pending, id);
    }

    /// Adds the link to the pending ones: it may have output, or is to end.
    pub(super) fn add_pending(&mut self, id: LinkId) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.add_to(&mut self.pending, id);
        }
    }

    /// Takes the links that are pending. They stay marked until each is flushed.
    pub(super) fn take_pending(&mut self) -> Vec<LinkId> {
        std::mem::take(&mut self.pending)
    }

    /// Gives back an empty list, to reuse its memory.
    pub(super) fn reuse_pending(&mut self, mut pending: Vec<LinkId>) {
        pending.clear();
        if self.pending.is_empty() {
            self.pending = pending;
        }
    }

    /// Hands a link that is here to the handshake pool.
    pub(super) fn start_handshake(&mut self, id: LinkId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let meanwhile = Location::Handshake(Meanwhile::default());
        if let Location::Reactor(link) = std::mem::replace(&mut entry.location, meanwhile) {
            let lane = if link.has_begun() { Lane::Free } else { entry.guard.lane() };
            let key = QueueKey { lane, network: Network::of(entry.address.ip()) };
            let job = Job { link, waker: entry.waker.clone() };
            self.in_handshake += 1;
            self.handshakes.submit(id, key, job);
        }
    }

    /// Takes up to `links_max` links whose handshakes made progress. The caller must [put
    /// back](Self::put_back) each of them.
    pub(super) fn take_finished(&mut self, links_max: usize, into: &mut Vec<Finished<R>>) {
        if self.in_handshake > 0 {
            let before = into.len();
            self.has_more_finished = self.handshakes.take_finished(links_max, into);
            self.in_handshake -= into.len() - before;
        }
    }

    pub(super) fn has_more_finished(&self) -> bool {
        self.has_more_finished
    }

    /// Puts the link back. Returns its entry, and whether it became ready meanwhile.
    pub(super) fn put_back(
        &mut self,
        id: LinkId,
        link: Link<R::Stream>,
    ) -> Option<(&mut LinkEntry<R>, bool)> {
        let entry = self.get_mut(id)?;
        let is_ready = entry.put_back(link);
        Some((entry, is_ready))
    }

    /// Puts the link back if it still waits for a thread of the pool. Returns whether it did.
    pub(super) fn cancel_handshake(&mut self, id: LinkId) -> bool {
        let Some(link) = self.handshakes.cancel(id) else { return false };
        self.in_handshake -= 1;
        self.put_back(id, link).is_some()
    }

    pub(super) fn shut_down_handshakes(&self) {
        self.handshakes.shut_down();
    }
}

impl<R: Runtime> LinkEntry<R> {
    pub(super) fn new(
        id: LinkId,
        address: SocketAddr,
        link: Link<R::Stream>,
        guard: LinkGuard,
        held: Held,
        ready: &Arc<ReadyQueue>,
    ) -> Self {
        let link_waker = LinkWaker::new(id, ready);
        Self {
            location: Location::Reactor(link),
            held,
            is_logged_in: false,
            waker: Waker::from(Arc::clone(&link_waker)),
            link_waker,
            guard,
            ending: None,
            is_pending: false,
            is_late: false,
            read_in_turn: 0,
            address,
        }
    }

    /// Facts about the link for the log. `end` is how it ended, if it ended without a close by the
    /// core.
    pub(super) fn facts(&self, end: Option<LinkEnd>) -> LinkFacts {
        let peer = Peer { address: self.address, is_exempt: self.guard.is_exempt() };
        LinkFacts { peer, end }
    }

    pub(super) fn is_logged_in(&self) -> bool {
        self.is_logged_in
    }

    /// A user has logged in over this link.
    pub(super) fn logged_in(&mut self) {
        self.is_logged_in = true;
        self.guard.logged_in();
    }

    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending
    }

    // Location.

    /// Whether the link is here, and not in the handshake pool.
    pub(super) fn is_here(&self) -> bool {
        matches!(self.location, Location::Reactor(_))
    }

    /// The link, if it is here, and a context that wakes the reactor for it.
    pub(super) fn link_mut(&mut self) -> Option<(&mut Link<R::Stream>, Context<'_>)> {
        match &mut self.location {
            Location::Reactor(link) => Some((link, Context::from_waker(&self.waker))),
            Location::Handshake(_) => None,
        }
    }

    /// Whether the link belongs in the handshake pool: it is here, and its layers are not open.
    pub(super) fn wants_handshake(&self) -> bool {
        matches!(&self.location, Location::Reactor(link) if !link.is_open())
            && self.ending.is_none()
    }

    /// The link became ready. Returns whether it is here to be read. If it is not,
    /// [`put_back`](LinkTable::put_back) reports that it became ready.
    pub(super) fn became_ready(&mut self) -> bool {
        match &mut self.location {
            Location::Reactor(_) => true,
            Location::Handshake(meanwhile) => {
                meanwhile.is_ready = true;
                false
            }
        }
    }

    pub(super) fn into_guard(self) -> LinkGuard {
        self.guard
    }

    /// The link, if it is here, and the guard that keeps it counted.
    pub(super) fn into_link(self) -> Option<(Link<R::Stream>, LinkGuard)> {
        match self.location {
            Location::Reactor(link) => Some((link, self.guard)),
            Location::Handshake(_) => None,
        }
    }

    /// The link for another shard, if it is here and can leave its thread.
    fn into_moved(self, id: LinkId, opened: Box<Opened>) -> Option<NewLink<R>> {
        let Location::Reactor(link) = self.location else { return None };
        let link = Arriving::Detached(link.try_map(R::detach).ok()?);
        let (peer, guard, held) = (self.address, self.guard, self.held);
        Some(NewLink { id, peer, link, guard, input: Input::HandedOver(id, opened), held })
    }

    // Reading.

    /// Marks the link as waiting to be read. Returns false if it was marked.
    pub(super) fn mark_queued(&self) -> bool {
        self.link_waker.mark_queued()
    }

    /// Marks the link as no longer waiting. Call this before looking at it.
    pub(super) fn mark_taken(&self) {
        self.link_waker.mark_taken();
    }

    /// Keeps bytes that were read until the core gets them.
    pub(super) fn hold(&mut self, bytes: Bytes) {
        self.held.put(bytes);
    }

    pub(super) fn has_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Up to this number of frames of the held bytes, and the number of frames.
    pub(super) fn take_held(&mut self, frames_max: usize) -> (Bytes, usize) {
        self.held.take(frames_max)
    }

    /// Notes that bytes came from the link in this turn.
    pub(super) fn mark_read(&mut self, turn: u64) {
        self.read_in_turn = turn;
    }

    /// Whether no bytes came from the link in the turn before this one.
    pub(super) fn was_quiet(&self, turn: u64) -> bool {
        self.read_in_turn + 1 < turn
    }

    // Writing.

    /// Removes the mark of a pending link. Returns whether it was marked.
    pub(super) fn take_pending(&mut self) -> bool {
        std::mem::take(&mut self.is_pending)
    }

    /// Marks the link as written to in a later turn. Returns false if it was marked.
    pub(super) fn mark_late(&mut self) -> bool {
        !std::mem::replace(&mut self.is_late, true)
    }

    /// Removes that mark: its later turn has come.
    pub(super) fn unmark_late(&mut self) {
        self.is_late = false;
    }

    fn add_to(&mut self, pending: &mut Vec<LinkId>, id: LinkId) {
        if !std::mem::replace(&mut self.is_pending, true) {
            pending.push(id);
        }
    }

    fn put_back(&mut self, link: Link<R::Stream>) -> bool {
        let here = Location::Reactor(link);
        let Location::Handshake(meanwhile) = std::mem::replace(&mut self.location, here) else {
            return false;
        };
        meanwhile.output.into_iter().for_each(|bytes| self.push(bytes));
        meanwhile.is_ready
    }

    fn push(&mut self, bytes: Bytes) {
        match &mut self.location {
            Location::Reactor(link) => {
                if let Err(Overflow) = link.push(bytes) {
                    self.ending = Some(Ending::Now(Fault::NotRead));
                }
            }
            // Before login there is little output.
            Location::Handshake(meanwhile) => meanwhile.output.push(bytes),
        }
    }
}

/// The input with the link's congestion, if that has changed.
pub(super) fn congestion<S: Stream>(id: LinkId, link: &mut Link<S>) -> Option<Input> {
    link.congestion_changed().map(|is_congested| Input::Congested(id, is_congested))
}

#[cfg(test)]
mod tests;
