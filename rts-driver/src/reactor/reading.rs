//! Whose turn it is to be heard: who was quiet before who floods, strangers behind both, and of
//! each a bounded amount.

use std::task::{Context, Poll};

use rts_proto::LinkId;
use rts_proto::server::Input;
use rts_stream::LayerError;

use super::Reactor;
use super::served::{Away, Fate, Seat, congestion, take_order};
use crate::driven::Order;
use crate::guarded;
use crate::handshakes::{Asked, Lane, Turn};
use crate::link::Step;
use crate::network::Network;
use crate::runtime::Runtime;

/// Links on which somebody has logged in that are looked at in one turn: what one turn reads and
/// brings about should stay in the processor's cache.
const LINKS_PER_TURN: usize = 32;
/// The same of those on which nobody has: they come behind the others.
const STRANGERS_PER_TURN: usize = 16;
/// Bytes after which no more of those who have logged in are looked at in a turn.
const INPUT_BYTES_PER_TURN: usize = 262_144;
/// The same in frames: a short frame costs the core as much as a long one.
const INPUT_FRAMES_PER_TURN: usize = 1_024;
/// Frames of one link that the core is given at once. The others wait for the next turn, and
/// nothing more is read before.
const FRAMES_PER_READING: usize = 64;
/// Where there is TLS or WebSocket, so many bytes count as a frame, whatever is in them: it may be
/// many records of one byte, or none but pings.
const LAYERED_BYTES_PER_FRAME: usize = 16;

impl<R: Runtime> Reactor<R> {
    pub(super) fn read_rung(&mut self) {
        self.sort_rung();
        let (mut bytes, mut links) = (0, 0);
        let has_room = |bytes, links, frames| {
            links < LINKS_PER_TURN && bytes < INPUT_BYTES_PER_TURN && frames < INPUT_FRAMES_PER_TURN
        };
        while has_room(bytes, links, self.input_frames)
            && let Some(id) = self.fresh.pop_front()
        {
            bytes += self.read_first(id);
            links += 1;
        }
        // However many ring now and then, who has much to say gets on.
        let mut gets_on = true;
        while (gets_on || has_room(bytes, links, self.input_frames))
            && let Some(id) = self.busy.pop_front()
        {
            bytes += self.read_first(id);
            links += 1;
            gets_on = false;
        }
        // However much the others have to say, somebody gets in.
        for _ in 0..STRANGERS_PER_TURN {
            let Some(id) = self.strangers.pop_front() else { break };
            self.meet(id);
        }
        self.welcome_back();
    }

    /// Each link that rang gets behind those of its kind.
    fn sort_rung(&mut self) {
        for id in self.rung.drain(..) {
            let Some(served) = self.links.get_mut(&id) else { continue };
            match &mut served.seat {
                Seat::Away(away) => away.has_rung = true,
                Seat::Here(_) if !served.is_attached => self.strangers.push_back(id),
                Seat::Here(_) if served.read_in_turn + 1 >= self.turns => self.busy.push_back(id),
                Seat::Here(_) => self.fresh.push_back(id),
            }
        }
    }

    /// Somebody who has not logged in.
    fn meet(&mut self, id: LinkId) {
        let Some(served) = self.links.get_mut(&id) else { return };
        match &served.seat {
            Seat::Here(link) if !link.is_open() && served.fate == Fate::Stays => {}
            Seat::Here(_) => {
                self.read_first(id);
                return;
            }
            Seat::Away(_) => return,
        }
        served.cord.release();
        let seat = std::mem::replace(&mut served.seat, Seat::Away(Away::default()));
        if let Seat::Here(link) = seat {
            let lane = if link.has_begun() { Lane::Free } else { served.counted.lane() };
            let turn = Turn { lane, network: Network::of(served.address.ip()) };
            let asked = Asked { link, waker: served.waker.clone() };
            self.away += 1;
            self.handshakes.hand_over(id, turn, asked);
        }
    }

