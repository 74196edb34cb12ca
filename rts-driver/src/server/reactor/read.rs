//! Schedules reads: links that were quiet come before those that flood, links before login come
//! last, and each turn reads a bounded amount.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use rts_proto::LinkId;

use super::link_io::LinkIo;
use super::links::{LinkEntry, LinkTable};
use crate::runtime::Runtime;
use crate::server::handshakes::Finished;
use crate::server::ready_queue::ReadyQueue;
use crate::server::shared::NewLink;

/// Links on which somebody has logged in that are read in one turn: what one turn reads and brings
/// about should stay in the processor's cache.
const LINKS_PER_TURN: usize = 32;
/// The same of those on which nobody has: they come behind the others.
const LINKS_BEFORE_LOGIN_PER_TURN: usize = 16;
/// Bytes after which no more of those who have logged in are read in a turn.
const INPUT_BYTES_PER_TURN: usize = 262_144;
/// The same in frames: a short frame costs the core as much as a long one.
const INPUT_FRAMES_PER_TURN: usize = 1_024;

/// Links that wait to be read. Those in the ready queue and the four behind it are marked as queued:
/// so each is in one of them at most, and once.
pub(super) struct Reader<R: Runtime> {
    /// Where links put themselves when they become ready.
    ready: Arc<ReadyQueue>,
    /// Became ready, and are not sorted into the next three.
    woken: VecDeque<LinkId>,
    /// Those that were quiet in the turn before.
    quiet: VecDeque<LinkId>,
    /// Those that were not, or have more to say than a turn takes.
    busy: VecDeque<LinkId>,
    /// Those on which nobody has logged in.
    before_login: VecDeque<LinkId>,
    /// Those to read again in this turn. They are not marked: one may become ready meanwhile.
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

    /// Adds a link, which is read behind those that became ready before.
    pub(super) fn add(&mut self, new_link: NewLink<R>, links: &mut LinkTable<R>) {
        let id = new_link.id;
        let entry = LinkEntry::new(new_link, &self.ready);
        entry.mark_queued();
        links.insert(id, entry);
        self.woken.push_back(id);
    }

    /// Ready when links became ready, or something about the shard has changed.
    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.ready.poll_ready(context, &mut self.woken)
    }

    /// Takes the links that became ready, without waiting for any.
    pub(super) fn take_ready(&mut self) {
        self.ready.take_ready(&mut self.woken);
    }

    pub(super) fn has_more(&self) -> bool {
        let waiting = [&self.woken, &self.quiet, &self.busy, &self.before_login];
        waiting.iter().any(|links| !links.is_empty())
    }

    /// Reads what is ready, as far as a turn goes.
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
        let mut gets_on = true;
        while (gets_on || has_room(bytes, links, io.batch.frames()))
            && let Some(id) = self.busy.pop_front()
        {
            bytes += self.read(io, id);
            links += 1;
            gets_on = false;
        }
        // However busy the others are, some links get to log in.
        for _ in 0..LINKS_BEFORE_LOGIN_PER_TURN {
            let Some(id) = self.before_login.pop_front() else { break };
            self.read_before_login(io, id);
        }
        self.take_back(io);
    }

    /// Puts each link that became ready behind those of its kind.
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

    /// Reads once more what was read in this turn: for the next one, or until it is ready again.
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
