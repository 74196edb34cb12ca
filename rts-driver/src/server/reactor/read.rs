//! Schedules reads: links that were quiet come before those that flood, links before login come
//! last, and each turn reads a bounded amount.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use rts_proto::LinkId;
use rts_proto::server::Input;

use super::link_entry::{LinkEntry, log_lost};
use super::link_io::LinkIo;
use super::links::LinkTable;
use crate::runtime::Runtime;
use crate::server::arrivals::NewLink;
use crate::server::handshakes::Finished;
use crate::server::ready_queue::ReadyQueue;

/// Logged-in links that are read in one turn. The input of a turn and its consequences should stay
/// in the processor's cache.
const LINKS_PER_TURN: usize = 32;
/// Links before login that are read in one turn. They come after the others.
const LINKS_BEFORE_LOGIN_PER_TURN: usize = 16;
/// Bytes after which no more logged-in links are read in a turn.
const INPUT_BYTES_PER_TURN: usize = 262_144;
/// Frames after which no more logged-in links are read in a turn. A short frame costs the core as
/// much as a long one.
const INPUT_FRAMES_PER_TURN: usize = 1_024;

/// Links that wait to be read. A link in the ready queue or in one of the four queues behind it is
/// marked as queued. So each is in at most one of them, once.
pub(super) struct Reader<R: Runtime> {
    /// The queue that links enter when they become ready.
    ready: Arc<ReadyQueue>,
    /// Links that became ready, and are not yet sorted into the next three queues.
    woken: VecDeque<LinkId>,
    /// Links that were quiet in the turn before.
    quiet: VecDeque<LinkId>,
    /// Links that were not quiet, or have more input than a turn takes.
    busy: VecDeque<LinkId>,
    /// Links before login.
    before_login: VecDeque<LinkId>,
    /// Links to read again in this turn. They are not marked, because one may become ready
    /// meanwhile.
    again: Vec<LinkId>,
    /// Working space: links whose handshakes made progress.
    finished: Vec<Finished<R>>,
}

impl<R: Runtime> Reader<R> {
    pub(super) fn new(ready: &Arc<ReadyQueue>) -> Self {
        Self {
            ready: Arc::clone(ready),
            woken: VecDeque::new(),
            quiet: VecDeque::new(),
            busy: VecDeque::new(),
            before_login: VecDeque::new(),
            again: Vec::new(),
            finished: Vec::new(),
        }
    }

    /// Adds a link, which is read after those that became ready before. Returns the inputs that
    /// announce it to the core; none if the link is lost.
    pub(super) fn add(&mut self, new_link: NewLink<R>, links: &mut LinkTable<R>) -> Vec<Input> {
        let NewLink { id, peer, link, guard, inputs, held } = new_link;
        let link = match link.attach() {
            Ok(link) => link,
            Err(error) => {
                log_lost(id, peer, &error);
                return Vec::new();
            }
        };
        let entry = LinkEntry::new(id, peer, link, guard, held, &self.ready);
        entry.mark_queued();
        links.insert(id, entry);
        // Another shard may have left something to write.
        links.add_pending(id);
        self.woken.push_back(id);
        inputs
    }

    /// Ready when links became ready, or something about the shard has changed.
    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.ready.poll_ready(context, &mut self.woken)
    }

    /// Takes the links that became ready, without waiting.
    pub(super) fn take_ready(&mut self) {
        self.ready.take_ready(&mut self.woken);
    }

    pub(super) fn has_more(&self) -> bool {
        let waiting = [&self.woken, &self.quiet, &self.busy, &self.before_login];
        waiting.iter().any(|links| !links.is_empty())
    }

    /// Reads ready links, up to the bounds of a turn.
    pub(super) fn read_ready(&mut self, io: &mut LinkIo<R>) {
        self.sort_woken(io);
        let (mut bytes, mut links) = (0, 0);
        let has_room = |bytes, links, frames| {
            links < LINKS_PER_TURN && bytes < INPUT_BYTES_PER_TURN && frames < INPUT_FRAMES_PER_TURN
        };
        while has_room(bytes, links, io.batch.frames())
            && let Some(id) = self.quiet.pop_front()
        {
            bytes += self.read(io, id);
            links += 1;
        }
        // However many quiet links there are, one busy link makes progress.
        let mut reads_busy = true;
        while (reads_busy || has_room(bytes, links, io.batch.frames()))
            && let Some(id) = self.busy.pop_front()
        {
            bytes += self.read(io, id);
            links += 1;
            reads_busy = false;
        }
        // However busy the others are, some links can log in.
        for _ in 0..LINKS_BEFORE_LOGIN_PER_TURN {
            let Some(id) = self.before_login.pop_front() else { break };
            self.read_before_login(io, id);
        }
        self.take_back(io);
    }

    /// Appends each link that became ready to the queue of its kind.
    fn sort_woken(&mut self, io: &mut LinkIo<R>) {
        for id in self.woken.drain(..) {
            let turn = io.turn();
            let Some(entry) = io.links.get_mut(id) else { continue };
            if !entry.became_ready() {
                continue;
            }
            let queue = match (entry.is_logged_in(), entry.was_quiet(turn)) {
                (false, _) => &mut self.before_login,
                (true, false) => &mut self.busy,
                (true, true) => &mut self.quiet,
            };
            queue.push_back(id);
        }
    }

    /// Returns the number of bytes read.
    fn read(&mut self, io: &mut LinkIo<R>, id: LinkId) -> usize {
        let Some(entry) = io.links.get(id) else { return 0 };
        entry.mark_taken();
        let bytes = io.read(id);
        if bytes > 0 {
            self.again.push(id);
        }
        bytes
    }

    fn read_before_login(&mut self, io: &mut LinkIo<R>, id: LinkId) {
        let Some(entry) = io.links.get(id) else { return };
        if entry.wants_handshake() {
            entry.mark_taken();
            io.links.start_handshake(id);
        } else if entry.is_here() {
            self.read(io, id);
        }
    }

    /// Takes back the links whose handshakes made progress.
    fn take_back(&mut self, io: &mut LinkIo<R>) {
        io.links.take_finished(LINKS_BEFORE_LOGIN_PER_TURN, &mut self.finished);
        for Finished { id, link, step } in self.finished.drain(..) {
            let Some((entry, is_ready)) = io.links.put_back(id, link) else { continue };
            let stays = entry.ending().is_none();
            if is_ready {
                self.woken.push_back(id);
            }
            if !stays {
                io.links.add_pending(id);
            } else if io.take_step(id, step) > 0 {
                self.again.push(id);
            }
        }
    }

    /// Reads once more from the links that were read in this turn. This gets input for the next
    /// turn, or registers the link's waker.
    pub(super) fn read_again(&mut self, io: &mut LinkIo<R>) {
        for id in self.again.drain(..) {
            let has_held = io.links.get(id).is_some_and(LinkEntry::has_held);
            if (has_held || io.read(id) > 0)
                && let Some(entry) = io.links.get(id)
                && entry.mark_queued()
            {
                let queue =
                    if entry.is_logged_in() { &mut self.busy } else { &mut self.before_login };
                queue.push_back(id);
            }
        }
    }
}
