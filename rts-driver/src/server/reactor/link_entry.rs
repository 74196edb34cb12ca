//! One link of a reactor: where it is, what waits for it, and its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use rts_proto::LinkId;
use rts_proto::server::Input;

use super::held::Held;
use crate::link::{Link, Overflow};
use crate::runtime::{Runtime, Stream};
use crate::server::arrivals::{Arriving, NewLink};
use crate::server::gate::LinkGuard;
use crate::server::handshakes::{Job, Lane, QueueKey};
use crate::server::link_end::{Fault, LinkEnd};
use crate::server::log::targets::LINKS;
use crate::server::network::Network;
use crate::server::notice_log::{LinkFacts, Peer};
use crate::server::ready_queue::{LinkWaker, ReadyQueue};

/// A link of a [`LinkTable`](super::links::LinkTable).
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

    /// Marks the link to end in this way, unless it is ending already.
    pub(super) fn mark_ending(&mut self, ending: Ending) {
        self.ending.get_or_insert(ending);
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
    /// [`put_back`](Self::put_back) reports that it became ready.
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

    /// The link for another shard, if it is here and can leave its thread. That shard's core gets
    /// these inputs.
    pub(super) fn into_moved(self, id: LinkId, inputs: Vec<Input>) -> Option<NewLink<R>> {
        let Location::Reactor(link) = self.location else { return None };
        let (peer, guard, held) = (self.address, self.guard, self.held);
        let detached = link.try_map(R::detach).inspect_err(|error| log_lost(id, peer, error));
        Some(NewLink { id, peer, link: Arriving::Detached(detached.ok()?), guard, inputs, held })
    }

    /// Takes the link for the handshake pool. `None` if it is there.
    pub(super) fn take_for_handshake(&mut self) -> Option<(QueueKey, Job<R>)> {
        let meanwhile = Location::Handshake(Meanwhile::default());
        let Location::Reactor(link) = std::mem::replace(&mut self.location, meanwhile) else {
            return None;
        };
        let lane = if link.has_begun() { Lane::Free } else { self.guard.lane() };
        let key = QueueKey { lane, network: Network::of(self.address.ip()) };
        Some((key, Job { link, waker: self.waker.clone() }))
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

    /// Adds the link to the pending ones, unless it is marked as one of them.
    pub(super) fn add_to(&mut self, pending: &mut Vec<LinkId>, id: LinkId) {
        if !std::mem::replace(&mut self.is_pending, true) {
            pending.push(id);
        }
    }

    /// Puts the link back. Returns whether it became ready meanwhile.
    pub(super) fn put_back(&mut self, link: Link<R::Stream>) -> bool {
        let here = Location::Reactor(link);
        let Location::Handshake(meanwhile) = std::mem::replace(&mut self.location, here) else {
            return false;
        };
        meanwhile.output.into_iter().for_each(|bytes| self.push(bytes));
        meanwhile.is_ready
    }

    /// Queues bytes to be written.
    pub(super) fn push(&mut self, bytes: Bytes) {
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

/// A link is lost because it cannot leave its thread, or come to another.
pub(super) fn log_lost(link: LinkId, address: SocketAddr, error: &io::Error) {
    tracing::warn!(target: LINKS, %link, %address, %error, "cannot move a link to its thread");
}
