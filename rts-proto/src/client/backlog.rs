//! Messages and queries that wait in the engine's own memory, behind the window of the wire.
//!
//! Three things hold them back. The window is full (§4.6): then nothing passes. So much is on its
//! way to a receiver that more might not fit into that receiver's window at the server (§5.6): then
//! what is for others passes. Or the rate of its kind is used up (§4.9): then what is of other
//! kinds passes, so that few questions do not hold up many messages.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use super::pending::Pending;
use super::session::{Budget, Kind, Tag};
use crate::Instant;
use crate::limits::{
    CLIENT_WINDOW_MESSAGE_BYTES_MAX, CLIENT_WINDOW_MESSAGES_MAX, FLIGHT_BYTES_MAX, FLIGHT_WAIT,
};
use crate::link::Channel;
use crate::planted::{Bug, planted};

/// Frames that are not in the window yet, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<(Bytes, Tag)>,
    bytes: usize,
    /// When the first one that waits for its receiver alone need not wait any longer.
    held_until: Option<Instant>,
    /// When the first one that waits for the rate of its kind may go.
    paced_until: Option<Instant>,
}

impl Backlog {
    pub(super) fn push(&mut self, frame: Bytes, tag: Tag) {
        self.bytes += frame.len();
        self.waiting.push_back((frame, tag));
    }

    /// Moves into the window what may go, and as much as `budget` has.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        channel: &mut Channel<Tag>,
        pending: &mut Pending,
        flights: &mut Flights,
        mut budget: Option<Budget>,
    ) {
        self.waits_for_window();
        let mut held = Held::default();
        let mut index = usize::from(planted(Bug::BacklogOvertakes) && self.waiting.len() > 1);
        while let Some((frame, tag)) = self.waiting.get(index) {
            if let Tag::Send { lane, .. } = *tag
                && let Some(until) = flights.hold(now, lane, frame.len(), &held)
            {
                held.add(lane);
                self.held_until = earlier(self.held_until, until);
                index += 1;
                continue;
            }
            if let Some(budget) = &mut budget
                && let Err(until) = budget.spend(Kind::of(*tag), now)
            {
                self.paced_until = earlier(self.paced_until, until);
                index += 1;
                continue;
            }
            let (frames_max, bytes_max) =
                (CLIENT_WINDOW_MESSAGES_MAX, CLIENT_WINDOW_MESSAGE_BYTES_MAX);
            if !channel.has_room(1, frame.len(), frames_max, bytes_max) {
                return;
            }
            let Some((frame, tag)) = self.waiting.remove(index) else { return };
            self.bytes -= frame.len();
            if let Tag::Send { id, lane } = tag {
                pending.departs(id, frame.len());
                flights.depart(now, lane, frame.len());
            }
            channel.push(frame, tag);
        }
    }

    /// Whatever it waited for, what is in the window goes first.
    pub(super) fn waits_for_window(&mut self) {
        (self.held_until, self.paced_until) = (None, None);
    }

    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held_until
    }

    pub(super) fn paced_until(&self) -> Option<Instant> {
        self.paced_until
    }

    pub(super) fn take_back(&mut self, mut wanted: impl FnMut(&Tag) -> bool) -> Option<Tag> {
        let index = self.waiting.iter().position(|(_, tag)| wanted(tag))?;
        let (frame, tag) = self.waiting.remove(index)?;
        self.bytes -= frame.len();
        Some(tag)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn into_frames(self) -> impl Iterator<Item = (Bytes, Tag)> {
        self.waiting.into_iter()
    }

    pub(super) fn extend(&mut self, frames: Vec<(Bytes, Tag)>) {
        for (frame, tag) in frames {
            self.push(frame, tag);
        }
    }
}

fn earlier(first: Option<Instant>, other: Instant) -> Option<Instant> {
    Some(first.map_or(other, |first| first.min(other)))
}

/// One of the lanes on which receivers are counted. Two receivers may share one, and then wait for
/// each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lane(u8);

/// So many that a bit each fits into a word.
const LANES: usize = 64;

impl Lane {
    pub(super) fn of(uid: &str) -> Self {
        // FNV-1a: its upper bits depend on every byte.
        let hash = uid.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        Self((hash >> 58) as u8)
    }
}

/// How much one message adds to its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Departure {
    pub(super) lane: Lane,
    /// 0 until it is in the window.
    pub(super) frame_bytes: usize,
}

/// Lanes of which something waits: what comes later for the same receiver must not overtake it.
#[derive(Default)]
struct Held(u64);

impl Held {
    fn add(&mut self, lane: Lane) {
        self.0 |= 1 << lane.0;
    }

    fn has(&self, lane: Lane) -> bool {
        self.0 & (1 << lane.0) != 0
    }
}

/// What is on its way: reliable messages in the window, or beyond it, that have no result.
#[derive(Debug)]
pub(super) struct Flights {
    lanes: [Flight; LANES],
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    bytes: usize,
    /// When something arrived last, or the first of it left.
    moved: Instant,
}

impl Flights {
    pub(super) fn new() -> Self {
        Self { lanes: [Flight { bytes: 0, moved: Instant::ORIGIN }; LANES] }
    }

    /// Until when a message has to wait for those before it. A receiver from whom nothing is heard
    /// is not waited for: the server knows best what to do with it.
    fn hold(&self, now: Instant, lane: Lane, frame_bytes: usize, held: &Held) -> Option<Instant> {
        let flight = self.lanes.get(usize::from(lane.0))?;
        let until = flight.moved + FLIGHT_WAIT;
        let is_over = flight.bytes > 0 && flight.bytes + frame_bytes > FLIGHT_BYTES_MAX;
        let is_held = (is_over || held.has(lane)) && !planted(Bug::LanesIgnored);
        (is_held && until > now).then_some(until)
    }

    fn depart(&mut self, now: Instant, lane: Lane, frame_bytes: usize) {
        let Some(flight) = self.lanes.get_mut(usize::from(lane.0)) else { return };
        if flight.bytes == 0 {
            flight.moved = now;
        }
        flight.bytes += frame_bytes;
    }

    /// A message has its result, or is back in the backlog.
    pub(super) fn end(&mut self, now: Instant, ended: Departure, has_arrived: bool) {
        let Some(flight) = self.lanes.get_mut(usize::from(ended.lane.0)) else { return };
        if !planted(Bug::LaneNotFreed) {
            flight.bytes -= ended.frame_bytes;
        }
        if has_arrived {
            flight.moved = now;
        }
    }

    /// Over a new link all of it begins anew.
    pub(super) fn restart(&mut self, now: Instant) {
        for flight in &mut self.lanes {
            flight.moved = now;
        }
    }
}
