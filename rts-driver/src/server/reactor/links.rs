//! The links of a reactor: where each of them is, its output, and its end.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use foldhash::fast::FixedState;
use rts_proto::LinkId;
use rts_proto::server::{Input, ShardId};

use super::link_entry::{Ending, LinkEntry, congestion};
use crate::link::Link;
use crate::runtime::Runtime;
use crate::server::arrivals::NewLink;
use crate::server::handshakes::{Finished, HandshakePool};
use crate::server::hooked_core::LinkOutput;

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
    moving: Vec<Moving>,
}

/// A link that goes to another shard at the end of the turn.
struct Moving {
    link: LinkId,
    to: ShardId,
    /// For the core of the other shard.
    inputs: Vec<Input>,
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
                let inputs = vec![Input::HandedOver(id, opened)];
                self.moving.push(Moving { link: id, to: shard, inputs });
                None
            }
        }
    }

    /// Removes the links that go to other shards. A link that ends stays, and ends here.
    pub(super) fn take_moving(&mut self) -> Vec<(ShardId, NewLink<R>)> {
        let moving = std::mem::take(&mut self.moving);
        let entries = &mut self.entries;
        let moved = moving.into_iter().filter_map(|Moving { link, to, inputs }| {
            let stays = entries.get(&link)?.ending().is_some();
            let entry = if stays { None } else { entries.remove(&link) };
            Some((to, entry?.into_moved(link, inputs)?))
        });
        moved.collect()
    }

    /// Keeps an input from a link that goes to another shard, whose core must get it. Returns other
    /// inputs.
    pub(super) fn carry(&mut self, input: Input) -> Option<Input> {
        let from = match input {
            Input::Received(id, _) | Input::Congested(id, _) if !self.moving.is_empty() => id,
            input => return Some(input),
        };
        match self.moving.iter_mut().find(|moving| moving.link == from) {
            Some(moving) => {
                moving.inputs.push(input);
                None
            }
            None => Some(input),
        }
    }

    fn transmit(&mut self, id: LinkId, bytes: Bytes) -> Option<Input> {
        let entry = self.entries.get_mut(&id)?;
        entry.add_to(&mut self.pending, id);
        if entry.ending().is_some() {
            return None;
        }
        entry.push(bytes);
        let (link, _) = entry.link_mut()?;
        congestion(id, link)
    }

    /// Marks the link to end in this way when it is flushed, unless it is ending already.
    pub(super) fn mark_ending(&mut self, id: LinkId, ending: Ending) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.mark_ending(ending);
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
        if let Some((key, job)) = entry.take_for_handshake() {
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

#[cfg(test)]
mod tests;