    /// Links whose handshakes got on.
    fn welcome_back(&mut self) {
        if self.away == 0 {
            return;
        }
        let mut returned = std::mem::take(&mut self.returned);
        self.has_more_returned = self.handshakes.returned(STRANGERS_PER_TURN, &mut returned);
        for back in returned.drain(..) {
            self.away -= 1;
            let id = back.id;
            let Some(served) = self.links.get_mut(&id) else { continue };
            if served.sit_down(back.link) {
                self.rung.push_back(id);
            }
            if served.fate == Fate::Stays {
                if self.take_step(id, back.step) > 0 {
                    self.was_read.push(id);
                }
            } else if !std::mem::replace(&mut served.is_ordered, true) {
                self.ordered.push(id);
            }
        }
        self.returned = returned;
    }

    /// Returns how many bytes there were.
    fn read_first(&mut self, id: LinkId) -> usize {
        let Some(served) = self.links.get(&id) else { return 0 };
        served.cord.release();
        let bytes = self.read(id);
        if bytes > 0 {
            self.was_read.push(id);
        }
        bytes
    }

    pub(super) fn read_again(&mut self) {
        let mut was_read = std::mem::take(&mut self.was_read);
        for id in was_read.drain(..) {
            let has_held = self.links.get(&id).is_some_and(|served| !served.held.is_empty());
            if (has_held || self.read(id) > 0)
                && let Some(served) = self.links.get(&id)
                && served.cord.pull()
            {
                let queue = if served.is_attached { &mut self.busy } else { &mut self.strangers };
                queue.push_back(id);
            }
        }
        self.was_read = was_read;
    }

    /// Gives the core what the link has to say, up to a number of frames. Returns how many bytes
    /// that were.
    fn read(&mut self, id: LinkId) -> usize {
        // The end of a link must not overtake the answer to its last words.
        self.write_if_ordered(id);
        let Some(served) = self.links.get_mut(&id) else { return 0 };
        let Seat::Here(link) = &mut served.seat else { return 0 };
        if !served.held.is_empty() {
            return self.pass_on(id);
        }
        let mut context = Context::from_waker(&served.waker);
        let step = guarded(|| link.poll_step(&mut context, true));
        let layered_bytes = link.take_layered_bytes();
        if layered_bytes > 0 {
            self.input_frames += layered_bytes / LAYERED_BYTES_PER_FRAME;
            served.read_in_turn = self.turns;
        }
        self.inputs.extend(congestion(id, link));
        self.take_step(id, step)
    }

    /// Returns how many bytes the core is given.
    fn take_step(&mut self, id: LinkId, step: Option<Poll<Step>>) -> usize {
        match step {
            Some(Poll::Pending) => return 0,
            Some(Poll::Ready(Step::Received(bytes))) => {
                if let Some(served) = self.links.get_mut(&id) {
                    served.held = bytes;
                }
                return self.pass_on(id);
            }
            Some(Poll::Ready(Step::Gone)) | None => self.give_up(id),
            Some(Poll::Ready(Step::Over(error))) => self.is_over(id, error),
        }
        0
    }

    /// Gives the core some of what was read. Returns how many bytes that are.
    fn pass_on(&mut self, id: LinkId) -> usize {
        let Some(served) = self.links.get_mut(&id) else { return 0 };
        let (bytes_len, frames) = served.meter.take(&served.held, FRAMES_PER_READING);
        let bytes = served.held.split_to(bytes_len);
        if !served.is_attached {
            self.speaking.push(id);
        }
        served.read_in_turn = self.turns;
        self.inputs.push(Input::Received(id, bytes));
        self.input_frames += frames;
        bytes_len
    }

    /// The other side said goodbye, or something that cannot be.
    fn is_over(&mut self, id: LinkId, error: Option<LayerError>) {
        if let Some(error) = error {
            tracing::debug!(link = %id, %error, "given up");
            if let Some(served) = self.links.get(&id)
                && !served.is_attached
            {
                self.user_log.ended_before_login(served.peer(), &error);
            }
        }
        // The core need not wait until the goodbye is said.
        self.inputs.push(Input::Disconnected(id));
        take_order(&mut self.links, &mut self.ordered, Order::Close(id));
    }
}
